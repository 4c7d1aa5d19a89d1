"""Hostile things: objects that answer no question, and files that would like to run code."""

from __future__ import annotations

import io
import math
import os
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["files_that_run_code", "plain_objects", "rude_objects"]


class _Silent:
    """Refuses every question about itself but that for its type."""

    def _refuse(self, *_: object) -> Never:
        raise RuntimeError("this object was asked something that can_handle need not know")

    __eq__ = __len__ = __bool__ = __iter__ = __getattr__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class _Text(str):
    """A string of a subclass, which would come back as a plain one."""

    __slots__ = ()


class _Mapping(dict[Any, Any]):
    """A dict of a subclass."""


def plain_objects() -> list[Any]:
    """Return objects of Python's own types: those at the edges of what files can hold."""
    return [
        *(None, True, 0, -1, 2**64, 0.0, -0.0, math.inf, math.nan, 1e16, 3 - 4j),
        *("", "text\r\n", "\x00", "\ud800", b"", b"\x00\xff", bytearray(b"x"), range(3)),
        *([], [1, 2.0, "x"], (1, (2,)), {}, {"a": [None]}, {1: "one", "1": "text"}, {1, 2}),
        *([math.nan, -0.0], {"$tuple": [1]}, frozenset({"a"}), [b"\x00"], Path("a/b")),
        *(_Text("text"), _Mapping(a=1), object(), len, int, Path, math),
    ]


def rude_objects() -> list[Any]:
    """Return objects that raise RuntimeError when they are asked most things."""
    return [_Silent(), [_Silent()], {"key": _Silent()}, (_Silent(),)]


class _Touch:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Any, ...]]:
        return os.mkdir, (self._path,)


def files_that_run_code(path: Path) -> dict[str, bytes]:
    """Return files, by what they look like, that make a folder at ``path`` if code in them runs."""
    plain = pickle.dumps(_Touch(str(path)), protocol=2)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (64 - (10 + len(header) + 1) % 64) + b"\n"
    npy = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + plain
    return {
        "a pickle": plain,
        "an npy file that holds objects": npy,
        "an npz file that holds objects": _zipped({"arr_0.npy": npy}),
        "a zip file of a pickle": _zipped({"archive/data.pkl": plain, "archive/version": b"3\n"}),
    }


def _zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()
