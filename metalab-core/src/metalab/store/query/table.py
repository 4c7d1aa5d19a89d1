"""Tables: what a query answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Table"]


@attrs.frozen
class Table:
    """Rows of plain values under named columns; a missing value is None."""

    columns: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]

    def __len__(self) -> int:
        return len(self.values)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dict by column."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.values)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return each column as a list by name."""
        return {name: [row[i] for row in self.values] for i, name in enumerate(self.columns)}
