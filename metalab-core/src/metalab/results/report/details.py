"""Details: what is told of one run beside its row, within a budget for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.errors import StoreError
from metalab.records import Status
from metalab.results.run import Run

if TYPE_CHECKING:
    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["details_of"]

_MOST_LOGS = 500
_TAIL = 4000
_MOST_TRACEBACKS = 2000


def details_of(reader: Reader, rows: Rows) -> dict[str, Any]:
    """Return the tracebacks, each once, and the ends of the logs, by the places of runs.

    Logs are read of failed runs first, of at most 500 runs, the last 4,000 characters of each.
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
    }


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
