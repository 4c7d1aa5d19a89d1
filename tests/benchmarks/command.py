"""The command: measure, print the table, and with ``--check`` judge it."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import pg_rows, slurm_rows
from benchmarks.contests import CONTESTS
from benchmarks.measure import Bench
from benchmarks.peers import INSTALL, PEERS, POOLS
from benchmarks.report import PeerRow, Row, peer_table, table
from benchmarks.rows import cold_rows, import_rows, peer_rows, pool_rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.contests import Contest

__all__ = ["main"]

_WORKLOADS = (
    "P1",
    "S1",
    "S2",
    "S3",
    "S4",
    "S5",
    "S6",
    "S7",
    "S8",
    "W1",
    "W2",
    "W3",
    "W4",
    "W5",
    "W6",
    "W7",
)
_SIZES = {
    "P1": (100_000,),
    "P1 counts": (100_000,),
    "P1 resume": (1_000_000,),
    "S1": (100_000,),
    "S2": (100_000,),
    "S3": (100_000,),
    "S4": (10_000,),
    "S5": (100_000,),
    "S6": (100_000,),
    "S7": (100,),
    "S8": (100_000,),
    "W1": (1_000, 10_000, 100_000),
    "W2": (10_000, 100_000),
    "W3": (10_000, 100_000),
    "W5 1 ms": (10_000,),
    "W5 10 ms": (1_000,),
    "W5 100 ms": (100,),
    "W5 trivial": (100_000, 1_000_000),
    "W6": (1_000_000,),
    "W7": (1_000, 10_000),
    "W7 submit": (1_000_000,),
}
_SMALL = {
    "P1": (10_000,),
    "P1 counts": (100_000,),
    "P1 resume": (100_000,),
    "S1": (100_000,),
    "S2": (100_000,),
    "S3": (100_000,),
    "S4": (10_000,),
    "S5": (100_000,),
    "S6": (100_000,),
    "S7": (100,),
    "S8": (100_000,),
    "W1": (10_000,),
    "W2": (10_000,),
    "W3": (10_000,),
    "W5 1 ms": (3_000,),
    "W5 10 ms": (300,),
    "W5 100 ms": (40,),
    "W5 trivial": (100_000,),
    "W6": (100_000,),
    "W7": (1_000,),
    "W7 submit": (100_000,),
}
_LARGE = 1_000_000
_NEVER_LARGE = {"S4", "S7", "W5 1 ms", "W5 10 ms", "W5 100 ms", "W7"}  # files, or hours
_BEST_OF = 3
_BEST_OF_SYNCS = 9  # short ones, since others make a disk wait for seconds
_IMPORTS = 12
_SCRIPTS = 5
_TASKS, _FEW_TASKS = 1_000, 100
_LAUNCHES = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are asked for; 1 if ``--check`` finds a limit exceeded."""
    options = _parser().parse_args(arguments)
    keys = options.only or _WORKLOADS
    folder = Path(tempfile.mkdtemp(prefix="metalab-benchmarks-", dir=options.dir))
    try:
        print(_circumstances(folder), end="\n\n", flush=True)
        bench = Bench(folder)
        peers: list[PeerRow] = []
        rows = _measured_in_turns(bench, options, keys)
        print(table(rows, markdown=options.markdown), flush=True)
        if no_server := "P1" in keys and pg_rows.absent():
            print(f"\nP1 was left out: {no_server}")
        if left_out := "W7" in keys and slurm_rows.absent():
            print(f"\nW7 was left out, since Slurm is not installed here: no {left_out}")
        if options.peers:
            peers = sorted(_measured_peers(bench, options, keys), key=attrgetter("key"))
            print(f"\nPeers (install them with `{INSTALL}`):\n")
            print(peer_table(peers, markdown=options.markdown))
    finally:
        if not options.keep:
            shutil.rmtree(folder)
    if (left_out or no_server) and os.environ.get("METALAB_REQUIRE_ALL") == "1":
        return 1
    return int(options.check and any(row.fails for row in (*rows, *peers)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python tests/benchmarks",
        description="Measure metalab against floors that do the same work with plain Python: "
        "each phase in a fresh process, taking turns.",
    )
    add = parser.add_argument
    add("--check", action="store_true", help="exit with 1 if a limit x 1.25 is exceeded")
    add(
        "--turns",
        type=int,
        default=1,
        metavar="N",
        help="measure what is beyond its limit anew, "
        "up to so many times in all: a machine's slow minute is no slow code",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--small", action="store_true", help="10,000 or 100,000 runs: a minute or two"
    )
    size.add_argument("--large", action="store_true", help="1,000,000 runs, too: many minutes")
    size.add_argument("--runs", type=int, nargs="+", metavar="N", help="so many runs, no others")
    add("--only", nargs="+", choices=_WORKLOADS, metavar="W1", help="only these workloads")
    add("--peers", action="store_true", help="other systems, too, as far as installed")
    add("--repetitions", type=int, metavar="R", help="so many samples of each (default 3 to 5)")
    add("--markdown", action="store_true", help="print tables in markdown")
    add("--dir", type=Path, default=_disk(), help="where to work: a real disk (%(default)s)")
    add("--keep", action="store_true", help="leave what was written there")
    return parser


def _measured_in_turns(bench: Bench, options: argparse.Namespace, keys: Sequence[str]) -> list[Row]:
    rows = sorted(_measured(bench, options, keys), key=attrgetter("key"))
    for _ in range(options.turns - 1):
        if not (failing := sorted({row.key for row in rows if row.fails})):
            break
        # From the beginning: what one server was given another does not have.
        anew = Bench(Path(tempfile.mkdtemp(dir=bench.folder)))
        again = {row.names: row for row in _measured(anew, options, failing)}
        rows = [again.get(row.names, row) if row.fails else row for row in rows]
    return rows


def _measured(bench: Bench, options: argparse.Namespace, keys: Sequence[str]) -> Iterator[Row]:
    for contest in CONTESTS:
        for runs in _sizes(contest.name, options) if contest.key in keys else ():
            _say(f"{contest.name}, {runs:,} runs")
            yield from rows_of(bench, contest, runs, _repetitions(contest, runs, options))
    if "W4" in keys:
        _say("W4")
        yield from import_rows(bench, options.repetitions or _IMPORTS)
    if "W5" in keys:
        _say("W5 cold")
        yield from cold_rows(bench, options.repetitions or _SCRIPTS)
    if "P1" in keys and not pg_rows.absent():
        with pg_rows.server():
            yield from _measured_on_server(bench, options)
    if "W7" in keys and not slurm_rows.absent():
        with slurm_rows.cluster():
            yield from _measured_on_cluster(bench, options)


def _measured_on_server(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    for contest in pg_rows.QUESTIONS:
        name = contest.name if contest.name in _SIZES else contest.key
        for runs in _sizes(name, options):
            _say(f"{contest.name}, {runs:,} runs")
            yield from rows_of(bench, contest, runs, options.repetitions or _BEST_OF)


def _measured_on_cluster(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    for runs in _sizes("W7", options):
        _say(f"W7, {runs:,} runs")
        tasks = min(runs, _FEW_TASKS if options.small else _TASKS)
        yield from slurm_rows.launch_rows(bench, runs, tasks, options.repetitions or _LAUNCHES)
    for runs in _sizes("W7 submit", options):
        _say(f"W7 submit, {runs:,} runs")
        yield from slurm_rows.submission_rows(bench, runs, options.repetitions or 2)


def _measured_peers(
    bench: Bench, options: argparse.Namespace, keys: Sequence[str]
) -> Iterator[PeerRow]:
    for peer in PEERS:
        _say(peer.name)
        runs = min(peer.runs, max(options.runs or [peer.runs]))
        yield from peer_rows(bench, peer, keys, runs, options.repetitions or 3)
    for pool in POOLS if "W5" in keys else ():
        for contest in [contest for contest in CONTESTS if contest.floor.seconds]:
            _say(f"{pool.name}, {contest.name}")
            for runs in _sizes(contest.name, options):
                yield from pool_rows(bench, pool, contest, runs, options.repetitions or _BEST_OF)


def _sizes(name: str, options: argparse.Namespace) -> Sequence[int]:
    if options.runs:
        return options.runs
    if options.small:
        return _SMALL[name]
    if not options.large or name in _NEVER_LARGE:
        return _SIZES[name]
    return tuple(dict.fromkeys((*_SIZES[name], _LARGE)))


def _repetitions(contest: Contest, runs: int, options: argparse.Namespace) -> int:
    if options.repetitions:
        return options.repetitions
    if contest.key == "S7":
        return _BEST_OF_SYNCS
    if contest.gauge.best:
        return 1 if runs > 100_000 else 2 if options.small else _BEST_OF
    return 5 if runs <= 10_000 else 3 if runs <= 100_000 else 1


def _circumstances(folder: Path) -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, metalab-core {version('metalab-core')}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, {_file_system(folder)}. "
        "CPU time (user and system) per run; of S7, W5, W7 and P1, the time that passes."
    )


def _disk() -> str:
    # Where /tmp is memory, syncing costs nothing and the figures would flatter.
    temporary = tempfile.gettempdir()
    return str(Path.home()) if _file_system(Path(temporary)) == "tmpfs" else temporary


def _file_system(folder: Path) -> str:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown file system"
    found = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    holding = [(len(at), kind) for at, kind in found if folder.resolve().is_relative_to(at)]
    return max(holding)[1] if holding else "unknown file system"


def _say(text: str) -> None:
    print(f"measuring {text} ...", file=sys.stderr, flush=True)
