"""Values: strict JSON that reads back as the same value, type included."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import attrs
import msgspec
import pytest
from hypothesis import given, strategies as st

from metalab.errors import IdentityError
from metalab.identity.canonical import canonical_bytes
from metalab.identity.values import Symbol, from_jsonable, to_jsonable
from strategies import Access, Bits, Colour, Pair, Point, Spot, Stain, params, same, values


def through_json(value, **options):
    """Write a value, send it through both JSON libraries, and read it back."""
    document = to_jsonable(value, **options)
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    assert msgspec.json.decode(msgspec.json.encode(document)) == document
    return from_jsonable(json.loads(text), strict=True)


class TestRoundTrip:
    @given(values())
    def test_every_value_comes_back_the_same(self, value):
        assert same(through_json(value), value)

    @given(params())
    def test_what_a_worker_receives_equals_what_the_user_wrote(self, found):
        received = through_json(found)
        assert same(received, found)
        assert canonical_bytes(received) == canonical_bytes(found)

    @given(
        st.recursive(
            st.none()
            | st.text()
            | st.integers()
            | st.sampled_from(["$int", "$", "$x"]).map(lambda tag: {tag: "1"}),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$ref"), inner),
        )
    )
    def test_dicts_that_look_like_tags_come_back_as_dicts(self, value):
        assert same(through_json(value), value)

    def test_the_order_of_a_dict_is_kept(self):
        value = {"b": 1, "a": 2, "$c": 3}
        assert list(through_json(value)) == list(value)
        assert list(through_json({2: 1, 1: (2,)})) == [2, 1]

    def test_a_cached_hash_is_made_again(self):
        value = Stain(1, 2)
        hash(value)
        assert hash(through_json(value)) == hash(value)

    def test_attributes_beside_the_fields_come_back(self):
        value = Open(1)
        value.more = (2,)
        assert vars(through_json(value)) == {"x": 1, "more": (2,)}

    def test_rebuilding_runs_no_code_of_the_class(self):
        assert through_json(Noisy.quiet()).x == 1

    def test_flags_without_a_name_come_back(self):
        for value in (Access.READ | Access.WRITE, Access(0), Bits.ONE | Bits.TWO, Bits(64)):
            assert same(through_json(value), value)


@dataclasses.dataclass
class Open:
    x: int


@attrs.frozen
class Noisy:
    x: int

    def __attrs_post_init__(self):
        raise AssertionError("the constructor was run")

    @classmethod
    def quiet(cls):
        found = object.__new__(cls)
        object.__setattr__(found, "x", 1)
        return found


class TestForm:
    @pytest.mark.parametrize(
        ("value", "document"),
        [
            ({"a": 1, "b": [1.5, None, True, "x"]}, {"a": 1, "b": [1.5, None, True, "x"]}),
            (math.nan, {"$float": "nan"}),
            (math.inf, {"$float": "inf"}),
            ("NaN", "NaN"),
            (-0.0, {"$float": "-0.0"}),
            (0.0, 0.0),
            (1e15, 1e15),
            (1e16, {"$float": "1e+16"}),
            (2**63 - 1, 2**63 - 1),
            (2**63, {"$int": "9223372036854775808"}),
            (-(2**63), -(2**63)),
            (-(2**63) - 1, {"$int": "-9223372036854775809"}),
            (2**2001, {"$int": hex(2**2001)}),
            (b"ab", {"$bytes": "YWI="}),
            ("\ud800", {"$str": "\\ud800"}),
            ("é", "é"),
            ((1, 2), {"$tuple": [1, 2]}),
            ({3, 1, 2}, {"$set": [1, 2, 3]}),
            ({1: 2}, {"$dict": [[1, 2]]}),
            ({"$a": 2}, {"$dict": [["$a", 2]]}),
            ({"\ud800": 2}, {"$dict": [[{"$str": "\\ud800"}, 2]]}),
            (Colour.RED, {"$enum": ["strategies:Colour", "RED"]}),
            (Point, {"$ref": "strategies:Point"}),
            (Point(1, 2), {"$object": ["strategies:Point", {"x": 1, "y": 2}]}),
            (Pair(1, 2), {"$namedtuple": ["strategies:Pair", [1, 2]]}),
        ],
    )
    def test_it_is_readable_and_unambiguous(self, value, document):
        assert to_jsonable(value) == document
        assert same(from_jsonable(document), value)

    def test_a_float_never_reads_back_as_an_integer_elsewhere(self):
        for value in (1e15, 123456789.0, 2.0**53, 1e16, 1e22, 1.7e308):
            text = json.dumps(to_jsonable(value))
            assert "." in text or "$float" in text

    def test_a_flat_dict_is_not_copied(self):
        value = {"a": 1, "b": 2.5, "c": "x", "d": None, "e": True}
        assert to_jsonable(value) is value

    @pytest.mark.parametrize("item", [-0.0, math.nan, 2**63, "\ud800", 1e16, (), b"", Bits.ONE])
    def test_a_flat_dict_with_anything_more_is(self, item):
        assert same(from_jsonable(to_jsonable({"a": 1, "b": item})), {"a": 1, "b": item})
        assert "$" in json.dumps(to_jsonable({"a": 1, "b": item}))


class Stranger:
    def fingerprint_payload(self):
        return ("stranger", 1)


class Model:
    pass


class TestRefusal:
    def test_it_names_the_place(self):
        with pytest.raises(IdentityError, match=r"^params\['a'\]\[0\]\.y\[1\]\[2\]: "):
            to_jsonable({"a": [Point(1, (1, {2: Model()}))]}, "params")

    @pytest.mark.parametrize("value", [lambda: 1, iter([]), Model(), [object()]])
    def test_what_cannot_be_read_back_is_refused(self, value):
        with pytest.raises(IdentityError, match=r"^x"):
            to_jsonable(value, "x")

    def test_what_contains_itself_is_refused(self):
        value = {}
        value["x"] = value
        with pytest.raises(IdentityError, match="contains itself"):
            to_jsonable(value)

    @pytest.mark.parametrize(
        "document",
        [
            {"$int": 5},
            {"$float": "x"},
            {"$bytes": "a"},
            {"$tuple": 3},
            {"$dict": [[1]]},
            {"$enum": []},
            {"$object": ["strategies:Point"]},
            {"$datetime": "yesterday"},
            {"$decimal": "x"},
            {"$enum": ["strategies:Access", 3.5]},
            {"$set": [[]]},
        ],
    )
    def test_a_damaged_document_says_so(self, document):
        with pytest.raises(IdentityError, match="a stored value is damaged: "):
            from_jsonable({"x": [document]})


class TestSymbol:
    DOCUMENTS = (
        {"$enum": ["gone:Colour", "RED"]},
        {"$enum": ["strategies:Colour", "GREEN"]},
        {"$enum": ["gone:Access", 3]},
        {"$object": ["gone:Point", {"x": 1, "y": {"$tuple": [2]}}]},
        {"$namedtuple": ["gone:Pair", [1, 2]]},
        {"$ref": "gone:function"},
        {"$plugin": ["gone", "tensor", {"$tuple": [1]}]},
        {"$payload": ["gone:Data", "abc"]},
        {"$of-a-later-version": [1, 2]},
    )

    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_a_class_that_is_not_loaded_leaves_a_readable_symbol(self, document):
        found = from_jsonable(document)
        assert type(found) is Symbol
        assert hash(found) == hash(from_jsonable(document))
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            found.ref = "x"

    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_it_is_written_again_unchanged(self, document):
        assert to_jsonable([from_jsonable(document)]) == [document]

    @pytest.mark.parametrize("document", DOCUMENTS)
    def test_a_worker_refuses_it_by_name(self, document):
        ref = next(iter(document.values()))
        ref = ref if isinstance(ref, str) else str(ref[0])
        with pytest.raises(IdentityError, match="is not loaded in this process") as refusal:
            from_jsonable(document, strict=True)
        assert ref in str(refusal.value) or "$of-a-later-version" in str(refusal.value)

    def test_it_reads_like_the_value(self):
        texts = [str(from_jsonable(document)) for document in self.DOCUMENTS[:6]]
        assert texts[0] == "gone:Colour.RED"
        assert texts[3] == "gone:Point({'x': 1, 'y': (2,)})"
        assert texts[5] == "gone:function"

    def test_no_module_is_imported(self):
        code = (
            "import sys\n"
            "from metalab.identity.values import from_jsonable\n"
            "from_jsonable([{'$ref': 'this:s'}, {'$object': ['antigravity:X', {}]}])\n"
            "assert not {'this', 'antigravity', 'numpy'} & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    def test_only_classes_with_fields_are_rebuilt(self):
        for ref in ("builtins:dict", "strategies:Holder", "os:system"):
            assert from_jsonable({"$object": [ref, {}]}) == Symbol(ref, {})
            assert type(from_jsonable({"$enum": [ref, "x"]})) is Symbol
            assert type(from_jsonable({"$namedtuple": [ref, []]})) is Symbol

    def test_an_object_known_by_its_payload_alone_stays_a_symbol(self):
        found = from_jsonable(to_jsonable(Stranger()))
        assert found.value == ("stranger", 1)
        assert found.ref.endswith(":Stranger")

    def test_one_whose_fields_are_known_comes_back(self):
        assert through_json(Spot(Colour.RED, {1})) == Spot(Colour.RED, {1})
