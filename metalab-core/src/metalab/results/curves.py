"""Curves: a metric captured with steps, of many runs, as one table with a row for each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.results.columns import Columns
from metalab.results.lookup import missing

if TYPE_CHECKING:
    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["curves"]

_KEPT = ("run_id", "status", "replicate")


def curves(reader: Reader, rows: Rows, name: str) -> dict[str, list[Any]]:
    """Make columns of what runs have captured under a name: run_id, status, replicate, the
    params as ``param_<name>``, ``step`` and ``value``.

    Runs stand in order, steps as they were captured. Raises KeyError, listing the series there
    are, if there are runs and none has such a series.
    """
    given = rows.columns(Columns(metrics=False))
    kept = [each for each in given if each in _KEPT or each.startswith("param_")]
    made: dict[str, list[Any]] = {each: [] for each in (*kept, "step", "value")}
    there: dict[str, None] = {}
    for place, run_id in enumerate(rows.ids):
        series = reader.log.series(run_id)
        there |= dict.fromkeys(series)
        points = series.get(name, ())
        for each in kept:
            made[each] += [given[each][place]] * len(points)
        made["step"] += [step for step, _ in points]
        made["value"] += [value for _, value in points]
    if len(rows) and name not in there:
        raise missing("these runs have", "series", name, there)
    return made
