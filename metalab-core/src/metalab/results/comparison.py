"""Comparisons: two settings, run by run with the same replicate and whatever else is alike.

The seed of a replicate is the same for every setting, so that what chance does to both cancels
out in the difference: its interval is that of Student's paired test.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import AggregateWarning, QueryError
from metalab.harmless import harmless
from metalab.records import Status
from metalab.results.cells import spelled
from metalab.results.lookup import missing
from metalab.store.query.groups import as_float, is_number
from metalab.store.query.interval import Sample
from metalab.store.query.order import sort_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from metalab.results.decoding import Row
    from metalab.results.rows import Rows

__all__ = ["Comparison", "Setting", "compare", "text_of"]


_Key = tuple[Any, ...]
Setting = str | Mapping[str, Any]
"""A filter, or the values of some params and metrics."""


@attrs.frozen
class Comparison:
    """What a metric is for two settings ``a`` and ``b``, over pairs of runs that are else alike.

    ``difference`` is the mean of a - b, from ``low`` to ``high`` its 95 % confidence interval,
    ``sd`` the deviation of the differences, and ``effect`` their mean in units of it (Cohen's
    d_z). ``wins`` counts the pairs in which a is greater. ``left_out`` counts the runs of
    either that have no partner with a number. What too few pairs do not define is None.
    """

    metric: str
    a: str
    b: str
    pairs: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    sd: float | None
    effect: float | None
    wins: int
    left_out: int
    paired_by: tuple[str, ...]

    def __str__(self) -> str:
        by = ", ".join(self.paired_by)
        text = f"{self.metric}: ({self.a}) - ({self.b}) = {_short(self.difference)}"
        if self.low is not None:
            text += f", 95 % interval {_short(self.low)} to {_short(self.high)}"
        return harmless(f"{text}, over {self.pairs:,} pairs of equal {by}")


def compare(one: Rows, other: Rows, metric: str, names: tuple[str, str]) -> Comparison:
    """Compare the rows of two settings; see ``Results.compare``."""
    chosen = [_Side.of(rows) for rows in (one, other)]
    _refuse_shared(chosen, names)
    free = _free_params(chosen)
    found = [side.numbers(metric, free, name) for side, name in zip(chosen, names, strict=True)]
    keys = [key for key in found[0] if key in found[1]]
    values = [[side[key] for key in keys] for side in found]
    differences = [left - right for left, right in zip(*values, strict=True)]
    told, means = Sample.of(differences), [Sample.of(each).mean for each in values]
    made = Comparison(
        metric=metric,
        a=names[0],
        b=names[1],
        pairs=len(keys),
        mean_a=means[0],
        mean_b=means[1],
        difference=told.mean,
        low=told.low,
        high=told.high,
        sd=told.sd,
        effect=told.mean / told.sd if told.sd and told.mean is not None else None,
        wins=sum(difference > 0 for difference in differences),
        left_out=sum(len(side.rows) for side in chosen) - 2 * len(keys),
        paired_by=("replicate", *free),
    )
    for text in _doubts(made, chosen):
        warnings.warn(text, AggregateWarning, stacklevel=3)
    return made


@attrs.frozen
class _Side:
    """The runs of one setting."""

    rows: list[Row]

    @classmethod
    def of(cls, rows: Rows) -> _Side:
        return cls(list(rows))

    def params(self) -> dict[str, set[_Key]]:
        """Return the values that each param has among the runs."""
        found: dict[str, set[_Key]] = {}
        for name in dict.fromkeys(name for row in self.rows for name in row.params):
            found[name] = {sort_key(row.params.get(name)) for row in self.rows}
        return found

    def numbers(self, metric: str, params: Sequence[str], name: str) -> dict[_Key, float]:
        """Return the numbers of a metric by what pairs are alike in."""
        found: dict[_Key, float] = {}
        for row in self.rows:
            value: Any = row.metrics.get(metric)
            if row.status != Status.SUCCESS or not is_number(value):
                continue
            key = (row.replicate, *(sort_key(row.params.get(each)) for each in params))
            if key in found:
                raise QueryError(
                    f"several runs of ({name}) are alike in replicate"
                    f"{''.join(f', {each}' for each in params)}; choose among them"
                )
            found[key] = as_float(value)
        if not found:
            there = dict.fromkeys(each for row in self.rows for each in row.metrics)
            raise missing(f"the successful runs of ({name}) have", "number", metric, there)
        return found


def _refuse_shared(sides: Sequence[_Side], names: tuple[str, str]) -> None:
    ids = [{row.id for row in side.rows} for side in sides]
    if shared := ids[0] & ids[1]:
        raise QueryError(
            f"the settings ({names[0]}) and ({names[1]}) share runs, {len(shared):,} of them; "
            "a run cannot be compared with itself"
        )


def _free_params(sides: Sequence[_Side]) -> tuple[str, ...]:
    """Return the params that vary within both settings: pairs are alike in those."""
    one, other = (side.params() for side in sides)
    names = dict.fromkeys([*one, *other])
    absent = {sort_key(None)}
    return tuple(
        name for name in names if len(one.get(name, absent)) > 1 or len(other.get(name, absent)) > 1
    )


def _doubts(made: Comparison, sides: Sequence[_Side]) -> Iterator[str]:
    if made.left_out:
        some = "1 run has" if made.left_out == 1 else f"{made.left_out:,} runs have"
        yield f"{some} no partner with a number of {made.metric!r}: left out"
    versions = {row.code for side in sides for row in side.rows if row.status == Status.SUCCESS}
    if len(versions) > 1:
        yield f"the runs are of {len(versions)} versions of the code"


def _short(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.6g}"


def text_of(given: Setting) -> str:
    """Return the text of a setting."""
    if isinstance(given, str):
        return given
    return ", ".join(f"{name}={spelled(value)}" for name, value in given.items())
