"""The plugin for polars: DataFrames and Series as Parquet files.

A frame is read back before it is kept, so that whatever Parquet would alter is refused.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from metalab.hookspecs import hookimpl
from metalab.serializers.soft import class_in_use, not_installed

if TYPE_CHECKING:
    from metalab.serializers.base import Serializer

__all__ = ["FrameSerializer", "SeriesSerializer"]


@attrs.frozen
class FrameSerializer:
    """A DataFrame as a Parquet file; the schema and all values come back."""

    kind: str = "frame"
    format: str = "polars/parquet"
    extension: str = "parquet"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a DataFrame, and of no subclass that would be lost."""
        return type(obj) is class_in_use("polars", "DataFrame")

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write a frame; ValueError says what Parquet would alter, TypeError refuses all else."""
        if type(obj) is class_in_use("polars", "LazyFrame"):
            raise TypeError("a LazyFrame is a plan without data: keep its .collect()")
        if not self.can_handle(obj):
            raise TypeError(f"a polars DataFrame is wanted, not {type(obj).__name__}")
        _write(_polars(), obj, file, "the frame")

    def load(self, file: BinaryIO) -> Any:
        """Read the frame; ValueError for a damaged file, MissingExtraError without polars."""
        return _read(file)


@attrs.frozen
class SeriesSerializer:
    """A Series as a Parquet file of one column."""

    kind: str = "series"
    format: str = "polars/series"
    extension: str = "parquet"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a Series, and of no subclass that would be lost."""
        return type(obj) is class_in_use("polars", "Series")

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write a series; ValueError says what Parquet would alter, TypeError refuses all else."""
        if not self.can_handle(obj):
            raise TypeError(f"a polars Series is wanted, not {type(obj).__name__}")
        _write(_polars(), obj.to_frame(), file, "the series")

    def load(self, file: BinaryIO) -> Any:
        """Read the series; raises as a frame's load does."""
        return _read(file).to_series()


def _write(pl: Any, frame: Any, file: BinaryIO, what: str) -> None:
    content = io.BytesIO()
    try:
        frame.write_parquet(content)
        content.seek(0)
        back = pl.read_parquet(content)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError) as error:
        raise ValueError(f"{what} has no Parquet form: {error}") from error
    altered = [
        f"{name!r} ({dtype} as {back.schema.get(name)})"
        for name, dtype in frame.schema.items()
        if back.schema.get(name) != dtype
    ]
    if altered or not back.equals(frame):
        raise ValueError(f"{what} would come back altered: {', '.join(altered) or 'its values'}")
    file.write(content.getbuffer())


def _read(file: BinaryIO) -> Any:
    pl = _polars()
    try:
        return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # A panic is no Exception, and would end the reader's process.
        raise ValueError(f"the Parquet file is damaged: {error}") from error


def _polars() -> Any:
    try:
        import polars as pl  # noqa: PLC0415  a soft dependency, and a slow import
    except ImportError as error:
        raise not_installed("polars frames and series", "polars", "metalab[polars]") from error
    return pl


_FRAME, _SERIES = FrameSerializer(), SeriesSerializer()


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    """Choose Parquet for a DataFrame or a Series; a LazyFrame gets the form that says why not."""
    lazy = class_in_use("polars", "LazyFrame")
    if lazy is not None and isinstance(obj, lazy):
        return _FRAME
    return next((form for form in (_FRAME, _SERIES) if form.can_handle(obj)), None)


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002  the hook's name for it
    """Return the serializer of a ``polars/...`` format."""
    return next((form for form in (_FRAME, _SERIES) if form.format == format), None)
