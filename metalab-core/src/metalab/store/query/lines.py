"""The lines that a query reads: those of all runs of a log, or of some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from metalab.store.reading import RunLog

__all__ = ["ChosenLines", "Lines"]


class Lines(Protocol):
    """The current lines of runs; a RunLog is such."""

    def __len__(self) -> int: ...
    def blocks(self) -> Iterator[bytes]:
        """Yield the lines, some at a time with line feeds between them."""
        ...


@attrs.frozen
class ChosenLines:
    """The lines of some of a log's runs."""

    log: RunLog
    ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.ids)

    def blocks(self) -> Iterator[bytes]:
        """Yield the lines, some at a time with line feeds between them."""
        return self.log.blocks(self.ids)
