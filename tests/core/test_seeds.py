"""Streams are what the formula says, on every machine, whoever asks for them and when."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

import metalab
from metalab.errors import MissingExtraError
from metalab.seeds import SeedBundle, SeedPlan, seeds

GOLDENS = json.loads((Path(__file__).parent / "goldens" / "seeds.json").read_text())

bundles = st.builds(SeedBundle, st.integers(), st.none() | st.integers(0, 10**9))


class TestDerive:
    def test_the_published_values_hold(self):
        assert SeedBundle(42, 0).derive("default") == 2164880486899767195
        assert SeedBundle(42, 1).derive("default") == 17311043386426800777
        assert SeedBundle(123, 0).rng().random() == 0.097047186348996
        assert SeedBundle.for_preprocessing(42).root_seed == 5875625451538769114

    @given(bundles, st.text(max_size=8))
    def test_it_is_the_first_eight_bytes_of_the_hash(self, bundle, name):
        text = f"{bundle.root_seed}:{name}:{bundle.replicate_index or 0}"
        digest = hashlib.sha256(text.encode()).digest()
        assert bundle.derive(name) == int.from_bytes(digest[:8], "big")

    def test_no_replicate_has_the_streams_of_replicate_0_and_is_another_bundle(self):
        alone, first = SeedBundle(1), SeedBundle(1, 0)
        assert alone.derive("x") == first.derive("x")
        assert alone.numpy_seed() == first.numpy_seed()
        assert alone != first

    @pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: f"{golden['bundle']}")
    def test_streams_are_the_committed_ones(self, golden):
        bundle, name = SeedBundle.from_dict(golden["bundle"]), golden["name"]
        assert bundle.derive(name) == golden["derive"]
        assert bundle.seed(name) == golden["seed"]
        assert bundle.seed(name, bits=32) == golden["seed32"]
        assert f"{bundle.numpy_seed(name):064x}" == golden["numpy_seed"]
        assert bundle.rng(name).random() == golden["random"]
        generator = bundle.numpy(name)
        assert [generator.random(), int(generator.integers(10**9))] == golden["numpy"]

    def test_streams_are_the_same_whatever_the_hash_seed(self):
        program = (
            "import metalab; b = metalab.SeedBundle(7, 3); "
            "print(b.derive('x'), b.rng('x').random(), b.numpy('x').random())"
        )
        said = {
            subprocess.run(
                [sys.executable, "-c", program],
                env={"PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for hash_seed in ("0", "1")
        }
        assert len(said) == 1


class TestSeedBundle:
    def test_streams_of_one_name_begin_again_at_each_call(self):
        bundle = SeedBundle(5, 2)
        assert bundle.rng("a").random() == bundle.rng("a").random()
        assert bundle.numpy("a").random() == bundle.numpy("a").random()

    def test_names_replicates_and_roots_give_different_streams(self):
        made = [
            SeedBundle(root, replicate).rng(name).random()
            for root in (1, 2)
            for replicate in (0, 1)
            for name in ("a", "b")
        ]
        assert len(set(made)) == len(made)

    def test_the_numpy_generator_can_be_made_without_metalab(self):
        bundle = SeedBundle(9, 1)
        expected = np.random.default_rng(bundle.numpy_seed("data")).random(4)
        assert bundle.numpy("data").random(4).tolist() == expected.tolist()

    def test_a_numpy_seed_has_all_of_the_hash(self):
        """Cut to 32 bits, two of 100,000 replicates would share their numbers."""
        drawn = [SeedBundle(0, replicate).numpy_seed() for replicate in range(2000)]
        assert max(drawn).bit_length() == 256
        assert (
            len({seed % 2**128 for seed in drawn}) == len({seed >> 128 for seed in drawn}) == 2000
        )

    @given(bundles, st.integers(1, 256))
    def test_a_seed_has_at_most_the_bits_asked_for(self, bundle, bits):
        assert 0 <= bundle.seed("x", bits=bits) < 2**bits

    def test_a_seed_fits_a_signed_64_bit_integer_unless_told_otherwise(self):
        assert max(SeedBundle(0, r).seed() for r in range(200)).bit_length() == 63

    @pytest.mark.parametrize("bits", [0, 257, -1])
    def test_a_seed_of_too_few_or_too_many_bits_is_refused(self, bits):
        with pytest.raises(ValueError, match=f"bits={bits} is out of range"):
            SeedBundle(1).seed(bits=bits)

    @pytest.mark.parametrize("bits", [None, 1.5, "63"])
    def test_a_seed_of_bits_that_are_no_whole_number_is_refused(self, bits):
        with pytest.raises(TypeError, match="bits is a whole number"):
            SeedBundle(1).seed(bits=bits)

    @pytest.mark.parametrize("name", [1, None, {"b", "a"}, object(), b"x"])
    def test_a_stream_is_called_by_text_alone(self, name):
        """The text of other values may differ from one process to the next."""
        for draw in (SeedBundle(1).derive, SeedBundle(1).rng, SeedBundle(1).numpy_seed):
            with pytest.raises(TypeError, match="the name of a stream is a str"):
                draw(name)

    def test_any_text_names_a_stream(self):
        names = ["", "a:b", "\n", "\ud800", "x" * 10_000]
        assert len({SeedBundle(1).derive(name) for name in names}) == len(names)

    @pytest.mark.parametrize("document", [{}, {"seed": 1}, None, 5])
    def test_another_document_is_refused(self, document):
        with pytest.raises(ValueError, match="describes no SeedBundle"):
            SeedBundle.from_dict(document)

    @given(bundles)
    def test_it_comes_back_from_a_dict_and_a_pickle(self, bundle):
        assert SeedBundle.from_dict(json.loads(json.dumps(bundle.to_dict()))) == bundle
        assert pickle.loads(pickle.dumps(bundle)) == bundle

    @pytest.mark.parametrize("root", [1.0, "1", None, True])
    def test_a_root_seed_that_is_no_whole_number_is_refused(self, root):
        with pytest.raises(TypeError, match="root_seed is a whole number"):
            SeedBundle(root)

    def test_a_replicate_below_0_is_refused(self):
        with pytest.raises(ValueError, match="counts from 0"):
            SeedBundle(1, -1)

    def test_numpy_integers_are_the_integers_they_equal(self):
        assert SeedBundle(np.int64(3), np.uint8(1)) == SeedBundle(3, 1)
        assert type(SeedBundle(np.int64(3)).root_seed) is int

    def test_without_numpy_the_error_names_the_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "numpy.random", None)
        monkeypatch.setitem(sys.modules, "numpy", None)
        with pytest.raises(MissingExtraError, match=r"metalab\[numpy\]"):
            SeedBundle(1).numpy()
        assert SeedBundle(1).rng().random()


class TestSeedPlan:
    def test_bundle_i_has_the_base_and_replicate_i(self):
        plan = metalab.seeds(base=123, replicates=3)
        assert list(plan) == [SeedBundle(123, i) for i in range(3)]
        assert (plan.base_seed, plan.replicates, len(plan)) == (123, 3, 3)

    def test_it_is_indexed_as_a_list_is(self):
        plan = seeds(1, 4)
        assert plan[-1] == plan[3]
        assert plan[1:3] == [plan[1], plan[2]]
        for index in (4, -5):
            with pytest.raises(IndexError):
                plan[index]

    def test_there_is_one_replicate_unless_told_otherwise(self):
        assert len(seeds(5)) == 1

    @pytest.mark.parametrize("replicates", [0, -1])
    def test_no_replicates_are_refused(self, replicates):
        with pytest.raises(ValueError, match=f"replicates={replicates} gives no runs"):
            seeds(1, replicates=replicates)

    @pytest.mark.parametrize("base", ["1", 1.5, None, False])
    def test_a_base_that_is_no_whole_number_is_refused(self, base):
        with pytest.raises(TypeError, match="base is a whole number, not"):
            seeds(base=base)

    def test_replicates_that_are_no_whole_number_are_refused(self):
        with pytest.raises(TypeError, match="replicates is a whole number"):
            seeds(1, replicates=2.0)

    @pytest.mark.parametrize("base", [0, -1, 2**200])
    def test_it_comes_back_from_its_manifest(self, base):
        plan = SeedPlan(base, 3)
        document = json.loads(json.dumps(plan.to_manifest_dict()))
        assert document["type"] == "SeedPlan"
        assert SeedPlan.from_manifest_dict(document) == plan


class TestModule:
    def test_the_module_is_called_and_imported_from_in_either_order(self):
        for program in (
            "import metalab; metalab.seeds(base=1); from metalab.seeds import SeedPlan",
            "from metalab.seeds import SeedPlan; import metalab; metalab.seeds(1, replicates=2)",
            "import metalab.seeds; metalab.seeds(1); metalab.seeds.SeedBundle(1)",
        ):
            subprocess.run([sys.executable, "-c", program], check=True)
