"""What the contracts are made of: sameness, other processes, effort."""

from __future__ import annotations

import io
import math
import sys

import numpy as np
import pytest

from metalab.testing.elsewhere import HASH_SEEDS, ask
from metalab.testing.hostile import files_that_run_code, plain_objects, rude_objects
from metalab.testing.sameness import is_same


def itself():
    """Return a list that holds itself."""
    loop = [1]
    loop.append(loop)
    return loop


class TestSameness:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            *((1, 1.0), (1, True), (0.0, -0.0), (1j, complex(0, 1.5)), ("1", 1), ([1], (1,))),
            *(([1, 2], [1]), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({1: 0}, {1.0: 0})),
            *(
                ([[0.0]], [[-0.0]]),
                ({1}, {2}),
                (b"x", bytearray(b"x")),
                (complex(0.0), complex(-0.0)),
            ),
        ],
    )
    def test_values_that_differ_in_type_sign_or_order_differ(self, one, other):
        assert not is_same(one, other)
        assert not is_same(other, one)

    def test_what_is_made_anew_is_the_same(self):
        for one, other in zip(plain_objects(), plain_objects(), strict=True):
            assert type(one) is object or is_same(one, other), one
        assert is_same(itself(), itself())
        assert is_same([math.nan, -0.0], [-math.nan, -0.0])

    def test_an_answer_that_is_no_bool_is_an_error(self):
        with pytest.raises(TypeError, match="override `same`"):
            is_same(np.array([1, 2]), np.array([1, 2]))


class TestElsewhere:
    def test_the_hash_seeds_give_sets_another_order(self):
        words = ["adam", "rmsprop", "sgd", "adagrad"]
        first, second = (
            ask("contract.test_kit_means:ordered", words, hash_seed=seed) for seed in HASH_SEEDS
        )
        assert first != second
        assert sorted(first) == sorted(second)

    def test_what_fails_there_is_told_here(self):
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            ask("contract.test_kit_means:failing", None)

    def test_a_module_is_imported_there_first(self):
        found = ask("contract.test_kit_means:imported", None, imports=["contract.param_functions"])
        assert found is True


class TestHostile:
    def test_rude_objects_refuse_to_be_asked(self):
        first, *_ = rude_objects()
        for question in (len, bool, iter, lambda obj: obj.shape, lambda obj: obj == 1):
            with pytest.raises(RuntimeError):
                question(first)

    @pytest.mark.parametrize("what", ["a pickle", "an npy file that holds objects"])
    def test_a_file_runs_code_where_it_is_let(self, tmp_path, what):
        data = io.BytesIO(files_that_run_code(tmp_path / "mark")[what])
        np.load(data, allow_pickle=True)
        assert (tmp_path / "mark").exists()

    def test_so_does_what_lies_in_an_archive(self, tmp_path):
        data = files_that_run_code(tmp_path / "mark")["an npz file that holds objects"]
        with np.load(io.BytesIO(data), allow_pickle=True) as archive:
            archive["arr_0"]
        assert (tmp_path / "mark").exists()


def ordered(words):
    return list(set(words))


def failing(_):
    return 1 / 0


def imported(_):
    return "contract.param_functions" in sys.modules
