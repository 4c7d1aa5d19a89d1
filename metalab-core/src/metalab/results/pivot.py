"""Pivots: one metric as a table, with the values of some params down and of others across.

Numbers are taken from successful runs alone. What would mislead whoever reads along a row or
a column is an AggregateWarning.
"""

from __future__ import annotations

import warnings
from collections import Counter
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import attrs

from metalab.errors import AggregateWarning, MissingExtraError
from metalab.harmless import harmless
from metalab.records import Status
from metalab.results.aggregates import unbalanced
from metalab.results.cells import written
from metalab.results.display import Table as ShownTable
from metalab.results.lookup import missing
from metalab.results.questions import metric
from metalab.results.selection import ABSENT, field_of
from metalab.store.query.expression import Column
from metalab.store.query.groups import as_float, is_number
from metalab.store.query.interval import Sample
from metalab.store.query.order import sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from metalab.results.decoding import Row
    from metalab.results.rows import Rows

__all__ = ["AGGREGATES", "Pivot", "PivotAggregate", "pivot"]

PivotAggregate = Literal["mean", "median", "min", "max", "sd", "n"]

_Numbers = list[Any]
_Key = tuple[Any, ...]


AGGREGATES: Mapping[str, Callable[[_Numbers], Any]] = {
    "mean": lambda numbers: Sample.of(list(map(as_float, numbers))).mean,
    "median": lambda numbers: median(numbers) if numbers else None,
    "min": lambda numbers: min(numbers, default=None),
    "max": lambda numbers: max(numbers, default=None),
    "sd": lambda numbers: Sample.of(list(map(as_float, numbers))).sd,
    "n": len,
}
"""What a cell may tell of the numbers in it; what too few do not define is None."""


@attrs.frozen(repr=False)
class Pivot:
    """A table of one metric; rows and columns stand in the order of the plan.

    ``index`` and ``columns`` are the names of what stands down and across, ``down`` and
    ``across`` their values, and ``cells[i][j]`` is what the runs with ``down[i]`` and
    ``across[j]`` tell together, None where they have no number.
    """

    values: str
    aggregate: str
    index: tuple[str, ...]
    columns: tuple[str, ...]
    down: tuple[_Key, ...]
    across: tuple[_Key, ...]
    cells: tuple[tuple[Any, ...], ...]

    def __len__(self) -> int:
        return len(self.down)

    def to_dataframe(self) -> pd.DataFrame:
        """Make a pandas DataFrame with the cells, whose index and columns are named."""
        try:
            import pandas as pd  # noqa: PLC0415  a soft dependency, and a slow import
        except ImportError as error:
            raise MissingExtraError(
                "to_dataframe() needs pandas: pip install 'metalab[pandas]' "
                "(a pivot is printed without it)"
            ) from error

        def axis(keys: Sequence[_Key], names: Sequence[str]) -> Any:
            if len(names) == 1:
                # A value that is a tuple is one value, not one of several levels.
                return pd.Index([key[0] for key in keys], name=names[0], tupleize_cols=False)
            return pd.MultiIndex.from_tuples(keys, names=list(names))

        return pd.DataFrame(
            [list(row) for row in self.cells],
            index=axis(self.down, self.index),
            columns=axis(self.across, self.columns),
        )

    def __repr__(self) -> str:
        named = map(written, zip(*self.across, strict=True))
        titles = [", ".join(cells) for cells in zip(*named, strict=True)]
        table: dict[str, Sequence[Any]] = {
            name: [key[place] for key in self.down] for place, name in enumerate(self.index)
        }
        for place, title in enumerate(titles):
            table[_free(title, table)] = [row[place] for row in self.cells]
        across = ", ".join(self.columns)
        told = harmless(f"{self.aggregate} of {self.values}, across {across}")
        return f"{told}\n{ShownTable(table).text()}"


@attrs.define
class _Cell:
    """The runs of one cell so far: their numbers, and what else was different in them."""

    numbers: _Numbers = attrs.field(factory=list)
    succeeded: int = 0
    others: dict[str, set[Any]] = attrs.field(factory=dict)

    def add(self, row: Row, value: Any, used: Iterable[str]) -> None:
        self.succeeded += 1
        if is_number(value):
            self.numbers.append(value)
        for name, other in row.params.items():
            if name not in used:
                self.others.setdefault(name, set()).add(sort_key(other))

    def mixed(self) -> Iterator[str]:
        return (name for name, values in self.others.items() if len(values) > 1)


def pivot(
    rows: Rows, index: Sequence[str], columns: Sequence[str], values: str, aggregate: str
) -> Pivot:
    """Make a pivot of rows; see ``Results.pivot``."""
    _check(index, columns, aggregate)
    made = _Cells.of(rows, index, columns, metric(values))
    for text in made.doubts(values):
        warnings.warn(text, AggregateWarning, stacklevel=3)
    tell = AGGREGATES[aggregate]

    def told(down: Any, across: Any) -> Any:
        cell = made.cells.get((down, across))
        return None if cell is None else tell(cell.numbers)

    return Pivot(
        values,
        aggregate,
        tuple(index),
        tuple(columns),
        tuple(made.down.values()),
        tuple(made.across.values()),
        tuple(tuple(told(down, across) for across in made.across) for down in made.down),
    )


def _check(index: Sequence[str], columns: Sequence[str], aggregate: str) -> None:
    if aggregate not in AGGREGATES:
        raise ValueError(f"aggregate={aggregate!r}: it is one of {', '.join(AGGREGATES)}")
    if not index or not columns:
        raise ValueError("a pivot needs at least one name for index and one for columns")
    if twice := [name for name, count in Counter([*index, *columns]).items() if count > 1]:
        raise ValueError(f"{twice[0]!r} is named twice among index and columns")


@attrs.define
class _Cells:
    down: dict[Any, _Key]
    across: dict[Any, _Key]
    cells: dict[tuple[Any, Any], _Cell]
    codes: set[str]

    @classmethod
    def of(cls, rows: Rows, index: Sequence[str], columns: Sequence[str], of: Column) -> _Cells:
        made = cls({}, {}, {}, set())
        met, names, numbers = set[str](), set[str](), set[str]()
        places = [Column.of(name) for name in (*index, *columns)]
        used = frozenset(place.name for place in places if place.section != "metrics")
        for row in rows:
            found = [_value(row, place) for place in places]
            met.update(str(p) for p, v in zip(places, found, strict=True) if v is not ABSENT)
            names.update(row.params)
            key = tuple(None if value is ABSENT else value for value in found)
            cell = made.cell(key[: len(index)], key[len(index) :])
            if row.status == Status.SUCCESS:
                numbers.update(name for name, each in row.metrics.items() if is_number(each))
                value = _value(row, of)
                if is_number(value):
                    numbers.add(of.name)
                cell.add(row, value, used)
                made.codes.add(row.code)
        if made.cells:
            for place in places:
                if str(place) not in met:
                    raise missing("these runs have", "param", place.name, names)
            if not any(cell.numbers for cell in made.cells.values()):
                raise missing("the successful runs have", "number in a metric", of.name, numbers)
        return made

    def cell(self, down: _Key, across: _Key) -> _Cell:
        """Return the cell of values down and across, a new one if these are new."""
        row, column = tuple(map(sort_key, down)), tuple(map(sort_key, across))
        self.down.setdefault(row, down)
        self.across.setdefault(column, across)
        return self.cells.setdefault((row, column), _Cell())

    def doubts(self, name: str) -> Iterator[str]:
        """Say what would mislead whoever compares the cells."""
        if mixed := sorted(set(chain.from_iterable(c.mixed() for c in self.cells.values()))):
            yield (
                f"cells take runs of different {', '.join(mixed)} together; choose one value with "
                "filter(), or name it in index or columns"
            )
        if len(self.codes) > 1:
            yield (
                f"runs of {len(self.codes)} versions of the code are in one table; "
                "filter(code_hash=...) chooses those of one"
            )
        counts = [cell.succeeded for cell in self.cells.values()]
        if text := unbalanced("cells", counts):
            yield text
        if without := sum(counts) - sum(len(cell.numbers) for cell in self.cells.values()):
            yield (
                f"{name} is NaN, no number or missing in {without:,} of {sum(counts):,} "
                "successful runs, which are left out"
            )


def _value(row: Row, column: Column) -> Any:
    if not column.section:
        return field_of(row, column.name)
    section: Mapping[str, Any] = getattr(row, column.section)
    return section.get(column.name, ABSENT)


def _free(name: str, taken: Mapping[str, Any]) -> str:
    return name if name not in taken else _free(f"{name} ", taken)
