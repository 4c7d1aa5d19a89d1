"""Arrow tables: typed columns, and the Parquet files and polars frames made of them.

pyarrow and polars are imported here alone, when a table is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from metalab.errors import MissingExtraError
from metalab.identity.values import from_jsonable, to_jsonable
from metalab.results.columns import EXACT, MOMENTS
from metalab.results.placing import placed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl
    import pyarrow as pa

__all__ = ["AS_JSON", "arrow_of", "polars_of", "write_parquet"]

AS_JSON = {b"metalab": b"json"}
"""The metadata of a column whose values no one type holds: each is tagged JSON text."""

_DIGITS = 38
# Where no run has a value the column keeps its type all the same, so that files agree.
_RECORD_TYPES = {
    **dict.fromkeys(("run_id", "experiment_id", "status", "code_hash", "error"), "string"),
    **dict.fromkeys(("replicate", "attempt", "seed"), "int64"),
    "duration_ms": "float64",
}
_TYPES = {float: "float64", bool: "bool_", str: "string"}
_PLAIN = frozenset({bool, int, float, str, type(None)})


def arrow_of(columns: Mapping[str, Sequence[Any]], wanted_by: str = "to_arrow()") -> pa.Table:
    """Make a table of columns; raises MissingExtraError, naming the caller, without pyarrow.

    Integers are int64, else uint64, else decimals of 38 digits; floats, booleans and texts are
    what they are; integers beside floats become floats where those hold them exactly. Moments
    are timestamps in UTC, to the microsecond. Values no one type holds exactly are tagged JSON
    texts, and the column's field has ``AS_JSON`` as metadata. Missing is null, NaN stays NaN.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  a soft dependency, and a slow import
    except ImportError as error:
        raise MissingExtraError(
            f"{wanted_by} needs pyarrow: pip install 'metalab[arrow]' "
            "(table() and to_csv() work without it)"
        ) from error
    made = {name: _array(pa, name, list(column)) for name, column in columns.items()}
    fields = [
        pa.field(name, array.type, metadata=AS_JSON if is_json else None)
        for name, (array, is_json) in made.items()
    ]
    return pa.table([array for array, _ in made.values()], schema=pa.schema(fields))


def polars_of(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    """Make a polars frame of the table of columns; MissingExtraError without polars or pyarrow."""
    try:
        import polars as pl  # noqa: PLC0415  as pyarrow
    except ImportError as error:
        raise MissingExtraError(
            "to_polars() needs polars: pip install 'metalab[polars]' "
            "(table() and to_csv() work without it)"
        ) from error
    made = pl.from_arrow(arrow_of(columns, "to_polars()"))
    assert isinstance(made, pl.DataFrame)  # noqa: S101  a table gives a frame, an array a Series
    return made


def write_parquet(columns: Mapping[str, Sequence[Any]], path: Path) -> Path:
    """Write columns as a Parquet file, which is there complete or not at all; return its path."""
    table = arrow_of(columns, "to_parquet()")
    import pyarrow.parquet as pq  # noqa: PLC0415  as pyarrow

    with placed(path) as aside:
        pq.write_table(table, aside)
    return path


def _array(pa: Any, name: str, column: Sequence[Any]) -> tuple[Any, bool]:
    """Return the array of a column, and whether it holds JSON."""
    if name in MOMENTS:
        return pa.array(column, pa.string()).cast(pa.timestamp("us", tz="UTC")), False
    if name == "tags":
        tags = [None if each is None else list(each) for each in column]
        return pa.array(tags, pa.list_(pa.string())), False
    kinds = set(map(type, column))
    if not kinds <= _PLAIN:
        # Numpy's scalars are what they equal, and may leave nothing else.
        column = [v if type(v) in _PLAIN else from_jsonable(to_jsonable(v, name)) for v in column]
        kinds = set(map(type, column))
    if (typed := _typed(pa, column, kinds - {type(None)}, _RECORD_TYPES.get(name))) is not None:
        return typed, False
    return pa.array(map(_json, column), pa.string()), True


def _typed(pa: Any, column: Sequence[Any], kinds: set[type], usual: str | None) -> Any:
    if not kinds:
        return pa.array(column, getattr(pa, usual)() if usual else pa.null())
    if kinds == {int}:
        return _integers(pa, column)
    if kinds == {int, float}:
        exact = all(type(value) is not int or abs(value) <= EXACT for value in column)
        return pa.array(_floats(column), pa.float64()) if exact else None
    kind = kinds.pop() if len(kinds) == 1 else object
    return pa.array(column, getattr(pa, _TYPES[kind])()) if kind in _TYPES else None


def _integers(pa: Any, column: Sequence[int | None]) -> Any:
    present = [value for value in column if value is not None]
    low, high = min(present), max(present)
    if low >= -(2**63) and high < 2**63:
        return pa.array(column, pa.int64())
    if low >= 0 and high < 2**64:
        return pa.array(column, pa.uint64())
    if max(abs(low), abs(high)) < 10**_DIGITS:
        return pa.array(column, pa.decimal128(_DIGITS, 0))
    return None


def _floats(column: Sequence[Any]) -> list[float | None]:
    return [None if value is None else float(value) for value in column]


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(to_jsonable(value)).decode()
