"""The same questions in SQL by hand, by someone who knows what is in the columns."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from benchmarks.pg_work import METRICS, PARAMS, REPEATED, some_ids, store
from benchmarks.store_work import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Work

_ACC = "(metrics->>'acc')::float8"
_TOP = f"""
SELECT run_id, metrics->>'acc' FROM runs WHERE params @> '{{"lr": 0.1}}' AND {_ACC} > 0.9
ORDER BY {_ACC} DESC LIMIT 10
"""
_REPLICATES = f"""
SELECT params->>'group', count(*), count(*) FILTER (WHERE status = 'failed'), avg({_ACC}),
    stddev({_ACC}), min({_ACC}), max({_ACC}) FROM runs GROUP BY 1
"""


def top(work: Work) -> Callable[[], int]:
    """P1: the ten best runs of a filter."""
    return _asking(work, [(_TOP, [])] * REPEATED)


def points(work: Work) -> Callable[[], int]:
    """P1: single runs by their ids."""
    query = "SELECT run_id, metrics->>'acc' FROM runs WHERE exp = 1 AND run_id = %s"
    return _asking(work, [(query, [each]) for each in some_ids(work.runs)])


def replicates(work: Work) -> Callable[[], int]:
    """P1: a metric over the replicates of each point, without its interval."""
    return _asking(work, [(_REPLICATES, [])])


def counts(work: Work) -> Callable[[], int]:
    """P1: how many runs there are of each status."""
    return _asking(work, [("SELECT status, count(*) FROM runs GROUP BY 1", [])] * REPEATED)


def frame(work: Work) -> Callable[[], int]:
    """P1: a frame of twenty columns of all runs, whatever types are guessed."""
    import pandas as pd

    columns = [f"{s}->>'{n}'" for s, each in _SECTIONS.items() for n in each]
    copied = (
        f"COPY (SELECT {', '.join(columns)} FROM runs ORDER BY plan_index) TO STDOUT (FORMAT csv)"
    )
    opened = _ready(work)

    def phase() -> int:
        with opened.index.reading() as cursor, cursor.copy(copied) as copy:
            return len(pd.read_csv(BytesIO(b"".join(copy)), header=None))

    return phase


def resume(work: Work) -> Callable[[], int]:
    """P1: which runs are done, by the files."""
    import metalab

    files = metalab.FileStore(work.folder).scoped(EXPERIMENT)

    def phase() -> int:
        log = files.read()
        states = zip(log, log.states(log), strict=True)
        return len({run_id for run_id, state in states if state and state.status == "success"})

    return phase


_SECTIONS = {"params": PARAMS, "metrics": METRICS}


def _ready(work: Work) -> Any:
    opened = store(work.folder)
    with opened.index.reading():  # connects
        return opened


def _asking(work: Work, queries: list[tuple[str, list[str]]]) -> Callable[[], int]:
    opened = _ready(work)

    def phase() -> int:
        with opened.index.reading() as cursor:
            for each in queries:
                cursor.execute(*each).fetchall()
        return work.runs

    return phase
