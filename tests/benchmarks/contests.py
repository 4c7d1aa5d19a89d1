"""What is compared: for every workload its floor, and metalab at the same work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from benchmarks.measure import Cost, Phase, PhaseError
from benchmarks.report import PeerRow, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measure import Bench
    from benchmarks.peers import Peer

__all__ = ["CONTESTS", "Contender", "Contest", "import_rows", "peer_rows", "rows_of"]

_IMPORT_FLOOR = "import pluggy, attrs"
_IMPORT = "import metalab"


@attrs.frozen
class Contender:
    """One way in which metalab does the work; what is not ``judged`` is only shown."""

    what: str
    phase: Phase
    judged: bool = True


@attrs.frozen
class Contest:
    """A workload, its floor and who is measured against it."""

    key: str
    floor: Phase
    contenders: tuple[Contender, ...]


_FLOOR_APPEND = Phase("floors:append")
_APPEND = Phase("ours:append")
_FINISHED = Phase("store_ours:finish")

CONTESTS = (
    Contest(
        "W1",
        _FLOOR_APPEND,
        (
            Contender("run, durable, default executor", _APPEND),
            Contender("run, durable, inline", Phase("ours:append_inline"), judged=False),
        ),
    ),
    Contest(
        "W2",
        Phase("floors:resume", after=_FLOOR_APPEND),
        (Contender("run again when all is done", Phase("ours:resume", after=_APPEND)),),
    ),
    Contest(
        "W3",
        Phase("floors:frame", after=_FLOOR_APPEND),
        (
            Contender("load, frame of params and metric", Phase("ours:frame", after=_APPEND)),
            Contender(
                "load, frame of every column",
                Phase("ours:whole_frame", after=_APPEND),
                judged=False,
            ),
        ),
    ),
    Contest(
        "S1",
        Phase("store_floors:write"),
        (Contender("write lines, a sync per 1,000", Phase("store_ours:write")),),
    ),
    Contest(
        "S2",
        Phase("store_floors:resume", after=_APPEND),
        (Contender("read, state of every run", Phase("store_ours:resume", after=_APPEND)),),
    ),
    Contest(
        "S2",
        Phase("store_floors:resume_by_line", after=_APPEND),
        (
            Contender(
                "the same; floor reads line by line",
                Phase("store_ours:resume", after=_APPEND),
                judged=False,
            ),
        ),
    ),
    Contest(
        "S3",
        Phase("store_floors:columns", after=_APPEND),
        (
            Contender(
                "frame of 4 columns, results loaded",
                Phase("store_ours:columns_of_loaded", after=_APPEND),
            ),
            Contender(
                "load, frame of 4 columns",
                Phase("store_ours:columns", after=_APPEND),
                judged=False,
            ),
        ),
    ),
    Contest(
        "S4",
        Phase("store_floors:poll", after=_FINISHED),
        (Contender("20 idle polls, per segment", Phase("store_ours:poll", after=_FINISHED)),),
    ),
    Contest(
        "S5",
        Phase("store_ours:one_writer"),
        (Contender("8 writers instead of 1", Phase("store_ours:many_writers")),),
    ),
    Contest("W6", Phase("floors:identify"), (Contender("plan, all ids", Phase("ours:identify")),)),
)


def rows_of(bench: Bench, contest: Contest, runs: int, repetitions: int) -> Iterator[Row]:
    """Measure a contest at so many runs. Raises PhaseError if the floor itself fails."""
    phases = [contest.floor, *(contender.phase for contender in contest.contenders)]
    floor, *costs = bench.take_turns(phases, runs, repetitions)
    if isinstance(floor, PhaseError):
        raise floor
    for contender, cost in zip(contest.contenders, costs, strict=True):
        row = Row(
            contest.key,
            contender.what,
            floor.cpu_us,
            None,
            runs=runs,
            floor_mb=floor.peak_mb,
            judged=contender.judged,
        )
        if isinstance(cost, PhaseError):
            yield attrs.evolve(row, reason=str(cost))
        else:
            yield attrs.evolve(row, ours=cost.cpu_us, peak_mb=cost.peak_mb)


def import_rows(bench: Bench, repetitions: int) -> Iterator[Row]:
    """Measure what importing costs: the whole process, its least CPU time."""
    first_use = f"{_IMPORT}; metalab.run, metalab.Experiment"
    floor, *costs = bench.import_ms([_IMPORT_FLOOR, _IMPORT, first_use], repetitions)
    if isinstance(floor, PhaseError):
        raise floor
    for what, ours in zip((_IMPORT, first_use), costs, strict=True):
        row = Row("W4", what, floor, None, unit="ms", judged=what == _IMPORT)
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
    ours = {contest.key: contest.contenders[0].phase for contest in CONTESTS}
    for key in [key for key in ("W1", "W2", "W3") if key in keys]:
        row = PeerRow(key, peer.name, None, None, runs=runs)
        mine, theirs = bench.take_turns([ours[key], peer.phases[key]], runs, repetitions)
        yield _told(row, mine, theirs)
    if "W4" in keys:
        mine_ms, theirs_ms = bench.import_ms([_IMPORT, f"import {peer.library}"], repetitions)
        yield _told(PeerRow("W4", peer.name, None, None, unit="ms"), mine_ms, theirs_ms)


def _told(
    row: PeerRow, mine: Cost | float | PhaseError, theirs: Cost | float | PhaseError
) -> PeerRow:
    if isinstance(theirs, PhaseError):
        return attrs.evolve(row, reason=str(theirs))
    row = attrs.evolve(row, theirs=_figure(theirs))
    if isinstance(theirs, Cost) and row.key == "W1":
        row = attrs.evolve(row, files=theirs.files, disk_bytes=theirs.disk_bytes)
    if isinstance(mine, PhaseError):
        return attrs.evolve(row, reason=str(mine))
    return attrs.evolve(row, ours=_figure(mine))


def _figure(cost: Cost | float) -> float:
    return cost.cpu_us if isinstance(cost, Cost) else cost
