"""Frames from the index: ``COPY`` of the wanted columns, read by pandas' own parser.

Columns of one kind are sent as text and parsed as that kind; columns of several kinds, or of
values that JSON has no word for, are sent as JSON and become what core makes of such values.
The frame is that of ``Results.to_dataframe(columns=...)``, to the last bit and dtype.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
import msgspec
import pandas as pd
from psycopg import sql

from metalab.identity.values import from_jsonable
from metalab.results.columns import MOMENTS, RECORD_COLUMNS, value_of_column
from metalab.results.frames import frame_of
from metalab.store.query.expression import Column
from metalab_postgres.fetching import Reader
from metalab_postgres.schema import KINDS
from metalab_postgres.sources import JsonSource, NumberSource, TextSource, is_bindable, source_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Cursor

    from metalab_postgres.sources import Source

__all__ = ["frame"]

_FIELDS = "SELECT section, name, kinds FROM fields WHERE exp = %s"
_COPY = (
    "COPY (SELECT {columns} {runs} ORDER BY plan_index, run_id) TO STDOUT (FORMAT csv, NULL {null})"
)
_DERIVED = "derived_"
_VALUE = """
(SELECT CASE count(*) WHEN 1 THEN (array_agg(d.value -> {name}))[1] END FROM derived_current d
WHERE d.exp = runs.exp AND d.run_id = runs.run_id AND NOT d.stale AND d.value ? {name})
"""
_DTYPES = {
    KINDS["float"]: "float64",
    KINDS["integer"]: "Int64",
    KINDS["boolean"]: "boolean",
    KINDS["string"]: "str",
}
# Newer versions always read floats as they were written, and warn of being asked to.
_VERSION = tuple(map(int, pd.__version__.split(".")[:2]))
_EXACTLY: dict[str, Any] = {} if _VERSION >= (3, 1) else {"float_precision": "round_trip"}
_decode = msgspec.json.Decoder(list[Any]).decode


@attrs.frozen
class _Picked:
    """A column of the frame: its name, what is sent for it, and how that is parsed."""

    name: str
    sent: sql.Composable
    dtype: str

    @classmethod
    def of(cls, name: str, source: Source) -> _Picked:
        if isinstance(source, TextSource):
            value = source.value
            if name == "experiment_id":
                value = sql.SQL("coalesce({}, '')").format(value)
            return cls(name, value, "str")
        if isinstance(source, NumberSource):
            return cls(name, source.value, "float64" if name == "duration_ms" else "Int64")
        dtype = _DTYPES.get(source.kinds & ~KINDS["null"])
        if dtype is None:
            return cls(name, sql.SQL("{}::text").format(source.value), "json")
        return cls(name, sql.SQL("{} #>> '{{}}'").format(source.value), dtype)


def frame(cursor: Cursor[Any], experiment_id: str, names: Sequence[str]) -> pd.DataFrame | None:
    """Make the frame of these columns of all runs, in the order of the plan.

    ``derived_NAME`` is a kept value that is computed from a run's present record.

    ``cursor`` is one of ``PostgresIndex.reading``. None where only files can tell: if runs are
    odd, or no run has a value in one of the columns.
    """
    reader = Reader.of(cursor, experiment_id)
    sources = _sources(reader, names)
    if sources is None or reader.odd_lines() or _has_odd_derived(reader):
        return None
    picked = [_Picked.of(name, source) for name, source in sources.items()]
    parsed = _parsed(reader, picked)
    made = {each.name: _column(each, parsed[place]) for place, each in enumerate(picked)}
    if any(column is None for column in made.values()):
        return None
    return pd.DataFrame(made, index=pd.RangeIndex(len(parsed)))


def _sources(reader: Reader, names: Sequence[str]) -> dict[str, Source] | None:
    reader.cursor.execute(_FIELDS, [reader.exp])
    kinds = {(section, name): kinds for section, name, kinds in reader.cursor.fetchall()}
    found: dict[str, Source] = {}
    for name in names:
        if name in RECORD_COLUMNS:
            found[name] = source_of(Column(name), kinds)
        elif name.startswith(_DERIVED) and "." not in name:
            found[name] = _derived(name.removeprefix(_DERIVED))
        elif (place := value_of_column(name)) in kinds:
            section, key = place or ("", "")
            found[name] = source_of(Column(key, section), kinds)
        else:
            return None
    return found


def _derived(name: str) -> JsonSource:
    """Return where a derived value is: that of the one function whose values have the name."""
    if not is_bindable(name):
        return JsonSource(sql.SQL("NULL::jsonb"), 0)
    return JsonSource(sql.SQL(_VALUE).format(name=sql.Literal(name)))


def _has_odd_derived(reader: Reader) -> bool:
    query = "SELECT EXISTS (SELECT FROM derived WHERE exp = %s AND line IS NOT NULL)"
    reader.cursor.execute(query, [reader.exp])
    return bool((reader.cursor.fetchone() or (False,))[0])


def _parsed(reader: Reader, picked: Sequence[_Picked]) -> pd.DataFrame:
    # A text that is the very mark of what is missing would be taken for it.
    null = uuid4().hex
    query = sql.SQL(_COPY).format(
        columns=sql.SQL(", ").join(each.sent for each in picked),
        runs=reader.runs(sql.SQL("true")),
        null=sql.Literal(null),
    )
    with reader.cursor.copy(query) as copy:
        sent = BytesIO(b"".join(copy))
    dtypes: dict[Any, Any] = {
        place: "str" if each.dtype in {"json", "boolean"} else each.dtype
        for place, each in enumerate(picked)
    }
    if not sent.getbuffer().nbytes:
        return pd.DataFrame({place: [] for place in dtypes})
    parsed: pd.DataFrame = pd.read_csv(
        sent,
        header=None,
        names=list(dtypes),
        dtype=dtypes,
        na_values=[null],
        keep_default_na=False,
        skip_blank_lines=False,  # of one column an empty text is one
        **_EXACTLY,
    )
    return parsed


def _column(picked: _Picked, parsed: pd.Series[Any]) -> Any:
    """Return what the frame has of a column; None if no run has a value there."""
    missing = parsed.isna()
    if len(parsed) and missing.all():
        return None
    if len(parsed) and picked.name not in MOMENTS:
        if picked.dtype == "float64" or (picked.dtype == "str" and not missing.any()):
            return parsed
        if picked.dtype == "Int64" and not missing.any():
            return parsed.astype("int64")
    return frame_of({picked.name: _listed(picked, parsed)}, len(parsed))[picked.name]


def _listed(picked: _Picked, parsed: pd.Series[Any]) -> list[Any]:
    """Return the values of a column as Python's."""
    if picked.dtype == "boolean":
        return [_TRUTHS.get(each) for each in parsed]
    if picked.dtype != "json":
        return parsed.astype(object).where(parsed.notna(), None).to_list()
    found = _decode("[" + ",".join(parsed.fillna("null")) + "]")
    if picked.name == "tags":
        return [tuple(each or ()) for each in found]
    return [from_jsonable(each) if isinstance(each, dict | list) else each for each in found]


_TRUTHS = {"true": True, "false": False}
