"""Serializers: which one is found for an object, and what comes back."""

from __future__ import annotations

import io
import math
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from uuid import UUID

import attrs
import numpy as np
import pytest
from hypothesis import given, strategies as st

from metalab import plugins
from metalab.errors import CaptureError, IdentityError, MetalabError, PluginError
from metalab.plugins import SERIALIZERS
from metalab.serializers import Serializer, serializer_for, serializer_named


class Colour(Enum):
    RED = 1


@attrs.frozen
class Point:
    x: int
    y: float


class Payload:
    def fingerprint_payload(self):
        return {"x": 1}


class Opaque:
    pass


def written(obj, serializer=None):
    file = io.BytesIO()
    (serializer or serializer_for(obj)).dump(obj, file)
    return file.getvalue()


def through(obj):
    serializer = serializer_for(obj)
    return serializer_named(serializer.format).load(io.BytesIO(written(obj, serializer)))


@pytest.fixture
def without_numpy_plugin(monkeypatch):
    """As if metalab-numpy were not installed: its entry point is not seen."""
    found = entry_points(group="metalab.serializers")
    left = EntryPoints(entry for entry in found if entry.name != "numpy")
    monkeypatch.setattr(plugins, "entry_points", lambda: left)
    SERIALIZERS.forget()
    yield
    monkeypatch.undo()
    SERIALIZERS.forget()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a distribution with a library ``shapes`` and a serializer for it."""
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "__init__.py").write_text(
        "class Square:\n    def __init__(self, side): self.side = side\nclass Blob: pass\n"
    )
    (tmp_path / "shapes_plugin.py").write_text(
        "import metalab.hookspecs as m, shapes\n"
        "class S:\n"
        "    kind, format, extension = 'shape', 'shapes/square', 'sq'\n"
        "    def can_handle(self, obj): return isinstance(obj, shapes.Square)\n"
        "    def dump(self, obj, file): file.write(str(obj.side).encode())\n"
        "    def load(self, file): return shapes.Square(int(file.read()))\n"
        "@m.hookimpl\n"
        "def metalab_serializer_for(obj): return S() if S().can_handle(obj) else None\n"
        "@m.hookimpl\n"
        "def metalab_serializer_named(format): return S() if format == S.format else None\n"
    )
    info = tmp_path / "shapes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shapes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[metalab.serializers]\nshapes = shapes_plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    SERIALIZERS.forget()
    yield
    monkeypatch.undo()
    SERIALIZERS.forget()
    for name in ("shapes", "shapes_plugin"):
        sys.modules.pop(name, None)


EXACT = [
    None,
    True,
    0,
    -(2**63),
    2**64,
    10**400,
    1.5,
    1e16,
    1e300,
    math.inf,
    -math.inf,
    3 + 4j,
    b"in a list",
    (1, (2, "x")),
    [1, [2.0, None]],
    {"a": {"b": (b"\x00", {"$tag": 1})}},
    {1: "one", "1": "text", (1, 2): None},
    {1, 2, 3},
    frozenset({"a"}),
    datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    date(2024, 1, 2),
    timedelta(days=1, microseconds=1),
    Decimal("1.10"),
    UUID(int=7),
    Path("a/b"),
    Colour.RED,
    Point(1, 2.0),
    {"$float": "nan"},
    ["\ud800 half a pair"],
]


class TestJson:
    @pytest.mark.parametrize("value", EXACT)
    def test_comes_back_with_type_and_value(self, value):
        # In a list, so that bytes and text go through JSON too.
        ((back,),) = (through([value]),)
        assert back == value
        assert type(back) is type(value)
        assert repr(back) == repr(value)

    def test_tells_nan_and_negative_zero_from_others(self):
        nan, zero, text = through([math.nan, -0.0, "NaN"])
        assert math.isnan(nan)
        assert math.copysign(1, zero) == -1
        assert text == "NaN"

    def test_keeps_the_type_of_numpy_scalars(self):
        (back,) = through([np.float32(0.1)])
        assert type(back) is np.float32
        assert back == np.float32(0.1)

    def test_is_one_line_of_strict_json(self):
        assert written({"b": [1, 2.5], "a": (1,)}) == b'{"b":[1,2.5],"a":{"$tuple":[1]}}\n'

    def test_is_described(self):
        serializer = serializer_for({})
        assert isinstance(serializer, Serializer)
        assert (serializer.kind, serializer.format, serializer.extension) == (
            "json",
            "builtins/json",
            "json",
        )

    def test_names_the_place_of_what_it_cannot_keep(self):
        with pytest.raises(IdentityError, match=r"value\['a'\]\[1\]"):
            written({"a": [1, Opaque()]})

    def test_refuses_what_would_not_come_back(self):
        """A fingerprint payload identifies an object, but does not rebuild it."""
        with pytest.raises(IdentityError, match="does not bring it back"):
            written([Payload()])

    def test_takes_text_that_looks_like_its_own_tags(self):
        assert through(['{"$payload":', {"$payload": 1}]) == ['{"$payload":', {"$payload": 1}]

    def test_refuses_a_structure_that_contains_itself(self):
        loop = []
        loop.append(loop)
        with pytest.raises(IdentityError, match="contains itself"):
            written(loop)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
            max_leaves=10,
        ).map(lambda value: [value])
    )
    def test_any_structure_comes_back(self, value):
        assert through(value) == value


class TestText:
    @pytest.mark.parametrize("text", ["", "line\r\nline\n\rü €\U0001f600", "\x00"])
    def test_comes_back_unchanged(self, text):
        assert through(text) == text

    def test_is_a_plain_file(self):
        serializer = serializer_for("ü")
        assert (serializer.kind, serializer.extension) == ("text", "txt")
        assert written("ü") == "ü".encode()

    def test_of_many_slices_is_whole(self):
        text = "aü€\U0001f600" * 400_000
        assert through(text) == text

    def test_that_no_file_can_hold_is_refused(self):
        with pytest.raises(ValueError, match="surrogates not allowed"):
            written("\ud800")

    def test_of_a_subclass_keeps_its_class(self):
        class Name(str):
            __slots__ = ()

        with pytest.raises(CaptureError, match="nothing keeps"):
            serializer_for(Name("x"))


class TestBytes:
    def test_come_back_unchanged(self):
        assert through(b"\x00\xff") == b"\x00\xff"
        serializer = serializer_for(b"")
        assert (serializer.kind, serializer.extension) == ("bytes", "bin")

    def test_of_another_type_are_refused(self):
        """A bytearray would come back as bytes."""
        with pytest.raises(CaptureError, match="bytearray"):
            serializer_for(bytearray(b"x"))


class TestChoice:
    def test_by_kind(self):
        assert serializer_for("x", kind="json").format == "builtins/json"
        assert serializer_for("x", kind="text").format == "builtins/text"

    def test_by_format(self):
        assert serializer_for("x", format="builtins/json").kind == "json"

    def test_of_a_kind_that_does_not_take_the_object_is_refused(self):
        with pytest.raises(CaptureError, match=r"'text' takes builtins\.dict"):
            serializer_for({}, kind="text")

    def test_of_an_unknown_kind_is_refused(self):
        with pytest.raises(CaptureError, match="no serializer of kind 'picture' takes builtins"):
            serializer_for({}, kind="picture")

    def test_of_a_format_that_does_not_take_the_object_is_refused(self):
        with pytest.raises(CaptureError, match=r"'builtins/text' does not take builtins\.dict"):
            serializer_for({}, format="builtins/text")

    def test_of_a_format_of_another_kind_is_refused(self):
        with pytest.raises(CaptureError, match="of kind 'text'"):
            serializer_for({}, kind="text", format="builtins/json")

    def test_of_an_unknown_library_is_refused(self):
        with pytest.raises(PluginError, match="plugin is named 'nowhere'"):
            serializer_for({}, format="nowhere/x")

    def test_of_an_unknown_format_names_the_plugin(self):
        with pytest.raises(PluginError, match=r"builtins \(metalab-core .*\).*'builtins/xml'"):
            serializer_named("builtins/xml")

    def test_nothing_for_an_object_says_what_can_be_done(self):
        with pytest.raises(CaptureError) as caught:
            serializer_for(Opaque())
        text = str(caught.value)
        assert "Opaque" in text
        assert "capture.file" in text
        assert "Experiment(allow_pickle=True)" in text

    @pytest.mark.parametrize("obj", [len, Opaque, io], ids=["function", "class", "module"])
    def test_a_name_is_no_content(self, obj):
        with pytest.raises(CaptureError, match="nothing keeps"):
            serializer_for(obj)


class TestLibrary:
    def test_decides_before_anything_else(self, installed):
        import shapes

        square = shapes.Square(3)
        assert serializer_for(square).format == "shapes/square"
        assert through(square).side == 3
        assert serializer_for(square, kind="shape").kind == "shape"

    def test_of_a_base_class_serves_a_subclass(self, installed):
        import shapes

        class Mine(shapes.Square):
            pass

        assert serializer_for(Mine(1)).format == "shapes/square"

    def test_that_declines_leaves_the_object_to_others(self, installed):
        import shapes

        with pytest.raises(CaptureError, match="Blob"):
            serializer_for(shapes.Blob())
        assert serializer_for(shapes.Blob(), kind="pickle", allow_pickle=True).kind == "pickle"

    def test_is_not_imported_for_other_objects(self, installed):
        serializer_for({})
        assert "shapes_plugin" not in sys.modules

    def test_numpy_without_its_plugin_names_the_extra(self, without_numpy_plugin):
        with pytest.raises(CaptureError, match=r"numpy\.ndarray.*metalab\[numpy\]"):
            serializer_for(np.arange(3))

    def test_numpy_can_be_kept_as_json_without_its_plugin(self, without_numpy_plugin):
        array = np.arange(6, dtype="f4").reshape(2, 3)
        serializer = serializer_for(array, kind="json")
        back = serializer.load(io.BytesIO(written(array, serializer)))
        assert back.dtype == array.dtype
        assert (back == array).all()


class TestPickle:
    def test_is_never_found_by_itself(self):
        with pytest.raises(CaptureError, match="nothing keeps"):
            serializer_for(Opaque(), allow_pickle=True)

    def test_must_be_allowed_to_be_written(self):
        for choice in ({"kind": "pickle"}, {"format": "pickle/pickle"}):
            with pytest.raises(CaptureError, match=r"Experiment\(allow_pickle=True\)"):
                serializer_for(Opaque(), **choice)

    def test_must_be_allowed_to_be_read(self):
        with pytest.raises(MetalabError, match=r"runs code.*allow_pickle=True"):
            serializer_named("pickle/pickle")

    def test_comes_back(self):
        serializer = serializer_for({1: Opaque}, kind="pickle", allow_pickle=True)
        assert (serializer.kind, serializer.extension) == ("pickle", "pkl")
        data = io.BytesIO(written({1: Opaque}, serializer))
        assert serializer_named("pickle/pickle", allow_pickle=True).load(data) == {1: Opaque}

    def test_says_what_cannot_be_pickled(self):
        serializer = serializer_for(0, kind="pickle", allow_pickle=True)
        with pytest.raises(TypeError, match="cannot be pickled"):
            written(lambda: None, serializer)

    def test_of_an_unknown_format_is_refused(self):
        with pytest.raises(PluginError, match="pickle/other"):
            serializer_named("pickle/other", allow_pickle=True)

    def test_of_an_object_of_the_module_pickle_must_be_asked_for(self):
        import pickle

        with pytest.raises(CaptureError, match="nothing keeps"):
            serializer_for(pickle.Pickler(io.BytesIO()))
