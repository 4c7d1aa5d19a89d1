"""Sources come back from their manifests: the same cases, of the same types, in the same order."""

from __future__ import annotations

import json
import re

import attrs
import numpy as np
import pytest
from hypothesis import given, strategies as st

import metalab
from metalab.errors import PluginError
from metalab.params import (
    choice,
    from_frame,
    grid,
    loguniform,
    loguniform_int,
    manual,
    randint,
    random,
    source_from_manifest,
    uniform,
    with_resolver,
    zip_,
)

SPACE = {
    "a": uniform(0, 1e300),
    "b": loguniform(1e-300, 1),
    "c": loguniform_int(1, 10**100),
    "d": randint(-(10**30), 10**30),
    "e": choice([1, "x", (1, 2), None, float("nan"), metalab.FilePath(__file__)]),
}


def positive(params):
    return params.get("x", 0) > 0


def squared(meta, params):
    return {**params, "square": params["x"] ** meta}


@attrs.frozen
class Dice:
    sides: int

    def sample(self, rng):
        return rng.randint(1, self.sides)


@attrs.frozen
class Adding:
    amount: int

    def resolve(self, context_meta, params):
        return {**params, "sum": params["x"] + self.amount}


class Opaque:
    def sample(self, rng):
        return rng.random()

    def __repr__(self):
        return "<opaque>"


REBUILDABLE = {
    "GridSource": grid(x=[1, 1.0, (1,), b"1", 2**80, float("inf")], **{"$y": [None]}),
    "RandomSource": random(SPACE, 5, 2**70),
    "ManualSource": manual([{"x": 1}, {"$tuple": {1: 2}}], tags=["a", ["b", "c"]]),
    "ConcatSource": grid(x=[1]) + manual([{"y": 1}]),
    "ProductSource": grid(x=[1, 2]) * grid(y=[1]) * grid(z=[3]),
    "ZipSource": zip_(x=[1, 2], y=[3, 4]),
    "FilteredSource": grid(x=[-1, 0, 1]).filter(positive),
    "SelectedSource": grid(x=range(10))[7:1:-2],
    "ResolvedSource": with_resolver(grid(x=[1, 2]), squared, 2),
    "frame": from_frame({"x": [1, 2]}),
    "custom": random({"d": Dice(6)}, 5, 0),
    "object resolver": with_resolver(grid(x=[1, 2]), Adding(3), {"seen": (1,)}),
}


@pytest.mark.parametrize("name", REBUILDABLE)
def test_every_kind_comes_back_with_its_order_ids_tags_and_types(name):
    source = REBUILDABLE[name]
    document = json.loads(json.dumps(source.to_manifest_dict(), allow_nan=False))
    assert document.get("rebuildable", True)
    if name.endswith("Source"):
        assert document["type"] == name == type(source).__name__
    again = source_from_manifest(document)
    assert type(again) is type(source)
    assert list(again) == list(source)
    assert [repr(case) for case in again] == [repr(case) for case in source]
    assert again.to_manifest_dict() == source.to_manifest_dict()


@given(
    st.dictionaries(
        st.text(max_size=3), st.lists(st.integers() | st.floats(), min_size=1), max_size=3
    )
)
def test_any_grid_comes_back(axes):
    source = grid(**axes)
    document = json.loads(json.dumps(source.to_manifest_dict(), allow_nan=False))
    assert list(source_from_manifest(document)) == list(source)


def test_numpy_scalars_and_arrays_come_back_as_such():
    source = grid(x=[np.float32(0.1), np.arange(3)])
    document = json.loads(json.dumps(source.to_manifest_dict()))
    first, second = source_from_manifest(document)
    assert type(first.params["x"]) is np.float32
    assert second.params["x"].tolist() == [0, 1, 2]
    assert [first, second] == list(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (grid(x=[1]).filter(lambda p: p["x"]), "<function <lambda>"),
        (with_resolver(grid(x=[1]), lambda _, p: p), "<function <lambda>"),
        (random({"x": Opaque()}, 1, 0), "<opaque>"),
        (random({"x": choice([Opaque()])}, 1, 0), "<opaque>"),
        (grid(x=[Opaque()]), "<opaque>"),
        (manual([{"x": Opaque()}]), "<opaque>"),
        (with_resolver(grid(x=[1]), Adding(1), Opaque()), "<opaque>"),
        (grid(y=[1]) * random({"x": Opaque()}, 1, 0), "<opaque>"),
        (random({"x": Opaque()}, 2, 0)[:1], "<opaque>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_description_is_shown_and_said_to_be_no_way_back(source, text):
    document = json.loads(json.dumps(source.to_manifest_dict()))
    assert document["rebuildable"] is False
    assert text in json.dumps(document)
    with pytest.raises(ValueError, match=r"cannot be rebuilt: .*by the code that made it"):
        source_from_manifest(document)


class TestRefusals:
    def test_a_function_that_is_not_loaded_is_named_and_not_imported(self):
        document = {**REBUILDABLE["FilteredSource"].to_manifest_dict(), "filter": "this:s"}
        with pytest.raises(ValueError, match=re.escape("this:s is not loaded in this process")):
            source_from_manifest(document)

    def test_a_class_that_is_not_loaded_is_named(self):
        document = {
            **REBUILDABLE["custom"].to_manifest_dict(),
            "space": {"d": {"$object": ["elsewhere:Dice", {"sides": 6}]}},
        }
        with pytest.raises(ValueError, match=r"the RandomSource cannot be rebuilt.*elsewhere:Dice"):
            source_from_manifest(document)

    def test_an_unknown_kind_says_what_is_installed(self):
        with pytest.raises(PluginError, match=r"no metalab.param_sources plugin is named 'sobol'"):
            source_from_manifest({"type": "sobol"})

    def test_no_kind_at_all_is_refused(self):
        with pytest.raises(ValueError, match="names no kind"):
            source_from_manifest({})

    def test_what_is_no_dict_is_refused(self):
        with pytest.raises(TypeError, match="the manifest of a param source is a dict, not None"):
            source_from_manifest(None)

    def test_a_plugin_that_declines_is_blamed(self, monkeypatch):
        monkeypatch.setitem(metalab.params.plugin._BUILDERS, "grid", lambda _: None)
        with pytest.raises(PluginError, match=r"grid \(metalab-core .*does not rebuild"):
            source_from_manifest(grid(x=[1]).to_manifest_dict())
