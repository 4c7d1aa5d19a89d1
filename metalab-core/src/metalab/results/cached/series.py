"""Series: a column's memory for a frame of pandas, which need not look at each value."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from metalab.results.cached.column import NOT_A_TIME, Coded, Moments, Numbers
from metalab.results.columns import EXACT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from metalab.results.cached.column import Column, Part

__all__ = ["series_of"]

_DTYPES = {"d": "float64", "q": "int64", "?": "bool"}
_MOMENT = "2000-01-01T00:00:00.000001Z"


def series_of(pd: Any, column: Column, listed: Callable[[list[Any]], Any]) -> Any | None:
    """Make a pandas Series of a column's parts, in their own order.

    It has the dtype that the values would have, if they were ``listed``: that is asked of the
    tables of what is coded. None where only the values themselves can tell it.
    """
    parts: Any = column.parts
    if not (column.is_whole or all(map(_is_even, parts))):
        return None
    kinds = set(map(type, parts))
    if kinds == {Numbers}:
        return _numbers(pd, parts)
    if kinds == {Moments}:
        # The unit of time is what pandas makes of a text: it depends on the version.
        dtype = pd.to_datetime([_MOMENT], format="ISO8601", utc=True).dtype
        return pd.Series(pd.to_datetime(_joined(pd, parts), unit="us", utc=True).astype(dtype))
    if kinds == {Coded}:
        return _coded(pd, parts, listed)
    return None


def _is_even(part: Part) -> bool:
    """Tell whether some of a part's values have the dtype that all have."""
    match part:
        case Numbers(gaps=gaps):
            return gaps is None
        case Moments(data=data):
            return NOT_A_TIME not in data
    return False


def _numbers(pd: Any, parts: Sequence[Numbers]) -> Any | None:
    forms = {part.data.format for part in parts}
    if len(forms) > 1:
        return None
    made = pd.Series(_joined(pd, parts), copy=False)
    (form,) = forms
    if form == "d" or all(part.gaps is None for part in parts):
        return made
    if form == "?" or not made.between(-EXACT, EXACT).all():
        return None
    gaps = memoryview(b"".join([part.gaps or bytes(len(part)) for part in parts])).cast("?")
    return made.astype("float64").mask(pd.Series(pd.array(gaps, dtype="bool"), copy=False))


def _coded(pd: Any, parts: Sequence[Coded], listed: Callable[[list[Any]], Any]) -> Any:
    if len({repr(part.table) for part in parts}) == 1:  # as segments of one sweep mostly have
        codes = b"".join([part.codes.cast("B") for part in parts])
        table = pd.Series(listed(parts[0].table))
        return table.take(memoryview(codes).cast("H")).reset_index(drop=True)
    table = pd.Series(listed([value for part in parts for value in part.table]))
    starts = accumulate((len(part.table) for part in parts), initial=0)
    numbers = [
        pd.Series(pd.array(part.codes, dtype="uint16").astype("int64") + start, copy=False)
        for part, start in zip(parts, starts, strict=False)
    ]
    return table.take(pd.concat(numbers, ignore_index=True)).reset_index(drop=True)


def _joined(pd: Any, parts: Sequence[Numbers] | Sequence[Moments]) -> Any:
    """Return the parts' memory as one array of pandas; that of a single part is not copied."""
    form: Any = parts[0].data.format
    data: Any = parts[0].data
    if len(parts) > 1:
        data = memoryview(b"".join([part.data.cast("B") for part in parts])).cast(form)
    return pd.array(data, dtype=_DTYPES[form])
