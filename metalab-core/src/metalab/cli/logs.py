"""``metalab logs``: what a run logged, or what the jobs of a launch printed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from metalab.cli.collection import (
    add_experiment,
    add_store_option,
    experiment_of,
    find_run,
    open_store,
)
from metalab.cli.executors import count
from metalab.cli.output import print_json
from metalab.cli.text import as_it_is, put_bytes, say
from metalab.cli.usage import UsageError
from metalab.detached import DetachedLaunch

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

__all__ = ["add_arguments", "run"]

_DEFAULT = "run"
_NEWEST = ""
_BLOCK = 1 << 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Print what the last attempt at a run logged, while it runs as well; or, with --launch, "
        "what the jobs of a launch printed that goes on by itself, the newest last."
    )
    parser.add_argument(
        "run_id",
        metavar="RUN",
        nargs="?",
        help="the run's id, or what it alone begins with; with --launch, the store",
    )
    add_store_option(parser)
    add_experiment(parser)
    parser.add_argument(
        "--name", metavar="NAME", default=_DEFAULT, help="which log; by default run"
    )
    parser.add_argument(
        "--launch",
        metavar="LAUNCH",
        nargs="?",
        const=_NEWEST,
        help="the output of a launch's jobs; by default of the newest that has any",
    )
    parser.add_argument(
        "--tail", metavar="N", type=count, help="only the last N lines, of each job's output"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print one log, or the output of a launch's jobs."""
    if arguments.launch is not None:
        return _print_outputs(arguments)
    if arguments.run_id is None:
        raise UsageError("name a run, or give --launch for the output of a launch's jobs")
    store, found = find_run(open_store(arguments.store), arguments.run_id)
    names = store.list_logs(found.run_id)
    text = found.log(arguments.name)
    shown = text if arguments.tail is None else "".join(_lines(text)[-arguments.tail :])
    if arguments.json:
        print_json({"run_id": found.run_id, "name": arguments.name, "text": shown, "logs": names})
        return 0
    if not shown:
        there = f"; it has the logs {', '.join(names)}: choose with --name" if names else ""
        say(f"metalab: the run {found.run_id} logged nothing{there}", to_errors=True)
    as_it_is()(shown)
    return 0


def _print_outputs(arguments: argparse.Namespace) -> int:
    store = experiment_of(arguments.run_id or arguments.store, arguments.experiment)
    launch = DetachedLaunch.newest(store, arguments.launch or None)
    found = [(path, _end_of(path, arguments.tail)) for path in launch.outputs()]
    if arguments.json:
        outputs = [{"path": str(path), "text": end.decode(errors="replace")} for path, end in found]
        print_json({"launch": launch.name, "outputs": outputs})
        return 0
    if not found:
        say(f"metalab: no job of the launch {launch.name} has begun", to_errors=True)
    for number, (path, end) in enumerate(found):
        say(f"{chr(10) if number else ''}==> {path} <==")
        put_bytes(end if not end or end.endswith(b"\n") else end + b"\n")
    return 0


def _lines(text: str) -> list[str]:
    # Of all that str.splitlines takes for the end of a line, a log's lines end with this alone.
    return io.StringIO(text, newline="\n").readlines()


def _end_of(path: Path, lines: int | None) -> bytes:
    """Read a file's last lines, all by default; however long it is, no more is read."""
    if lines is None:
        return path.read_bytes()
    with path.open("rb") as file:
        left, found = file.seek(0, 2), b""
        while left and found.count(b"\n") <= lines:
            step = min(_BLOCK, left)
            left = file.seek(left - step)
            found = file.read(step) + found
    return b"".join(io.BytesIO(found).readlines()[-lines:])
