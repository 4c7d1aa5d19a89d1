"""The report: rows of floors and figures, judged by the limits, as plain text or markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from benchmarks.limits import SLACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.limits import Limit

__all__ = ["PeerRow", "Row", "peer_table", "table"]

_HEAD = ("", "what", "runs", "floor", "metalab", "ratio", "limit", "verdict", "peak MB")
_MORE_IS_BETTER = {"%", "/s"}
_PEER_HEAD = ("", "system", "runs", "peer", "metalab", "times", "verdict", "files/run", "bytes/run")


@attrs.frozen
class Row:
    """One comparison with a floor: figures in ``unit``, memory in MB; no ``ours`` if it failed.

    A row without a ``limit`` is there to be known.
    """

    key: str
    what: str
    floor: float
    ours: float | None
    unit: str = "us"
    runs: int | None = None
    peak_mb: float | None = None
    floor_mb: float | None = None
    limit: Limit | None = None
    reason: str = ""

    @property
    def names(self) -> tuple[str, str, int | None]:
        """What tells it from other rows of the same benchmarks."""
        return self.key, self.what, self.runs

    @property
    def ratio(self) -> float | None:
        """How many times the floor it costs."""
        return None if self.ours is None else self.ours / self.floor

    @property
    def judge(self) -> Limit | None:
        """The limit, if there are runs enough for it to say anything about this row."""
        few = self.limit is not None and self.runs is not None and self.runs < self.limit.from_runs
        return None if few else self.limit

    @property
    def excess(self) -> float:
        """How far it is beyond its limit: 1.0 is at the limit, infinite if it failed."""
        if self.ours is None:
            return float("inf")
        if (limit := self.judge) is None:
            return 0.0
        excess = limit.excess(self.floor, self.ours)
        if limit.peak_mb is not None and self.peak_mb is not None:
            excess = max(excess, self.peak_mb / limit.peak_mb)
        return excess

    @property
    def verdict(self) -> str:
        """``ok``, ``over`` (the limit), ``FAIL`` (beyond what noise explains), or nothing."""
        if self.ours is not None and self.judge is None:
            return "-"
        return _verdict(self.excess)

    @property
    def fails(self) -> bool:
        """Whether ``--check`` fails for it."""
        return self.excess > SLACK


@attrs.frozen
class PeerRow:
    """Another system at the same work, and metalab at the same number of runs in the same turns.

    ``reason`` says why the figure that is missing is. The peer's figure is the floor of the
    ``limit``; a row without one is there to be known.
    """

    key: str
    system: str
    theirs: float | None
    ours: float | None
    unit: str = "us"
    runs: int | None = None
    files: float | None = None
    disk_bytes: float | None = None
    reason: str = ""
    limit: Limit | None = None

    @property
    def times(self) -> float | None:
        """How many times metalab is ahead."""
        if self.theirs is None or self.ours is None:
            return None
        return self.ours / self.theirs if self.unit in _MORE_IS_BETTER else self.theirs / self.ours

    @property
    def excess(self) -> float:
        """How far metalab is beyond the limit; a peer that fails or is absent judges nothing."""
        if self.limit is None or self.theirs is None:
            return 0.0
        return float("inf") if self.ours is None else self.limit.excess(self.theirs, self.ours)

    @property
    def verdict(self) -> str:
        """As a row's; nothing where nothing is judged."""
        return "-" if self.limit is None or self.theirs is None else _verdict(self.excess)

    @property
    def fails(self) -> bool:
        """Whether ``--check`` fails for it."""
        return self.excess > SLACK


def _verdict(excess: float) -> str:
    if excess <= 1:
        return "ok"
    return "over" if excess <= SLACK else "FAIL"


def table(rows: Sequence[Row], *, markdown: bool = False) -> str:
    """Return the comparison with the floors as text."""
    text = _laid_out(_HEAD, map(_cells, rows), markdown=markdown)
    reasons = dict.fromkeys(f"{row.key} failed: {row.reason}" for row in rows if row.reason)
    return "\n\n".join([text, *reasons])


def peer_table(rows: Sequence[PeerRow], *, markdown: bool = False) -> str:
    """Return the comparison with the peers as text; ``times`` above 1 is metalab ahead."""
    return _laid_out(_PEER_HEAD, map(_peer_cells, rows), markdown=markdown)


def _cells(row: Row) -> tuple[str, ...]:
    memory = f"{_figure(row.floor_mb)} / {_figure(row.peak_mb)}"
    if row.judge is not None and row.judge.peak_mb is not None:
        memory += f" (limit {row.judge.peak_mb:.0f})"
    return (
        row.key,
        row.what,
        _count(row.runs),
        _figure(row.floor, row.unit),
        _figure(row.ours, row.unit),
        _figure(row.ratio, "x"),
        "-" if row.judge is None else row.judge.text,
        row.verdict,
        memory if row.peak_mb is not None else "-",
    )


def _peer_cells(row: PeerRow) -> tuple[str, ...]:
    if row.theirs is None:
        return (row.key, row.system, _count(row.runs), row.reason, *["-"] * 5)
    return (
        row.key,
        row.system,
        _count(row.runs),
        _figure(row.theirs, row.unit),
        row.reason or _figure(row.ours, row.unit),
        _figure(row.times, "x"),
        row.verdict,
        _figure(row.files),
        _figure(row.disk_bytes),
    )


def _figure(value: float | None, unit: str = "") -> str:
    if value is None:
        return "-"
    digits = 2 if unit == "x" and value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}{'' if unit in {'', 'x'} else ' '}{unit}"


def _count(runs: int | None) -> str:
    return "-" if runs is None else f"{runs:,}"


def _laid_out(head: Sequence[str], rows: Iterable[Sequence[str]], *, markdown: bool) -> str:
    cells = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [[text.ljust(width) for text, width in zip(row, widths, strict=True)] for row in cells]
    rule = ["-" * width for width in widths]
    if not markdown:
        return "\n".join("  ".join(line).rstrip() for line in [lines[0], rule, *lines[1:]])
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])
