"""Bands: what a series is on average over the replicates of a setting, step by step."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from metalab.records import Status
from metalab.store.query.groups import as_float, is_number
from metalab.store.query.interval import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["bands_of"]

_MOST_RUNS = 2000
_MOST_SETTINGS = 16
_MOST_STEPS = 400


def bands_of(
    reader: Reader, rows: Rows, settings: Sequence[str], places: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """Return for each series the steps, means and interval ends of each setting.

    Of more than 2,000 runs or 16 settings none are drawn, which ``left_out`` says. Of more
    than 400 steps every so many is taken. A mean is over the runs that have a number there.
    """
    if len(rows) > _MOST_RUNS or len(settings) > _MOST_SETTINGS:
        why = f"Series are not drawn: more than {_MOST_RUNS:,} runs or {_MOST_SETTINGS} settings."
        return {"left_out": why, "series": []}
    statuses = list(rows.statuses())
    found: dict[str, dict[int, dict[float, list[float]]]] = {}
    for number, own in enumerate(places):
        for place in own:
            if statuses[place] != Status.SUCCESS or rows.ids[place] not in reader.log:
                continue
            for name, points in reader.log.series(rows.ids[place]).items():
                lines = found.setdefault(name, {})
                line = lines.setdefault(number, defaultdict(list))
                for step, value in points:
                    if is_number(value):
                        line[step].append(as_float(value))
    series = [
        {"name": name, "lines": [[settings[n], *_band(line)] for n, line in lines.items()]}
        for name, lines in found.items()
    ]
    return {"left_out": None, "series": series}


def _band(line: dict[float, list[float]]) -> tuple[list[Any], ...]:
    steps = sorted(line)
    steps = steps[:: max(1, -(-len(steps) // _MOST_STEPS))]
    told = [Sample.of(line[step]) for step in steps]
    ends = [[s.mean, s.low, s.high] for s in told]
    finite = [
        (step, *each) for step, each in zip(steps, ends, strict=True) if _is_finite([step, *each])
    ]
    return tuple([row[i] for row in finite] for i in range(4))


def _is_finite(numbers: list[float | None]) -> bool:
    return all(number is None or abs(number) < float("inf") for number in numbers)
