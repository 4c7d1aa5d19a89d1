"""Questions about runs to the PostgreSQL index, as metalab asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.pg_work import COLUMNS, REPEATED, records, some_ids, store
from benchmarks.store_work import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.work import Work
    from metalab.store import Query


def index(work: Work) -> Callable[[], int]:
    """Write the runs to files, and index them."""
    import psycopg

    opened = store(work.folder)
    opened.make()
    with opened.writer("launch") as writer:
        for record in records(work.runs):
            writer.put(record)

    def phase() -> int:
        done = opened.index.update()
        with psycopg.connect(str(opened.index.config.dsn), autocommit=True) as connection:
            connection.execute(f"vacuum analyze {opened.index.config.schema}.runs")
        return min(done, work.runs)

    return phase


def top(work: Work) -> Callable[[], int]:
    """P1: the ten best runs of a filter."""
    from metalab.store import Query

    query = Query("lr = 0.1 and acc > 0.9", "-acc", 10, columns="run_id, acc")
    return _asking(work, [query] * REPEATED)


def points(work: Work) -> Callable[[], int]:
    """P1: single runs by their ids."""
    from metalab.store import Query

    return _asking(
        work, [Query(f"run_id = '{each}'", columns="run_id, acc") for each in some_ids(work.runs)]
    )


def replicates(work: Work) -> Callable[[], int]:
    """P1: a metric over the replicates of each point, with its interval."""
    from metalab.store import Aggregate, Query

    return _asking(work, [Query(aggregate=Aggregate("group", "acc"))])


def counts(work: Work) -> Callable[[], int]:
    """P1: how many runs there are of each status."""
    from metalab_postgres.lookups import status_counts

    def phase() -> int:
        with opened.index.reading() as cursor:
            for _ in range(REPEATED):
                found = status_counts(cursor, EXPERIMENT)
        return sum(found.values())

    opened = _ready(work)
    return phase


def frame(work: Work) -> Callable[[], int]:
    """P1: a frame of twenty columns of all runs."""
    from metalab_postgres import frames

    def phase() -> int:
        with opened.index.reading() as cursor:
            made: Any = frames.frame(cursor, EXPERIMENT, COLUMNS)
        return len(made)

    opened = _ready(work)
    return phase


def resume(work: Work) -> Callable[[], int]:
    """P1: which runs are done."""
    from metalab_postgres.lookups import ids_done

    def phase() -> int:
        with opened.index.reading() as cursor:
            return len(ids_done(cursor, EXPERIMENT))

    opened = _ready(work)
    return phase


def _ready(work: Work) -> Any:
    opened = store(work.folder)
    with opened.index.reading():  # connects
        return opened


def _asking(work: Work, queries: Sequence[Query]) -> Callable[[], int]:
    from metalab_postgres.answers import answer

    opened = _ready(work)

    def phase() -> int:
        with opened.index.reading() as cursor:
            for query in queries:
                answer(cursor, EXPERIMENT, query)
        return work.runs

    return phase
