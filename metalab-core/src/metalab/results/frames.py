"""Frames: columns as a pandas DataFrame. pandas is imported here alone, when a frame is made."""

from __future__ import annotations

from array import array
from functools import partial
from operator import countOf
from typing import TYPE_CHECKING, Any

from metalab.errors import MissingExtraError
from metalab.results.cached.column import Column
from metalab.results.cached.series import series_of
from metalab.results.columns import EXACT, MOMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

__all__ = ["frame_of"]

_DTYPES = {
    frozenset({float}): "float64",
    frozenset({float, type(None)}): "float64",
    frozenset({bool}): "bool",
}


def frame_of(columns: Mapping[str, Sequence[Any]], length: int) -> pd.DataFrame:
    """Make a frame of columns of a length; raises MissingExtraError without pandas.

    Integers and booleans keep their type where no value is missing. Moments are aware
    datetimes in UTC. Integers that floats cannot hold exactly stay Python integers.
    """
    try:
        import pandas as pd  # noqa: PLC0415  a soft dependency, and a slow import
    except ImportError as error:
        raise MissingExtraError(
            "to_dataframe() needs pandas: pip install 'metalab[pandas]' "
            "(display(), table() and to_csv() work without it)"
        ) from error
    made = {name: _series(pd, name, column) for name, column in columns.items()}
    # Without columns there would be no rows either.
    return pd.DataFrame(made, index=pd.RangeIndex(length))


def _series(pd: Any, name: str, column: Sequence[Any]) -> Any:
    if isinstance(column, Column):
        made = series_of(pd, column, partial(_series, pd, name))
        if made is not None:
            return made if column.order is None else made.take(column.order).array
        column = column.values()
    if name in MOMENTS:
        return pd.to_datetime(column, format="ISO8601", utc=True)
    kinds = _kinds(column)
    # Told the type, pandas need not look for it value by value.
    if kinds in _DTYPES:
        return pd.array(column, dtype=_DTYPES[kinds])
    if kinds == {int}:
        return _integers(pd, column)
    return pd.Series(column, dtype=object) if _would_lose_digits(column, kinds) else column


def _kinds(column: Sequence[Any]) -> frozenset[type]:
    # Counting the first value's type mostly does, and takes 0.3 us a run of ten params where
    # collecting all types takes 0.4.
    first = type(column[0]) if column else object
    if countOf(map(type, column), first) == len(column):
        return frozenset({first})
    return frozenset(map(type, column))


def _integers(pd: Any, column: Sequence[int]) -> Any:
    try:
        packed = array("q", column)
    except OverflowError:
        return column
    return pd.array(packed, dtype="int64")


def _would_lose_digits(column: Sequence[Any], kinds: frozenset[type]) -> bool:
    if int not in kinds or not kinds & {float, type(None)}:
        return False
    return any(type(value) is int and abs(value) > EXACT for value in column)
