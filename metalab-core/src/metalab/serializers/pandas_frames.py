"""The plugin for pandas: DataFrames and Series as Parquet files.

A frame is read back before it is kept, so that whatever Parquet would alter is refused.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs
import msgspec

from metalab.hookspecs import hookimpl
from metalab.serializers.mending import faults, mended, notes_of
from metalab.serializers.soft import class_in_use, not_installed

if TYPE_CHECKING:
    from metalab.serializers.base import Serializer

__all__ = ["FrameSerializer", "SeriesSerializer"]

_NOTES = b"metalab"
_ADVICE = "convert it, or keep it as a file with capture.file"


@attrs.frozen
class FrameSerializer:
    """A DataFrame as a Parquet file: values, dtypes, index, labels and attrs come back."""

    kind: str = "frame"
    format: str = "pandas/parquet"
    extension: str = "parquet"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a DataFrame, and of no subclass that would be lost."""
        return type(obj) is class_in_use("pandas", "DataFrame")

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write a frame; ValueError says what Parquet would alter, TypeError refuses all else."""
        if not self.can_handle(obj):
            raise TypeError(f"a pandas DataFrame is wanted, not {type(obj).__name__}")
        _write(obj, file, "the frame")

    def load(self, file: BinaryIO) -> Any:
        """Read the frame; MissingExtraError without pandas and pyarrow."""
        return _read(file)


@attrs.frozen
class SeriesSerializer:
    """A Series as a Parquet file of one column."""

    kind: str = "series"
    format: str = "pandas/series"
    extension: str = "parquet"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a Series, and of no subclass that would be lost."""
        return type(obj) is class_in_use("pandas", "Series")

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write a series; ValueError says what Parquet would alter, TypeError refuses all else."""
        if not self.can_handle(obj):
            raise TypeError(f"a pandas Series is wanted, not {type(obj).__name__}")
        if not (obj.name is None or type(obj.name) in {str, int}):
            raise ValueError(f"the series' name is {obj.name!r}; a str or int comes back")
        # As a frame's label a name would have to be a text.
        frame = obj.to_frame(name="values")
        frame.attrs = obj.attrs
        _write(frame, file, "the series", name=obj.name)

    def load(self, file: BinaryIO) -> Any:
        """Read the series; MissingExtraError without pandas and pyarrow."""
        frame = _read(file)
        series = frame["values"]
        file.seek(0)
        series.name = _notes(_parquet().read_schema(file)).get("name")
        series.attrs = frame.attrs
        return series


def _write(frame: Any, file: BinaryIO, what: str, name: str | int | None = None) -> None:
    pd, pq = _pandas(), _parquet()
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{what} has several columns {twice!r}, and Parquet one of a name")
    import pyarrow as pa  # noqa: PLC0415  a soft dependency

    plain = frame.copy(deep=False)
    plain.attrs = {}  # of which pyarrow would keep less than the notes do
    try:
        # Without threads the same frame gives the same bytes.
        table = pa.Table.from_pandas(plain, nthreads=1)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ValueError(f"{what} has no Parquet form: {_plain(error)}; {_ADVICE}") from error
    notes = msgspec.json.encode({**notes_of(pd, frame), "name": name})
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _NOTES: notes})
    content = io.BytesIO()
    try:
        pq.write_table(table, content)
        back = _read(content)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ValueError(f"{what} does not come back: {_plain(error)}; {_ADVICE}") from error
    if fault := faults(pd, frame, back):
        raise ValueError(f"{what} would come back altered: {fault}; {_ADVICE}")
    file.write(content.getbuffer())


def _read(file: BinaryIO) -> Any:
    pd, pq = _pandas(), _parquet()
    file.seek(0)
    table = pq.read_table(file, use_threads=False)
    return mended(pd, table.to_pandas(), _notes(table.schema))


def _notes(schema: Any) -> dict[str, Any]:
    notes = (schema.metadata or {}).get(_NOTES)
    if notes is None:
        raise ValueError("the Parquet file was not written by metalab: its notes are missing")
    return msgspec.json.decode(notes, type=dict[str, Any])


def _plain(error: BaseException) -> str:
    return "; ".join(map(str, error.args)) or type(error).__name__


def _pandas() -> Any:
    try:
        import pandas as pd  # noqa: PLC0415  a soft dependency, and a slow import
    except ImportError as error:
        raise not_installed(
            "pandas frames and series", "pandas", "metalab[pandas,arrow]"
        ) from error
    return pd


def _parquet() -> Any:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415  as pandas
    except ImportError as error:
        raise not_installed("pandas frames and series", "pyarrow", "metalab[arrow]") from error
    return pq


_FORMS = (FrameSerializer(), SeriesSerializer())


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    """Choose Parquet for a DataFrame or a Series; subclasses and scalars are declined."""
    return next((form for form in _FORMS if form.can_handle(obj)), None)


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002  the hook's name for it
    """Return the serializer of a ``pandas/...`` format."""
    return next((form for form in _FORMS if form.format == format), None)
