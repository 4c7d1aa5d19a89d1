"""Contents: all that a report tells, as plain JSON with columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from metalab.records import Status
from metalab.results.columns import RECORD_COLUMNS, Columns
from metalab.results.report.bands import bands_of
from metalab.results.report.details import details_of
from metalab.results.report.embedding import packed
from metalab.results.report.headline import headlines, metrics_of, places_of, settings_of
from metalab.results.report.pictures import artifacts_of, pictures_of
from metalab.results.report.question import question_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metalab.results.reader import Reader
    from metalab.results.report.headline import Mode
    from metalab.results.rows import Rows

__all__ = ["causes", "contents_of"]

_FIRST = ("run_id", "status", "replicate")
_LEFT_OUT = {"experiment_id", "finished_at"}  # the question tells one, start and duration the other
_MOST_GROUPS = 2000
_CUT = {"n", "sd", "min", "max"}
_DIGITS = 8


def contents_of(
    reader: Reader,
    rows: Rows,
    groups: Mapping[str, Sequence[Any]],
    doubts: Sequence[str],
    metric: str | None = None,
    mode: Mode | None = None,
) -> dict[str, Any]:
    """Return what the page of runs and their groups tells; raises KeyError for another metric."""
    columns = rows.columns(Columns())
    settings, places = settings_of(groups), places_of(columns, groups)
    return {
        "artifacts": packed({"artifacts": artifacts_of(rows)}),
        "bands": bands_of(reader, rows, settings, places),
        "by": list(groups)[: list(groups).index("runs")],
        "counts": list(map(list, Counter(columns["status"]).items())),
        "details": details_of(reader, rows),
        "doubts": list(doubts),
        "failures": packed(causes(columns)),
        "groups_are_cut": len(groups["runs"]) > _MOST_GROUPS,
        "groups": packed(_fewer(groups)),
        "headlines": headlines(columns, groups, metric, mode),
        "pictures": pictures_of(reader, rows),
        "question": question_of(reader, rows, columns),
        "runs": packed(_in_order(columns)),
        "runs_in_all": len(rows),
    }


def causes(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Count the failed runs by their error, the most frequent first; and name one of each."""
    counts: Counter[str] = Counter()
    example: dict[str, str] = {}
    for run_id, status, error in zip(
        columns["run_id"], columns["status"], columns["error"], strict=True
    ):
        if status == Status.FAILED:
            cause = error or "unknown"
            counts[cause] += 1
            example.setdefault(cause, run_id)
    found = [cause for cause, _ in counts.most_common()]
    return {
        "cause": found,
        "runs": [counts[each] for each in found],
        "example": [example[each] for each in found],
    }


def _fewer(groups: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Leave of very many groups the means, and their intervals to eight digits."""
    if len(groups["runs"]) <= _MOST_GROUPS:
        return dict(groups)
    left = dict(groups)
    for name in metrics_of(groups):
        for what in _CUT:
            del left[f"{name}.{what}"]
        for what in ("low", "high"):
            ends = groups[f"{name}.{what}"]
            left[f"{name}.{what}"] = [v and float(f"{v:.{_DIGITS}g}") for v in ends]
    return left


def _in_order(columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Put what a run was given and made before what else its record says."""
    record = [n for n in RECORD_COLUMNS if n in columns and n not in _LEFT_OUT.union(_FIRST)]
    own = [name for name in columns if name not in RECORD_COLUMNS]
    return {name: columns[name] for name in (*_FIRST, *own, *record)}
