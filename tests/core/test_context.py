"""A context is identified by what is in it, and its files by what they contain."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import pickle
import re
import shutil
import sys
from collections import namedtuple
from typing import ClassVar

import attrs
import numpy as np
import pytest

import metalab
from metalab.context import ContextSpec, Fingerprintable, FrozenContext, freeze
from metalab.errors import IdentityError
from metalab.identity.canonical import fingerprint


@metalab.context_spec
class Study:
    data: metalab.FilePath
    folds: int = 5
    labels: tuple[str, ...] = ()


@metalab.context_spec
class Other:
    data: metalab.FilePath
    folds: int = 5
    labels: tuple[str, ...] = ()


@metalab.context_spec(kw_only=True)
class Extended(Study):
    note: str = ""


@dataclasses.dataclass
class Plain:
    data: object
    n: int = 1


@attrs.frozen
class Fields:
    data: object


Pair = namedtuple("Pair", "left right")  # noqa: PYI024  both kinds are met


class Table:
    """An object that says itself what identifies it."""

    def __init__(self, rows):
        self.rows = rows
        self.asked = 0

    def fingerprint_payload(self):
        self.asked += 1
        return {"rows": self.rows}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("1,2\n")
    return path


class TestContextSpec:
    def test_it_makes_a_frozen_class_with_a_typed_constructor(self, data):
        spec = Study(metalab.FilePath(data), folds=3)
        assert (spec.folds, spec.labels) == (3, ())
        assert repr(spec).startswith("Study(data=FilePath(")
        assert spec == Study(metalab.FilePath(data), 3)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            spec.folds = 4
        with pytest.raises(TypeError, match="unexpected keyword argument 'fold'"):
            Study(metalab.FilePath(data), fold=3)

    def test_it_is_a_context_spec_with_a_fingerprint(self, data):
        spec = Study(metalab.FilePath(data))
        assert isinstance(spec, ContextSpec)
        assert len(spec.fingerprint) == 32
        assert spec.fingerprint == freeze(spec).fingerprint

    def test_distinct_specs_have_distinct_fingerprints_though_memory_is_reused(self):
        @metalab.context_spec
        class Numbered:
            n: int

        seen = set()
        for n in range(2000):
            seen.add(Numbered(n).fingerprint)
            if n % 500 == 0:
                gc.collect()
        assert len(seen) == 2000

    def test_classes_with_equal_fields_differ(self, data):
        path = metalab.FilePath(data)
        assert Study(path).fingerprint != Other(path).fingerprint

    def test_it_may_be_called_with_options_and_inherit(self, data):
        spec = Extended(data=metalab.FilePath(data), note="x")
        assert (spec.folds, spec.note) == (5, "x")
        with pytest.raises(TypeError, match="positional"):
            Extended(metalab.FilePath(data), 5, (), "x")
        assert spec.fingerprint != Extended(data=metalab.FilePath(data)).fingerprint

    def test_defaults_may_be_made_by_either_library(self):
        @metalab.context_spec
        class Defaults:
            plain: int = 1
            made: list = attrs.field(factory=lambda: [1])
            also: list = dataclasses.field(default_factory=lambda: [2])
            value: int = dataclasses.field(default=3)
            needed: int = dataclasses.field(kw_only=True)

        assert Defaults(needed=4) == Defaults(1, [1], [2], 3, needed=4)
        assert Defaults(needed=4).also is not Defaults(needed=4).also
        with pytest.raises(TypeError, match="needed"):
            Defaults()

    def test_it_is_pickled(self, data):
        spec = Study(metalab.FilePath(data))
        assert pickle.loads(pickle.dumps(spec)) == spec

    def test_a_default_that_could_be_changed_in_place_is_refused(self):
        with pytest.raises(ValueError, match=re.escape("write attrs.field(factory=lambda: [1])")):

            @metalab.context_spec
            class Shared:
                x: list = [1]  # noqa: RUF012  that is the point

    def test_class_variables_are_no_fields(self):
        @metalab.context_spec
        class Constants:
            x: int = 1
            names: ClassVar[list] = ["a"]

        assert Constants().names == ["a"]

    def test_a_field_called_fingerprint_is_refused(self):
        with pytest.raises(ValueError, match=r"Clash\.fingerprint: .*use another name"):

            @metalab.context_spec
            class Clash:
                fingerprint: str

    @pytest.mark.parametrize("cls", [Plain, Fields, Study])
    def test_what_is_decorated_already_is_refused(self, cls):
        with pytest.raises(
            TypeError, match=f"{cls.__name__} is a dataclass or attrs class already"
        ):
            metalab.context_spec(cls)

    def test_what_is_no_class_is_refused(self):
        with pytest.raises(TypeError, match="decorates a class, not 5"):
            metalab.context_spec(5)


class TestFilePath:
    def test_no_file_is_touched_when_it_is_made(self):
        path = metalab.FilePath("/no/such/file")
        assert str(path) == os.fspath(path) == "/no/such/file"
        assert isinstance(path, Fingerprintable)
        with pytest.raises(FileNotFoundError, match="file not found: /no/such/file"):
            path.fingerprint_payload()

    def test_copies_anywhere_are_equal_and_one_byte_is_not(self, data, tmp_path):
        copy = tmp_path / "elsewhere" / "renamed.csv"
        copy.parent.mkdir()
        shutil.copy(data, copy)
        os.utime(copy, (1, 1))
        here = freeze({"d": metalab.FilePath(data)}).fingerprint
        assert freeze({"d": metalab.FilePath(copy)}).fingerprint == here
        size, times = copy.stat().st_size, copy.stat()
        copy.write_text("1,3\n")
        os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert copy.stat().st_size == size
        assert freeze({"d": metalab.FilePath(copy)}).fingerprint != here

    def test_where_it_lies_counts_if_asked_for(self, data, tmp_path):
        copy = shutil.copy(data, tmp_path / "copy.csv")
        one = freeze({"d": metalab.FilePath(data, hash_path=True)})
        other = freeze({"d": metalab.FilePath(copy, hash_path=True)})
        assert one.fingerprint != other.fingerprint

    def test_home_is_found(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert str(metalab.FilePath("~/x")) == f"{tmp_path}/x"

    @pytest.mark.parametrize(
        ("path", "error"), [("", ValueError), (5, TypeError), (None, TypeError), (b"x", TypeError)]
    )
    def test_what_is_no_path_is_refused(self, path, error):
        with pytest.raises(error, match="a path is"):
            metalab.FilePath(path)

    @pytest.mark.parametrize("path", ["a\0b", "\ud800"])
    def test_what_no_file_can_be_called_is_refused_at_once(self, path):
        with pytest.raises(ValueError, match="a path that no file can have"):
            metalab.FilePath(path)

    @pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux alone")
    def test_a_file_whose_name_is_no_text_is_found(self, tmp_path):
        name = os.fsdecode(b"caf\xe9.csv")
        (tmp_path / name).write_bytes(b"1")
        frozen = freeze({"data": metalab.FilePath(tmp_path / name)})
        json.dumps(frozen.manifest).encode()
        assert frozen.files[str(tmp_path / name)].size == 1

    def test_a_folder_is_refused_with_the_field(self, tmp_path):
        with pytest.raises(IdentityError, match=re.escape("context['d']: not a regular file")):
            freeze({"d": metalab.FilePath(tmp_path)})


class TestDirPath:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "folder"
        (folder / "sub").mkdir(parents=True)
        (folder / "a.csv").write_text("1")
        (folder / "sub" / "b.csv").write_text("2")
        (folder / "c.txt").write_text("3")
        return folder

    def test_names_and_contents_count_subfolders_included(self, folder, tmp_path):
        before = freeze([metalab.DirPath(folder)]).fingerprint
        copy = shutil.copytree(folder, tmp_path / "copy")
        assert freeze([metalab.DirPath(copy)]).fingerprint == before
        (copy / "sub" / "b.csv").write_text("9")
        assert freeze([metalab.DirPath(copy)]).fingerprint != before

    def test_only_files_of_the_pattern_count(self, folder):
        before = freeze([metalab.DirPath(folder, pattern="*.csv")]).fingerprint
        (folder / "c.txt").write_text("9")
        assert freeze([metalab.DirPath(folder, pattern="*.csv")]).fingerprint == before
        assert freeze([metalab.DirPath(folder, pattern="*.txt")]).fingerprint != before

    def test_no_folder_is_touched_when_it_is_made(self):
        path = metalab.DirPath("/no/such/folder")
        assert str(path) == os.fspath(path) == "/no/such/folder"
        with pytest.raises(FileNotFoundError, match=r"context\[0\]: directory not found: "):
            freeze([path])

    def test_a_change_shows(self, folder):
        frozen = freeze(metalab.DirPath(folder, "*.csv"))
        assert list(frozen.files) == [f"{folder}/*.csv"]
        assert frozen.changed_files() == []
        (folder / "c.txt").write_text("other")
        assert frozen.changed_files() == []
        (folder / "new.csv").write_text("")
        assert frozen.changed_files() == [f"{folder}/*.csv"]
        shutil.rmtree(folder)
        assert frozen.changed_files() == [f"{folder}/*.csv"]


class TestFreeze:
    @pytest.mark.parametrize(
        "context",
        [None, {}, {"a": [1, (2, "x")]}, [1.5], Plain(None), Fields({"a": {1}}), Pair(1, 2)],
    )
    def test_plain_contexts_are_known_by_their_canonical_bytes(self, context):
        frozen = freeze(context)
        assert isinstance(frozen, FrozenContext)
        assert frozen.spec is context
        assert frozen.fingerprint == fingerprint(context)
        assert frozen.files == {}
        json.dumps(frozen.manifest, allow_nan=False)

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda path: path,
            lambda path: {"data": path},
            lambda path: {1: path},
            lambda path: {"$x": path},
            lambda path: [0, path],
            lambda path: (0, path),
            lambda path: frozenset({path}),
            lambda path: {path},
            Plain,
            Fields,
            lambda path: Pair(path, 1),
            lambda path: Pair(1, path),
            Study,
            lambda path: Plain([{"deep": Fields(path)}]),
        ],
    )
    def test_files_are_found_wherever_they_stand(self, wrap, data, tmp_path):
        frozen = freeze(wrap(metalab.FilePath(data)))
        assert list(frozen.files) == [str(data)]
        stamp = frozen.files[str(data)]
        assert (stamp.size, stamp.mtime_ns) == (4, data.stat().st_mtime_ns)
        assert stamp.sha256 == metalab.file_hash(data)
        assert stamp.sha256 in json.dumps(frozen.manifest, allow_nan=False)
        assert freeze(wrap(metalab.FilePath(data))).manifest == frozen.manifest
        data.write_text("3,4\n")
        assert freeze(wrap(metalab.FilePath(data))).fingerprint != frozen.fingerprint

    def test_no_two_shapes_share_a_fingerprint(self, data):
        path = metalab.FilePath(data)
        contexts = [
            path,
            {"data": path},
            {"path": path},
            [path],
            (path,),
            {path},
            frozenset({path}),
            [path, path],
            Plain(path),
            Plain(path, 2),
            Fields(path),
            Study(path),
            Pair(path, 1),
            Pair(1, path),
            {"data": path, "x": None},
            {"data": Table(1)},
            {"data": Table(2)},
            {"data": {"rows": 1}},
            {"data": path.fingerprint_payload()},
        ]
        assert len({freeze(context).fingerprint for context in contexts}) == len(contexts)

    def test_two_files_of_one_content_are_two_members_of_a_set(self, data, tmp_path):
        copy = shutil.copy(data, tmp_path / "copy.csv")
        one = freeze({metalab.FilePath(data)})
        both = freeze({metalab.FilePath(data), metalab.FilePath(copy)})
        assert one.fingerprint != both.fingerprint

    def test_a_missing_file_is_named_by_its_field(self):
        with pytest.raises(FileNotFoundError, match=r"^context\.data: file not found: /no$"):
            freeze(Study(metalab.FilePath("/no")))
        deep = {"parts": [Plain(metalab.FilePath("/no"))]}
        with pytest.raises(FileNotFoundError, match=re.escape("context['parts'][0].data: file")):
            freeze(deep)

    def test_an_object_that_says_what_identifies_it_is_asked_once(self):
        table = Table([1])
        frozen = freeze({"t": table})
        assert frozen.spec["t"] is table
        assert table.asked == 1
        assert frozen.fingerprint == freeze({"t": Table([1])}).fingerprint
        assert frozen.fingerprint != freeze({"t": Table([2])}).fingerprint

    @pytest.mark.parametrize(
        ("context", "text"),
        [
            ({"a": [object()]}, "context['a'][0]: "),
            (Plain({"x": object()}), "context.data['x']: "),
            (Fields(lambda: 1), "context.data: "),
            ({"t": Table(object()), "u": 1}, "context['t'].fingerprint_payload()['rows']: "),
        ],
        ids=["in a list", "in an attrs object", "a lambda", "in a payload"],
    )
    def test_a_value_without_identity_is_named(self, context, text):
        with pytest.raises(IdentityError, match=re.escape(text)):
            freeze(context)

    def test_a_value_without_identity_beside_a_file_is_named(self, data):
        with pytest.raises(IdentityError, match=re.escape("context.n: ")):
            freeze(Plain(metalab.FilePath(data), object()))

    def test_a_context_that_contains_itself_is_refused(self):
        context = {}
        context["me"] = [context]
        with pytest.raises(IdentityError, match="contains itself"):
            freeze(context)

    @pytest.mark.parametrize("cls", [Study, dict])
    def test_a_class_in_place_of_an_instance_is_refused(self, cls):
        with pytest.raises(TypeError, match=re.escape(f"did you mean {cls.__name__}(...)?")):
            freeze(cls)

    def test_a_subclass_that_is_not_decorated_is_refused_with_its_place(self):
        class Bare(Fields):
            pass

        with pytest.raises(IdentityError, match=r"context\[0\]: .*decorate it too"):
            freeze([Bare(1)])

    def test_a_named_tuple_with_attributes_beside_its_fields_is_refused(self):
        class Wide(Pair):
            pass

        wide = Wide(1, 2)
        wide.extra = 3
        with pytest.raises(IdentityError, match=r"context\[0\]: .*attributes beside its fields"):
            freeze([wide])

    def test_arrays_are_contexts(self):
        one, same, other = np.arange(3), np.arange(3), np.arange(4)
        assert freeze({"x": one}).fingerprint == freeze({"x": same}).fingerprint
        assert freeze({"x": one}).fingerprint != freeze({"x": other}).fingerprint


class TestLargeValues:
    @pytest.mark.parametrize(
        "large",
        [
            np.zeros(10_000),
            list(range(5000)),
            tuple(range(5000)),
            set(range(5000)),
            "x" * 20_000,
            b"x" * 20_000,
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_the_manifest_holds_their_fingerprint_and_not_them(self, large):
        frozen = freeze({"data": large, "n": 1})
        assert len(json.dumps(frozen.manifest, allow_nan=False)) < 500
        kind, identity = frozen.manifest["value"]["data"]["$hash"]
        assert (kind, identity) == (type(large).__name__, fingerprint(large))
        assert frozen.manifest["value"]["n"] == 1
        assert freeze({"data": large, "n": 1}).fingerprint == frozen.fingerprint
        assert freeze({"data": large, "n": 2}).fingerprint != frozen.fingerprint
        assert freeze({"data": identity, "n": 1}).fingerprint != frozen.fingerprint

    def test_one_item_of_many_counts(self):
        one, other = np.zeros(10_000), np.zeros(10_000)
        other[5000] = 1e-300
        assert freeze(one).fingerprint != freeze(other).fingerprint
        assert freeze(one).fingerprint == freeze(np.zeros(10_000)).fingerprint

    def test_a_long_list_with_files_in_it_is_walked(self, data):
        frozen = freeze([*range(5000), metalab.FilePath(data)])
        assert list(frozen.files) == [str(data)]


class TestChangedFiles:
    def test_an_unchanged_file_is_not_among_them(self, data):
        assert freeze(metalab.FilePath(data)).changed_files() == []

    def test_size_time_and_absence_show(self, data):
        frozen = freeze({"d": metalab.FilePath(data)})
        times = data.stat()
        data.write_text("longer than before")
        os.utime(data, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert frozen.changed_files() == [str(data)]
        data.write_text("1,2\n")
        os.utime(data, (1, 1))
        assert frozen.changed_files() == [str(data)]
        data.unlink()
        assert frozen.changed_files() == [str(data)]


def test_fingerprints_are_the_committed_ones(tmp_path):
    """They are part of run ids: they change with a major version alone."""
    (tmp_path / "f").write_text("content")
    path, folder = metalab.FilePath(tmp_path / "f"), metalab.DirPath(tmp_path)
    context = {"file": path, "folder": folder, "n": [1, (2.0,)]}
    assert freeze(context).fingerprint == "3d0cd0403f8cca68b7921fb34d4b0ad5"
