"""What is compared: for every workload its floor, and metalab at the same work."""

from __future__ import annotations

import attrs

from benchmarks.cost import CPU, EFFICIENCY, THROUGHPUT, WALL, Gauge
from benchmarks.measure import Phase

__all__ = ["CONTESTS", "Contender", "Contest"]


@attrs.frozen
class Contender:
    """One way in which metalab does the work; what is not ``judged`` is only shown."""

    what: str
    phase: Phase
    judged: bool = True


@attrs.frozen
class Contest:
    """A workload, its floor and who is measured against it.

    Its ``name`` stands in the tables of sizes and of limits; the first word is its ``key``.
    """

    name: str
    floor: Phase
    contenders: tuple[Contender, ...]
    gauge: Gauge = CPU

    @property
    def key(self) -> str:
        """The workload, which other contests may belong to as well."""
        return self.name.split()[0]


def _efficiency(milliseconds: int, *further: Contender) -> Contest:
    seconds = milliseconds / 1000
    text = f"2 processes, {milliseconds} ms a run"
    return Contest(
        f"W5 {milliseconds} ms",
        Phase("pool_floors:chunked", seconds=seconds),
        (Contender(text, Phase("pool_ours:warm", seconds=seconds)), *further),
        EFFICIENCY,
    )


_FLOOR_APPEND = Phase("floors:append")
_APPEND = Phase("ours:append")
_MEASURED = Phase("store_ours:append_measured")
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
    Contest(
        "S6",
        Phase("store_floors:arrays", after=_APPEND),
        (
            Contender(
                "frame from the column cache, results loaded",
                Phase("store_ours:cached_columns", after=_APPEND),
            ),
        ),
    ),
    Contest(
        "S7",
        Phase("store_floors:save"),
        (Contender("capture arrays of 1 MB", Phase("store_ours:save")),),
        WALL,
    ),
    Contest(
        "S7",
        Phase("store_floors:save_unhashed"),
        (
            Contender(
                "the same; floor hashes nothing",
                Phase("store_ours:save"),
                judged=False,
            ),
        ),
        WALL,
    ),
    Contest(
        "S8",
        Phase("store_floors:aggregate", after=_MEASURED),
        (
            Contender(
                "aggregate of 10 metrics, results loaded",
                Phase("store_ours:aggregate", after=_MEASURED),
                judged=False,  # it makes the cache that every later look finds
            ),
            Contender(
                "the same from the column cache",
                Phase("store_ours:aggregate_again", after=_MEASURED),
            ),
        ),
    ),
    _efficiency(1),
    _efficiency(
        10,
        Contender(
            "the same; they are started on the clock",
            Phase("pool_ours:cold", seconds=0.01),
            judged=False,
        ),
    ),
    _efficiency(100),
    Contest(
        "W5 trivial",
        Phase("pool_ours:one_worker"),
        (Contender("trivial runs, 2 processes instead of 1", Phase("pool_ours:two_workers")),),
        THROUGHPUT,
    ),
    Contest("W6", Phase("floors:identify"), (Contender("plan, all ids", Phase("ours:identify")),)),
)
