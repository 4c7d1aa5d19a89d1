"""Details: what is told of one run beside its row, within a budget for all of them."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from metalab.errors import StoreError
from metalab.records import Status
from metalab.results.run import Run
from metalab.store.query.groups import as_float, is_number

if TYPE_CHECKING:
    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["details_of"]

_MOST_LOGS = 500
_MOST_CURVES = 500
_MOST_POINTS = 100_000
_TAIL = 4000
_MOST_TRACEBACKS = 2000


def details_of(reader: Reader, rows: Rows) -> dict[str, Any]:
    """Return the tracebacks, each once, the ends of the logs and the series, by places of runs.

    Series are of the first 500 runs, and of no more than 100,000 points in all. Logs are read
    of failed runs first, of at most 500 runs, the last 4,000 characters of each.
    """
    statuses = list(rows.statuses())
    failed = [place for place, status in enumerate(statuses) if status == Status.FAILED]
    told = failed[:_MOST_TRACEBACKS]
    texts: dict[str, int] = {}
    traces: list[list[int]] = []
    for place, record in zip(told, rows.records(told), strict=True):
        if record.error and (text := record.error.get("traceback")):
            traces.append([place, texts.setdefault(str(text), len(texts))])
    others = [place for place, status in enumerate(statuses) if status != Status.FAILED]
    wanted = [*failed, *others][:_MOST_LOGS]
    return {
        "texts": list(texts),
        "traces": traces,
        "logs": _logs(reader, rows, wanted),
        "logs_of": len(wanted),
        "series": _series(reader, rows),
    }


def _series(reader: Reader, rows: Rows) -> list[list[Any]]:
    """Return place, name, steps and values of each series, as far as they are finite."""
    found: list[list[Any]] = []
    left = _MOST_POINTS
    for place, run_id in enumerate(rows.ids[:_MOST_CURVES]):
        if run_id not in reader.log:
            continue
        for name, points in reader.log.series(run_id).items():
            numbers = [(s, as_float(v)) for s, v in points if is_number(v)]
            drawn = [(s, v) for s, v in numbers if isfinite(s) and isfinite(v)]
            left -= len(drawn)
            if left < 0:
                return found
            if drawn:
                found.append([place, name, [s for s, _ in drawn], [v for _, v in drawn]])
    return found


def _logs(reader: Reader, rows: Rows, places: list[int]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for place, record in zip(places, rows.records(places), strict=True):
        try:
            log = Run(record, reader.store, reader=reader).log()
        except (StoreError, OSError) as error:
            # A page without one log is better than none; the page says why it is missing.
            log = f"The log cannot be read: {error}"
        if log:
            found.append([place, log[-_TAIL:], len(log) > _TAIL])
    return found
