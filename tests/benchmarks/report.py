"""The report: rows of floors and figures, judged by the limits, as plain text or markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from benchmarks.limits import LIMITS, SLACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["PeerRow", "Row", "peer_table", "table"]

_HEAD = ("", "what", "runs", "floor", "metalab", "ratio", "limit", "verdict", "peak MB")
_PEER_HEAD = ("", "system", "runs", "CPU", "metalab", "times", "files/run", "bytes/run")


@attrs.frozen
class Row:
    """One comparison with a floor: CPU in ``unit``, memory in MB; no ``ours`` if it failed.

    A row that is not ``judged`` is there to be known.
    """

    key: str
    what: str
    floor: float
    ours: float | None
    unit: str = "us"
    runs: int | None = None
    peak_mb: float | None = None
    floor_mb: float | None = None
    judged: bool = True
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the floor it costs."""
        return None if self.ours is None else self.ours / self.floor

    @property
    def has_limit(self) -> bool:
        """Whether the limits say anything about this row."""
        small = self.runs is not None and self.runs < LIMITS[self.key].from_runs
        return self.judged and not small

    @property
    def excess(self) -> float:
        """How far it is beyond its limit: 1.0 is at the limit, infinite if it failed."""
        if self.ours is None:
            return float("inf")
        if not self.has_limit:
            return 0.0
        limit = LIMITS[self.key]
        shares = [self.ours / self.floor / limit.times]
        if limit.peak_mb is not None and self.peak_mb is not None:
            shares.append(self.peak_mb / limit.peak_mb)
        return max(shares)

    @property
    def verdict(self) -> str:
        """``ok``, ``over`` (the limit), ``FAIL`` (beyond what noise explains), or nothing."""
        if self.ours is None:
            return "FAIL"
        if not self.has_limit:
            return "-"
        if self.excess <= 1:
            return "ok"
        return "over" if self.excess <= SLACK else "FAIL"

    @property
    def fails(self) -> bool:
        """Whether ``--check`` fails for it."""
        return self.excess > SLACK


@attrs.frozen
class PeerRow:
    """Another system at the same work, and metalab at the same number of runs in the same turns.

    ``reason`` says why the figure that is missing is.
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


def table(rows: Sequence[Row], *, markdown: bool = False) -> str:
    """Return the comparison with the floors as text."""
    text = _laid_out(_HEAD, map(_cells, rows), markdown=markdown)
    reasons = dict.fromkeys(f"{row.key} failed: {row.reason}" for row in rows if row.reason)
    return "\n\n".join([text, *reasons])


def peer_table(rows: Sequence[PeerRow], *, markdown: bool = False) -> str:
    """Return the comparison with the peers as text; ``times`` above 1 is metalab ahead."""
    return _laid_out(_PEER_HEAD, map(_peer_cells, rows), markdown=markdown)


def _cells(row: Row) -> tuple[str, ...]:
    limit = LIMITS[row.key]
    memory = f"{_figure(row.floor_mb)} / {_figure(row.peak_mb)}"
    if limit.peak_mb is not None and row.has_limit:
        memory += f" (limit {limit.peak_mb:.0f})"
    return (
        row.key,
        row.what,
        _count(row.runs),
        _figure(row.floor, row.unit),
        _figure(row.ours, row.unit),
        _figure(row.ratio, "x"),
        f"{limit.times:g}x" if row.has_limit else "-",
        row.verdict,
        memory if row.peak_mb is not None else "-",
    )


def _peer_cells(row: PeerRow) -> tuple[str, ...]:
    if row.theirs is None:
        return (row.key, row.system, _count(row.runs), row.reason, *["-"] * 4)
    times = None if row.ours is None else row.theirs / row.ours
    return (
        row.key,
        row.system,
        _count(row.runs),
        _figure(row.theirs, row.unit),
        row.reason or _figure(row.ours, row.unit),
        _figure(times, "x"),
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
