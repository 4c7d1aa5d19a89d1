"""Aggregates: what the replicates of each setting tell together, and what they do not.

Numbers are taken from successful runs alone; how many runs failed, have no number or NaN
stands beside them. What would mislead whoever compares the groups is an AggregateWarning.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import AggregateWarning
from metalab.results.display import Table as ShownTable
from metalab.results.frames import frame_of
from metalab.results.lookup import missing
from metalab.results.questions import SUCCEEDED, metric
from metalab.store.query.bootstrap import Bootstrap, interval_of
from metalab.store.query.expression import Column
from metalab.store.query.groups import TOLD, as_float, is_number
from metalab.store.query.order import sort_key
from metalab.store.query.pruned import RECORD
from metalab.store.query.query import Aggregate, Query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from metalab.results.rows import Rows
    from metalab.store.base import Store
    from metalab.store.query.table import Table

__all__ = ["Groups", "aggregate", "bootstrap_of", "unbalanced"]


_Key = tuple[Any, ...]
_Sample = list[list[float]]


@attrs.frozen(repr=False)
class Groups:
    """Groups of runs with equal params: a row for each, in the order of the plan.

    ``columns`` maps names to lists of equal length: those grouped by, ``runs``, ``succeeded``,
    ``failed``, and for each metric ``NAME.n`` (how many successful runs have a number that is
    not NaN), ``.mean``, ``.sd`` (of a sample), ``.min``, ``.max``, and the 95 % confidence
    interval of the mean by Student's distribution or by bootstrap, ``.low`` and ``.high``.
    What too few numbers do not define is None.
    """

    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(self.columns["runs"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each group as a dict."""
        names = tuple(self.columns)
        return (
            dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True)
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Make a pandas DataFrame with a row for each group."""
        return frame_of({name: list(each) for name, each in self.columns.items()}, len(self))

    def __repr__(self) -> str:
        return ShownTable(self.columns).text()


def aggregate(
    rows: Rows,
    store: Store,
    metrics: Sequence[str] | None,
    by: Sequence[str] | None,
    over: Sequence[str],
    bootstrap: Bootstrap | None = None,
) -> Groups:
    """Group rows and take their metrics together; see ``Results.aggregate``."""
    params, there = rows.names() if metrics is None or by is None else ([], [])
    chosen = _left(params, over) if by is None else [Column.of(each) for each in by]
    numbers = [metric(name) for name in metrics or ()]
    if metrics is None:
        numbers = [Column(name, "metrics") for name in there]
    grouping = Aggregate(by=chosen, of=numbers)
    successes = rows.answer(Query(filter=SUCCEEDED, aggregate=grouping), store)
    everything = successes
    if sum(successes.to_dict()["runs"]) < len(rows):
        everything = rows.answer(Query(aggregate=Aggregate(by=chosen)), store)
    groups = _Merged.of(everything, successes, chosen, numbers)
    if bootstrap is not None:
        groups = groups.with_intervals(_samples(rows, store, grouping), bootstrap)
    if metrics is None:
        groups = groups.without_empty_metrics()
    elif empty := groups.empty_metrics():
        _, there = rows.names()
        raise missing("the successful runs have", "number in a metric", empty[0], there)
    for text in (*groups.doubts(), *_doubt_of_code(rows, store)):
        warnings.warn(text, AggregateWarning, stacklevel=3)
    return Groups(groups.columns())


def bootstrap_of(interval: str, resamples: int, seed: int) -> Bootstrap | None:
    """Return how intervals are drawn, None for those by Student's distribution."""
    if interval not in {"t", "bootstrap"}:
        raise ValueError(f"interval={interval!r} is neither 't' nor 'bootstrap'")
    return Bootstrap(resamples, seed) if interval == "bootstrap" else None


def _left(params: Sequence[str], over: Sequence[str]) -> list[Column]:
    """Return the params that are not averaged over."""
    for name in over:
        if name not in params and name not in RECORD:
            raise missing("these runs have", "param", name, params)
    return [Column(name, "params") for name in params if name not in over]


@attrs.frozen
class _Merged:
    """All groups, and the numbers of those with a success."""

    keys: Mapping[str, Sequence[Any]]
    runs: Sequence[int]
    failed: Sequence[int]
    succeeded: Sequence[int]
    numbers: Mapping[str, Mapping[str, Sequence[Any]]]

    @classmethod
    def of(
        cls, everything: Table, successes: Table, by: Sequence[Column], metrics: Sequence[Column]
    ) -> _Merged:
        names = list(map(str, by))
        counted, found = everything.to_dict(), successes.to_dict()
        numbered = {key: place for place, key in enumerate(_keys(found, names))}
        places = [numbered.get(key) for key in _keys(counted, names)]

        def told(column: str, default: Any) -> list[Any]:
            values = found[column]
            return [default if place is None else values[place] for place in places]

        return cls(
            dict(zip(_shown(by), (counted[name] for name in names), strict=True)),
            counted["runs"],
            counted["failed"],
            told("runs", 0),
            {
                metric.name: {
                    each: told(f"{metric}.{each}", 0 if each == "n" else None) for each in TOLD
                }
                for metric in metrics
            },
        )

    def empty_metrics(self) -> list[str]:
        return [name for name, told in self.numbers.items() if self.runs and not any(told["n"])]

    def without_empty_metrics(self) -> _Merged:
        empty = set(self.empty_metrics())
        left = {name: told for name, told in self.numbers.items() if name not in empty}
        return attrs.evolve(self, numbers=left)

    def with_intervals(self, samples: Mapping[_Key, _Sample], how: Bootstrap) -> _Merged:
        """Take the intervals of the means from the groups' numbers."""
        keys = list(_keys({**self.keys, "runs": self.runs}, list(self.keys)))
        numbers: dict[str, Mapping[str, Sequence[Any]]] = {}
        for place, (name, told) in enumerate(self.numbers.items()):
            ends = [
                interval_of(samples[key][place], how) if key in samples else (None, None)
                for key in keys
            ]
            lows, highs = zip(*ends, strict=True) if ends else ((), ())
            numbers[name] = {**told, "low": lows, "high": highs}
        return attrs.evolve(self, numbers=numbers)

    def columns(self) -> dict[str, Sequence[Any]]:
        made = {**self.keys, "runs": self.runs, "succeeded": self.succeeded, "failed": self.failed}
        for name, told in self.numbers.items():
            made |= {f"{name}.{what}": values for what, values in told.items()}
        return made

    def doubts(self) -> Iterator[str]:
        """Say what would mislead whoever compares the groups."""
        if text := unbalanced("groups", self.succeeded):
            failed = sum(self.failed)
            yield text + (f"; {failed:,} run{'s' * (failed != 1)} failed" if failed else "")
        for name, told in self.numbers.items():
            without = sum(self.succeeded) - sum(told["n"])
            if without:
                yield (
                    f"{name} is NaN, no number or missing in {without:,} of "
                    f"{sum(self.succeeded):,} successful runs, which are left out of its mean"
                )


def unbalanced(what: str, counts: Sequence[int]) -> str | None:
    """Say that groups, called ``what``, have unequal counts of successful runs; else None."""
    if len(set(counts)) < 2:  # noqa: PLR2004  no two differ
        return None
    most = max(counts)
    return (
        f"the {what} are not balanced: {sum(n < most for n in counts):,} of {len(counts):,} have "
        f"fewer than {most:,} successful runs, the least {min(counts):,}"
    )


def _doubt_of_code(rows: Rows, store: Store) -> Iterator[str]:
    by_code = Aggregate(by=[Column("code_hash")])
    if len(rows.answer(Query(aggregate=by_code), store)) == 1:  # which costs less to find out
        return
    versions = len(rows.answer(Query(filter=SUCCEEDED, aggregate=by_code), store))
    if versions > 1:
        yield (
            f"runs of {versions} versions of the code are taken together; "
            "filter(code_hash=...) chooses those of one"
        )


def _samples(rows: Rows, store: Store, grouping: Aggregate) -> dict[_Key, _Sample]:
    """Return the numbers of the successful runs of each group, of each metric."""
    wanted = tuple(dict.fromkeys((*grouping.by, *grouping.of))) or (Column("run_id"),)
    table = rows.answer(Query(filter=SUCCEEDED, columns=wanted), store).to_dict()
    if not grouping.by:
        table["runs"] = [1] * len(next(iter(table.values())))
    found: dict[_Key, _Sample] = {}
    columns = [table[str(column)] for column in grouping.of]
    for place, key in enumerate(_keys(table, list(map(str, grouping.by)))):
        if key not in found:
            found[key] = [[] for _ in columns]
        for sample, column in zip(found[key], columns, strict=True):
            if is_number(column[place]):
                sample.append(as_float(column[place]))
    return found


def _keys(table: Mapping[str, Sequence[Any]], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield what is equal for equal groups of two tables."""
    rows = (
        zip(*(table[name] for name in names), strict=True) if names else [()] * len(table["runs"])
    )
    return (tuple(map(sort_key, row)) for row in rows)


def _shown(by: Sequence[Column]) -> list[str]:
    """Return params by their bare names, unless something else in the table has those."""
    bare = [column.name for column in by]
    taken = {"runs", "succeeded", "failed"}
    return [
        str(column) if column.name in taken or bare.count(column.name) > 1 else column.name
        for column in by
    ]
