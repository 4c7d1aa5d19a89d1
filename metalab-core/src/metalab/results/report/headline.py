"""The headline: which setting is ahead by a metric, by how much, and how sure that is."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import attrs

from metalab.records import Status
from metalab.results.cells import spelled
from metalab.results.columns import metric_column
from metalab.results.lookup import missing
from metalab.store.query.expression import Column
from metalab.store.query.groups import TOLD, as_float, is_number
from metalab.store.query.interval import Sample
from metalab.store.query.order import sort_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Mode", "headlines", "metrics_of", "places_of", "settings_of"]

Mode = Literal["max", "min"]
_FEW = 3
_LONGEST = 60
_WORDS = {"max": "Higher", "min": "Lower"}


def metrics_of(groups: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the metrics of groups, as ``aggregate`` makes them."""
    names = list(groups)
    first = names.index("failed") + 1
    return [name.removesuffix(f".{TOLD[0]}") for name in names[first :: len(TOLD)]]


def settings_of(groups: Mapping[str, Sequence[Any]]) -> list[str]:
    """Name each group by the params in which groups differ."""
    given = {name: groups[name] for name in list(groups)[: list(groups).index("runs")]}
    told = {n: column for n, column in given.items() if len(set(map(sort_key, column))) > 1}
    rows = zip(*told.values(), strict=True) if told else iter([()] * len(groups["runs"]))
    return [", ".join(f"{n}={_short(v)}" for n, v in zip(told, row, strict=True)) for row in rows]


def headlines(
    columns: Mapping[str, Sequence[Any]],
    groups: Mapping[str, Sequence[Any]],
    metric: str | None,
    mode: Mode | None,
) -> list[dict[str, Any]]:
    """Say of each metric which setting is ahead: of the one that was asked for first.

    An entry has ``metric``, ``mode`` and ``text``, a list of sentences. Without a mode there
    is one for either, and more is assumed to be better. Raises KeyError where no successful run
    has a number of the metric; ValueError for another mode.
    """
    if mode not in {None, "max", "min"}:
        raise ValueError(f"mode={mode!r}: it is 'max' or 'min'")
    names = metrics_of(groups)
    if metric is not None:
        if metric not in names:
            raise missing("the successful runs have", "number in a metric", metric, names)
        names.sort(key=lambda name: name != metric)
    modes: list[Mode] = ["max", "min"] if mode is None else [mode]
    race = _Race(settings_of(groups), groups, columns, places_of(columns, groups))
    return [
        {"metric": name, "mode": each, "text": [*race.told(name, each), _taken(each, mode)]}
        for name in names
        for each in modes
    ]


def _taken(shown: Mode, given: Mode | None) -> str:
    if given is not None:
        return f"{_WORDS[shown]} is better, as whoever made this page said."
    return f"{_WORDS[shown]} is taken to be better: nobody said which, so this is an assumption."


def places_of(
    columns: Mapping[str, Sequence[Any]], groups: Mapping[str, Sequence[Any]]
) -> list[list[int]]:
    """Return where the successful runs of each group stand."""
    by = list(groups)[: list(groups).index("runs")]
    successes = [i for i, status in enumerate(columns["status"]) if status == Status.SUCCESS]
    if not by:
        return [successes] * len(groups["runs"])
    keys = zip(*([sort_key(value) for value in groups[name]] for name in by), strict=True)
    numbers = {key: number for number, key in enumerate(keys)}
    found: list[list[int]] = [[] for _ in groups["runs"]]
    given = [columns[_column(name, columns)] for name in by]
    for place in successes:
        found[numbers[tuple(sort_key(column[place]) for column in given)]].append(place)
    return found


def _column(name: str, columns: Mapping[str, Sequence[Any]]) -> str:
    """Return the column of a param by which runs are grouped: some are named with a section."""
    if f"param_{name}" in columns:
        return f"param_{name}"
    params = (each.removeprefix("param_") for each in columns if each.startswith("param_"))
    return next(f"param_{each}" for each in params if str(Column(each, "params")) == name)


@attrs.frozen
class _Race:
    """Settings with their runs."""

    names: Sequence[str]
    groups: Mapping[str, Sequence[Any]]
    columns: Mapping[str, Sequence[Any]]
    places: Sequence[Sequence[int]]

    def told(self, metric: str, mode: Mode) -> Iterator[str]:
        """Say which setting is ahead by a metric."""
        means = self.groups[f"{metric}.mean"]
        counted = [place for place, mean in enumerate(means) if mean is not None]
        counted.sort(key=lambda place: means[place], reverse=mode == "max")
        if len(self.names) == 1:
            yield f"There is one setting. Its {metric} is {self._mean(metric, counted[0])}."
            return
        first = counted[0]
        if len(counted) == 1:
            yield f"Only {self.names[first]} has numbers: {self._mean(metric, first)}."
            return
        yield f"{self.names[first]} is ahead by {metric}: {self._mean(metric, first)}."
        yield f"The next is {self.names[counted[1]]}: {self._mean(metric, counted[1])}."
        yield from self._lead(metric, first, counted[1])
        if len(counted) >= _FEW:
            yield (
                f"The first of {len(counted):,} settings is partly luck: its lead is rather too "
                "large than too small."
            )

    def _mean(self, metric: str, place: int) -> str:
        n, low, high = (self.groups[f"{metric}.{what}"][place] for what in ("n", "low", "high"))
        mean = _short(self.groups[f"{metric}.mean"][place])
        if low is None:
            return f"{mean} ({n:,} run{'s' * (n != 1)}, too few for an interval)"
        return f"{mean} (95 % interval {_short(low)} to {_short(high)}, over {n:,} runs)"

    def _lead(self, metric: str, first: int, second: int) -> Iterator[str]:
        sides = [self._by_replicate(metric, place) for place in (first, second)]
        shared = [] if None in sides else [key for key in sides[0] or () if key in (sides[1] or ())]
        if not shared:
            means = self.groups[f"{metric}.mean"]
            yield (
                f"The difference of the means is {_short(means[first] - means[second])}; the two "
                "share no replicates, so no interval of it is told."
            )
            return
        pairs = [(side or {}) for side in sides]
        differences = [pairs[0][key] - pairs[1][key] for key in shared]
        if not all(map(isfinite, differences)):
            yield "Some numbers are infinite, so no difference is told."
            return
        told = Sample.of(differences)
        text = f"The difference is {_short(told.mean)}, over {len(shared):,} replicate"
        text += f"{'s' * (len(shared) != 1)} that both have"
        if told.low is None or told.high is None:
            yield f"{text}: too few to say whether it is more than chance."
            return
        yield f"{text}; its 95 % interval is {_short(told.low)} to {_short(told.high)}."
        if told.low <= 0 <= told.high:
            yield "The interval holds 0: which of the two is better is not settled."

    def _by_replicate(self, metric: str, place: int) -> dict[Any, float] | None:
        """Return the numbers of a setting by replicate; None if a replicate has several."""
        values, replicates = self.columns[metric_column(metric)], self.columns["replicate"]
        found: dict[Any, float] = {}
        for row in self.places[place]:
            if is_number(values[row]):
                if replicates[row] in found:
                    return None
                found[replicates[row]] = as_float(values[row])
        return found


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = spelled(value, str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
