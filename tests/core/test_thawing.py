"""Contexts are made again from their manifests, and are equal to what they were."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import attrs
import pytest

from metalab.context import DirPath, FilePath, context_spec, freeze, thaw
from metalab.errors import IdentityError


class Point(NamedTuple):
    x: object
    y: object


class Colour(Enum):
    RED = 1


@dataclass
class Plain:
    name: str
    inner: object = None


@attrs.define
class Defined:
    values: list = attrs.field(factory=list)


@context_spec
class Spec:
    data: FilePath
    rest: object = None


class Sealed:
    def fingerprint_payload(self):
        return 1


def thawed(context):
    """Thaw what a store would give back: the manifest after a trip through JSON."""
    return thaw(json.loads(json.dumps(freeze(context).manifest)))


@pytest.mark.parametrize(
    "context",
    [
        None,
        {},
        {"a": [1, 2.5, float("inf")], "b": (True, b"x"), "$c": {1: {2, 3}}},
        Plain("p", Defined([Point(1, Colour.RED), frozenset({1})])),
        [{"$hash": 1}, 10**30, complex(1, 2)],
    ],
    ids=repr,
)
def test_values_come_back_equal_and_with_their_types(context):
    again = thawed(context)
    assert again == context
    assert type(again) is type(context)
    assert freeze(again).fingerprint == freeze(context).fingerprint


class TestFiles:
    @pytest.fixture
    def data(self, in_tmp):
        (in_tmp / "data").mkdir()
        for name in ("a.csv", "b.csv", "c.txt"):
            (in_tmp / "data" / name).write_text("same")
        return in_tmp / "data"

    @pytest.mark.parametrize(
        "context",
        [
            {"file": FilePath("data/a.csv"), "folder": DirPath("data")},
            [DirPath("data", "*.csv"), (FilePath("data/b.csv"),)],
            {"path": FilePath("data/a.csv", hash_path=True), "list": [FilePath("data/a.csv")]},
            Point(DirPath("data", "*", hash_path=True), FilePath("data/c.txt")),
        ],
        ids=repr,
    )
    def test_they_are_found_where_they_were(self, data, context):
        assert freeze(thawed(context)).fingerprint == freeze(context).fingerprint

    def test_relative_paths_become_absolute_in_a_spec(self, data, monkeypatch):
        spec = Spec(FilePath("data/a.csv"), {"deep": [DirPath("data", "*.csv")]})
        document = freeze(spec).manifest
        monkeypatch.chdir("/")
        again = thaw(document)
        assert again.data == FilePath(str(data / "a.csv"))
        assert str(again.rest["deep"][0]).rstrip("/") == str(data)
        assert freeze(again).fingerprint == document["fingerprint"]

    def test_of_two_files_with_one_content_the_one_that_still_has_it_is_taken(self, data):
        context = [FilePath("data/a.csv"), FilePath("data/b.csv")]
        frozen = freeze(context)
        (data / "a.csv").write_text("other")
        assert freeze(thaw(frozen.manifest)).fingerprint == frozen.fingerprint

    def test_nothing_is_read(self, data):
        frozen = freeze(FilePath("data/a.csv"))
        (data / "a.csv").unlink()
        assert thaw(frozen.manifest) == FilePath(str(data / "a.csv"))


class TestRefusal:
    @pytest.mark.parametrize(
        ("context", "said"),
        [
            ({"a": "b" * 20_000}, r"^context\['a'\] is a large str, of which the hash"),
            (Plain("p", list(range(5000))), r"^context\.inner is a large list"),
            ([Sealed()], r"^context\[0\] is a .*:Sealed, of which only what identifies it is kept"),
        ],
    )
    def test_what_is_not_kept_is_named_with_its_place(self, context, said):
        with pytest.raises(IdentityError, match=said):
            thawed(context)

    def test_a_class_that_is_not_loaded_is_named(self):
        document = {"value": {"$object": ["nowhere:Spec", {}]}, "files": {}}
        with pytest.raises(IdentityError, match=r"^context: a stored value needs nowhere:Spec"):
            thaw(document)

    def test_a_file_without_a_path_is_refused(self):
        document = {"value": {"$payload": ["metalab.context:FilePath", {"sha256": "0"}]}}
        with pytest.raises(IdentityError, match="context is a file of which no path is kept"):
            thaw({**document, "files": {}})
