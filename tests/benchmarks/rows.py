"""Measuring contests: the rows that each gives for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from benchmarks.contests import CONTESTS
from benchmarks.cost import CPU, Cost, Gauge
from benchmarks.limits import LIMITS
from benchmarks.measure import Phase, PhaseError
from benchmarks.report import PeerRow, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.contests import Contest
    from benchmarks.limits import Limit
    from benchmarks.measure import Bench
    from benchmarks.peers import Peer, Pool

__all__ = ["cold_rows", "import_rows", "peer_rows", "pool_rows", "rows_of"]

_IMPORT_FLOOR = "import pluggy, attrs"
_IMPORT = "import metalab"


def rows_of(bench: Bench, contest: Contest, runs: int, repetitions: int) -> Iterator[Row]:
    """Measure a contest at so many runs. Raises PhaseError if the floor itself fails."""
    phases = [contest.floor, *(contender.phase for contender in contest.contenders)]
    gauge, seconds = contest.gauge, contest.floor.seconds
    floor, *costs = bench.take_turns(phases, runs, repetitions, gauge)
    if isinstance(floor, PhaseError):
        raise floor
    for contender, cost in zip(contest.contenders, costs, strict=True):
        row = Row(
            contest.key,
            contender.what,
            gauge.read(floor, seconds),
            None,
            unit=gauge.unit,
            runs=runs,
            floor_mb=floor.peak_mb,
            limit=LIMITS[contest.name] if contender.judged else None,
        )
        if isinstance(cost, PhaseError):
            yield attrs.evolve(row, reason=str(cost))
        else:
            yield attrs.evolve(row, ours=gauge.read(cost, seconds), peak_mb=cost.peak_mb)


def import_rows(bench: Bench, repetitions: int) -> Iterator[Row]:
    """Measure what importing costs: the whole process, its least CPU time."""
    first_use = f"{_IMPORT}; metalab.run, metalab.Experiment"
    taken = bench.import_ms([_IMPORT_FLOOR, _IMPORT, first_use], repetitions)
    return _process_rows("W4", [(_IMPORT, LIMITS["W4"]), (first_use, None)], taken)


def cold_rows(bench: Bench, repetitions: int) -> Iterator[Row]:
    """Measure a script of four runs on two processes: the least time until it has ended."""
    what = "script of 4 runs, from start to end"
    pool, bare, ours = bench.script_ms(["pool", "bare_pool", "sweep"], repetitions)
    yield from _process_rows("W5", [(what, LIMITS["W5 cold"])], [pool, ours])
    yield from _process_rows("W5", [(f"{what}; floor without metalab", None)], [bare, ours])


def _process_rows(
    key: str, judged: Sequence[tuple[str, Limit | None]], taken: Sequence[float | PhaseError]
) -> Iterator[Row]:
    floor, *figures = taken
    if isinstance(floor, PhaseError):
        raise floor
    for (what, limit), ours in zip(judged, figures, strict=True):
        row = Row(key, what, floor, None, unit="ms", limit=limit)
        if isinstance(ours, PhaseError):
            yield attrs.evolve(row, reason=str(ours))
        else:
            yield attrs.evolve(row, ours=ours)


def peer_rows(
    bench: Bench, peer: Peer, keys: Sequence[str], runs: int, repetitions: int
) -> Iterator[PeerRow]:
    """Measure a peer and metalab in turns, at the number of runs that the peer can do."""
    if not peer.is_installed:
        yield PeerRow("-", peer.name, None, None, reason="not installed")
        return
    ours = {contest.name: contest.contenders[0].phase for contest in CONTESTS}
    for key in [key for key in ("W1", "W2", "W3") if key in keys]:
        row = PeerRow(key, peer.name, None, None, runs=runs)
        mine, theirs = bench.take_turns([ours[key], peer.phases[key]], runs, repetitions)
        if key == "W1" and isinstance(theirs, Cost):
            row = attrs.evolve(row, files=theirs.files, disk_bytes=theirs.disk_bytes)
        yield _told(row, _figure(mine), _figure(theirs))
    if "W4" in keys:
        mine_ms, theirs_ms = bench.import_ms([_IMPORT, f"import {peer.library}"], repetitions)
        yield _told(PeerRow("W4", peer.name, None, None, unit="ms"), mine_ms, theirs_ms)


def pool_rows(
    bench: Bench, pool: Pool, contest: Contest, runs: int, repetitions: int
) -> Iterator[PeerRow]:
    """Measure another system's workers and metalab's in turns."""
    gauge, seconds = contest.gauge, contest.floor.seconds
    row = PeerRow(
        contest.key,
        f"{pool.name}, {1000 * seconds:g} ms a run",
        None,
        None,
        unit=gauge.unit,
        runs=runs,
        limit=LIMITS["W5 peer"],
    )
    if not pool.is_installed:
        yield attrs.evolve(row, reason="not installed")
        return
    phases = [contest.contenders[0].phase, Phase(pool.phase, seconds=seconds)]
    mine, theirs = bench.take_turns(phases, runs, repetitions, gauge)
    yield _told(row, _figure(mine, gauge, seconds), _figure(theirs, gauge, seconds))


def _figure(
    cost: Cost | PhaseError, gauge: Gauge = CPU, seconds: float = 0.0
) -> float | PhaseError:
    return cost if isinstance(cost, PhaseError) else gauge.read(cost, seconds)


def _told(row: PeerRow, mine: float | PhaseError, theirs: float | PhaseError) -> PeerRow:
    if isinstance(theirs, PhaseError):
        return attrs.evolve(row, reason=str(theirs))
    if isinstance(mine, PhaseError):
        return attrs.evolve(row, theirs=theirs, reason=str(mine))
    return attrs.evolve(row, theirs=theirs, ours=mine)
