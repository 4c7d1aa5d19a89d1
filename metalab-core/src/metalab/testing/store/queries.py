"""Queries, whose answers are those of plain Python over the records."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from metalab.errors import QueryError
from metalab.records import RunRecord, Status
from metalab.store.query.query import Aggregate, Query
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import made, put, run_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.store.base import Store

__all__ = ["QueryTests"]

_FILTERS: dict[str, Callable[[RunRecord], bool]] = {
    "v < 2": lambda record: record.metrics.get("v", math.nan) < 2,
    "v >= 3": lambda record: record.metrics.get("v", math.nan) >= 3,
    "v = 0": lambda record: record.metrics.get("v", math.nan) == 0,
    "v = 1152921504606846977": lambda record: record.metrics.get("v") == 2**60 + 1,
    "status = failed": lambda record: record.status is Status.FAILED,
    "status = success and v > 1": lambda record: (
        record.status is Status.SUCCESS and record.metrics.get("v", math.nan) > 1
    ),
    "word = 'é' or v = 4": lambda record: (
        record.metrics["word"] == "é" or record.metrics.get("v") == 4
    ),
    "not (word = 'a')": lambda record: record.metrics["word"] != "a",
    "index < 10": lambda record: record.index < 10,
}


class QueryTests(StorePlace):
    """Queries, which every store answers alike."""

    def test_a_query_chooses_sorts_and_cuts(self, store: Store) -> None:
        records = [made(number=n, index=9 - n, metrics={"loss": float(n % 3)}) for n in range(10)]
        put(store, *records, made(Status.FAILED, number=10))
        table = store.query(Query("loss >= 1", sort="-loss", limit=4, columns="index,loss"))
        assert table.values == ((1, 2.0), (4, 2.0), (7, 2.0), (2, 1.0))
        assert store.query(Query("status = failed")).to_dict()["run_id"] == [run_id(10)]

    def test_values_that_json_lacks_are_compared_exactly(self, store: Store) -> None:
        values = [2**53 + 1, 2.0**53, math.nan, -0.0, None, 2**70, "é", (1, 2)]
        put(store, *(made(number=n, index=n, metrics={"v": v}) for n, v in enumerate(values)))
        table = store.query(Query(sort="v", columns="index"))
        assert table.to_dict() == {"index": [3, 1, 0, 5, 6, 7, 2, 4]}, (
            "the order is that of exact numbers, then texts, then others, then NaN, then None"
        )
        assert len(store.query(Query("v = 9007199254740993"))) == 1, "2**53 + 1 equals 2.0**53"

    def test_groups(self, store: Store) -> None:
        put(store, *(made(number=n, index=n, metrics={"v": n, "g": n % 2}) for n in range(4)))
        table = store.query(Query(aggregate=Aggregate(by="g", of="v"), columns="g,runs,v.mean"))
        assert table.values == ((0, 2, 1.0), (1, 2, 2.0))

    def test_a_store_without_runs_answers_with_no_row(self, store: Store) -> None:
        assert store.query(Query("loss < 1")).values == ()

    def test_only_the_current_record_of_a_run_counts(self, store: Store) -> None:
        put(store, made(Status.FAILED), made(attempt=2))
        assert len(store.query(Query("status = failed"))) == 0, "a displaced record was queried"

    @pytest.mark.parametrize("where", list(_FILTERS))
    def test_a_filter_chooses_what_plain_python_chooses(self, store: Store, where: str) -> None:
        records = _many_records()
        put(store, *records)
        chosen = [record.index for record in records if _FILTERS[where](record)]
        assert 0 < len(chosen) < len(records)  # of the kit itself
        found = store.query(Query(where, columns="index")).to_dict()
        assert found == {"index": chosen}, f"{where!r} chooses other runs"

    @pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
    def test_sorting_and_cutting_give_what_plain_python_gives(
        self, store: Store, *, descending: bool
    ) -> None:
        records = _many_records()
        put(store, *records)
        numbers = [each for each in records if not math.isnan(each.metrics.get("v", math.nan))]
        numbers.sort(key=lambda each: each.metrics["v"], reverse=descending)
        if descending:  # sorted() turns equal ones around as well
            numbers.sort(key=lambda each: -each.metrics["v"])
        nans = [each for each in records if math.isnan(each.metrics.get("v", 0.0))]
        missing = [each for each in records if "v" not in each.metrics]
        expected = [each.index for each in (*numbers, *nans, *missing)]
        for offset, limit in ((0, None), (0, 7), (5, 10), (35, 20), (0, 0)):
            query = Query(
                sort="-v" if descending else "v", limit=limit, offset=offset, columns="index"
            )
            end = None if limit is None else offset + limit
            assert store.query(query).to_dict()["index"] == expected[offset:end], (
                f"sorted by {query.sort!r} from {offset} to {end} there are others, or in another "
                "order: numbers first, then NaN, then runs without a value, equal ones by index"
            )

    def test_a_query_is_about_what_was_read_where_that_is_given(self, store: Store) -> None:
        put(store, made())
        log = store.read()
        put(store, made(number=1))
        assert len(store.query(Query(), log)) == 1, "a query of a log sees what was put after it"
        assert len(store.query(Query())) == 2, "a query of the store does not see all of it"

    def test_a_name_that_no_run_has_is_refused_by_its_name(self, store: Store) -> None:
        put(store, made(metrics={"loss": 1.0}))
        with pytest.raises(QueryError, match="lsos"):
            store.query(Query("lsos < 1"))


def _many_records() -> list[RunRecord]:
    """Return records by index, of which some have failed, and some have no number or NaN."""
    chance = random.Random(7)  # noqa: S311  the same at every run of the test
    records = []
    for number in range(40):
        value = chance.choice([math.nan, -math.inf, -0.0, 2**60 + 1, *range(5), *range(5)])
        metrics = {"v": value, "word": chance.choice(["a", "B", "é"])}
        if number % 7 == 0:
            del metrics["v"]
        status = chance.choice([Status.SUCCESS, Status.SUCCESS, Status.FAILED])
        records.append(made(status, number=number, index=number, metrics=metrics))
    return records
