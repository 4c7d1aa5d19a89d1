"""Mending: what a Parquet file forgets of a pandas frame, noted beside it and put back.

Arrow keeps most dtypes. Noted are those it does not (``object``, datetimes in seconds,
categories that are no texts), how missing objects were written, column labels that are a
range, the frequency of the index, and the attrs. The notes are tagged JSON.
"""

from __future__ import annotations

from typing import Any

from metalab.identity.values import from_jsonable, to_jsonable

__all__ = ["faults", "mended", "notes_of"]

_Notes = dict[str, Any]


def notes_of(pd: Any, frame: Any) -> _Notes:
    """Note what is to be put back into a frame that was read from Parquet."""
    columns = {
        str(place): note
        for place in range(frame.shape[1])
        if (note := _note_of(pd, frame.iloc[:, place]))
    }
    attrs = to_jsonable(frame.attrs, "attrs", exact=True)
    notes: _Notes = {"columns": columns, "attrs": attrs}
    if type(frame.columns) is pd.RangeIndex:
        labels = frame.columns
        name = to_jsonable(labels.name)
        notes["labels"] = [labels.start, labels.stop, labels.step, name]
    index = frame.index
    if not isinstance(index, pd.MultiIndex):
        timed = isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex))
        if timed and index.freq is not None:
            notes["freq"] = index.freqstr
        if str(index.dtype).startswith("datetime64[s"):
            notes["index"] = str(index.dtype)
    return notes


def _note_of(pd: Any, column: Any) -> _Notes | None:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        kinds = dtype.categories
        if kinds.dtype.kind in "iufb":
            values = to_jsonable(kinds.tolist())
            return {"categories": [values, str(kinds.dtype), bool(dtype.ordered)]}
    elif pd.api.types.is_object_dtype(dtype):
        gaps = column[column.isna()].tolist()
        note: _Notes = {"dtype": "object"}
        if gaps:
            note["gaps"] = "None" if gaps[0] is None else "NaN"
        return note
    elif str(dtype).startswith("datetime64[s"):
        return {"dtype": str(dtype)}
    return None


def mended(pd: Any, frame: Any, notes: _Notes) -> Any:
    """Put back into a frame what its notes say."""
    columns = {int(place): note for place, note in notes["columns"].items()}
    if columns:
        index, labels = frame.index, frame.columns
        series = [
            _mended_column(pd, frame.iloc[:, place], columns.get(place))
            for place in range(frame.shape[1])
        ]
        frame = pd.DataFrame(dict(enumerate(series)), index=index)
        frame.columns = labels
    if "labels" in notes:
        *ends, name = notes["labels"]
        frame.columns = pd.RangeIndex(*ends, name=from_jsonable(name))
    if "index" in notes:
        frame.index = frame.index.astype(notes["index"])
    if "freq" in notes:
        frame.index.freq = notes["freq"]
    frame.attrs = from_jsonable(notes["attrs"])
    return frame


def _mended_column(pd: Any, column: Any, note: _Notes | None) -> Any:
    if note is None:
        return column
    if "categories" in note:
        values, dtype, ordered = note["categories"]
        categories = pd.Index(from_jsonable(values), dtype=dtype)
        return column.astype(pd.CategoricalDtype(categories, ordered=ordered))
    made = column.astype(note["dtype"])
    if "gaps" in note:
        made = made.where(made.notna(), None if note["gaps"] == "None" else float("nan"))
    return made


def faults(pd: Any, frame: Any, back: Any) -> str | None:
    """Tell what differs between a frame and what came back; None where nothing does."""
    try:
        pd.testing.assert_frame_equal(
            back,
            frame,
            check_exact=True,
            check_index_type=True,
            check_column_type=True,
        )
    except (AssertionError, TypeError, ValueError) as error:  # of what pandas cannot compare
        return " ".join(str(error).split())
    for place in range(frame.shape[1]):
        column, read = frame.iloc[:, place], back.iloc[:, place]
        # pandas takes 1 and True, or None and NaN, for equal objects.
        if pd.api.types.is_object_dtype(column.dtype) and not _same_objects(column, read):
            return f"the objects of column {frame.columns[place]!r} come back as others"
    for level in range(frame.index.nlevels):
        one, other = (each.index.get_level_values(level) for each in (frame, back))
        if pd.api.types.is_object_dtype(one.dtype) and not _same_objects(one, other):
            return "the objects of the index come back as others"
    if not _same(frame.attrs, back.attrs):
        return "its attrs come back as others"
    return None


def _same_objects(one: Any, other: Any) -> bool:
    return all(map(_same, one.tolist(), other.tolist()))


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    # NaN and pandas' own gaps differ from themselves, each in its way.
    return one is other or repr(one) == repr(other)
