"""The sweep of some runs: which params vary among them, and with what values."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs

from metalab.records import Status
from metalab.results.columns import Columns, value_of_column
from metalab.store.query.groups import is_number
from metalab.store.query.order import sort_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metalab.results.rows import Rows

__all__ = ["Sweep", "is_geometric"]

_NEARLY = 0.02
_FEWEST = 3  # values that show how they are spaced


@attrs.frozen
class Sweep:
    """The params that have several values among the runs, and the names of all metrics.

    Values stand as an axis shows them: numbers by size, others as the plan first has them.
    """

    values: Mapping[str, Sequence[Any]]
    params: Sequence[str]
    metrics: Sequence[str]
    failed: int

    @classmethod
    def of(cls, rows: Rows) -> Sweep:
        """Look at the runs."""
        params, metrics = {}, []
        for column, values in rows.columns(Columns(record=False)).items():
            section, name = value_of_column(column) or ("", column)
            if section == "params":
                params[name] = _distinct(values)
            else:
                metrics.append(name)
        failed = sum(status == Status.FAILED for status in rows.statuses())
        swept = {name: values for name, values in params.items() if len(values) > 1}
        return cls(swept, tuple(params), metrics, failed)

    def is_numeric(self, name: str) -> bool:
        """Tell whether all values of a swept param are numbers."""
        return all(map(is_number, self.values[name]))

    def free(self, *used: str | None) -> list[str]:
        """Return the swept params that a picture does not show, so that it mixes them."""
        return [name for name in self.values if name not in used]


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for value in values:
        found.setdefault(sort_key(value), value)
    distinct = list(found.values())
    return sorted(distinct) if all(map(is_number, distinct)) else distinct


def is_geometric(values: Sequence[float]) -> bool:
    """Tell whether positive values grow by one factor, so that their logarithms are even."""
    if len(values) < _FEWEST or min(values) <= 0:
        return False
    steps = [after / before for before, after in pairwise(values)]
    middle = sorted(steps)[len(steps) // 2]
    wide = max(values) / min(values) >= _FEWEST**2
    # 0.01, 0.03, 0.1 and so on are meant to be even, too.
    return wide and all(abs(step / middle - 1) < max(_NEARLY, 0.2) for step in steps)
