"""Squares as parameters and artifacts."""

from __future__ import annotations

from typing import Any, BinaryIO

from frozen_v0_1.shapes import Square
from metalab import hookimpl
from metalab.identity.canonical import CanonicalForm
from metalab.serializers import Serializer

__all__ = ["SquareSerializer"]


class SquareSerializer:
    """Writes the side of a square as a number that loses no bit."""

    kind = "shape"
    format = "frozen_v0_1/side"
    extension = "side"

    def can_handle(self, obj: object) -> bool:
        return type(obj) is Square and type(obj.side) is float

    def dump(self, obj: Any, file: BinaryIO) -> None:
        if not self.can_handle(obj):
            raise TypeError(f"a Square with a float for its side is wanted, not {obj!r}")
        file.write(obj.side.hex().encode() + b"\n")

    def load(self, file: BinaryIO) -> Square:
        text = file.read().decode()
        if not text.endswith("\n"):
            raise ValueError("the file has lost its end")
        return Square(float.fromhex(text))


_SERIALIZER = SquareSerializer()


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    return _SERIALIZER if _SERIALIZER.can_handle(obj) else None


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:
    return _SERIALIZER if format == _SERIALIZER.format else None


@hookimpl
def metalab_canonical_form(obj: object) -> CanonicalForm | None:
    return CanonicalForm("square", obj.side) if type(obj) is Square else None


@hookimpl
def metalab_revive(tag: str, payload: Any) -> object | None:
    return Square(payload) if tag == "square" else None
