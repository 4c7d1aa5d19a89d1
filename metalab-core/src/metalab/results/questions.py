"""Questions about the runs of a Results: where something holds, in which order, the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from metalab.records import Status
from metalab.results.columns import Columns
from metalab.results.lookup import missing
from metalab.store.query.expression import And, Column, Comparison
from metalab.store.query.query import Query, Sort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from metalab.results.rows import Rows
    from metalab.store.base import Store

__all__ = ["SUCCEEDED", "best", "in_order", "metric", "where"]

SUCCEEDED = Comparison(Column("status"), "=", Status.SUCCESS.value)
"""Holds of the runs whose metrics are a result."""


def where(rows: Rows, store: Store, text: str) -> Iterator[int]:
    """Yield the places of the rows for which a filter holds."""
    found = set(_ids(rows, store, Query(filter=text, columns="run_id")))
    return (place for place, run_id in enumerate(rows.ids) if run_id in found)


def in_order(rows: Rows, store: Store, by: str | Iterable[str]) -> Iterator[int]:
    """Yield the places of all rows, sorted by columns."""
    places = {run_id: place for place, run_id in enumerate(rows.ids)}
    return (places[run_id] for run_id in _ids(rows, store, Query(sort=by, columns="run_id")))


def best(rows: Rows, store: Store, name: str, mode: Literal["max", "min"]) -> int:
    """Return the place of the successful row with the largest or smallest number of a metric.

    Raises KeyError, listing the metrics there are, if no successful row has one.
    """
    if mode not in {"max", "min"}:
        raise ValueError(f"mode={mode!r}: it is 'max' or 'min'")
    column = metric(name)
    # True of every number, and of nothing else: neither of a text nor of NaN.
    is_number = Comparison(column, ">=", float("-inf"))
    query = Query(
        filter=And((SUCCEEDED, is_number)),
        sort=[Sort(column, descending=mode == "max")],
        columns="run_id",
        limit=1,
    )
    found = _ids(rows, store, query)
    if not found:
        there = rows.columns(Columns(params=False, record=False))
        raise missing("the successful runs have", "number in a metric", name, there)
    return list(rows.ids).index(found[0])


def metric(name: str) -> Column:
    """Return the column that is meant by a name where a metric is asked for.

    It is the metric of that name, whatever params are called, unless a section is named.
    """
    column = Column.of(name)
    return column if column.section else Column(name, "metrics")


def _ids(rows: Rows, store: Store, query: Query) -> list[str]:
    return [run_id for (run_id,) in rows.answer(query, store).values]
