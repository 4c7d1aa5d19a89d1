"""What ``metalab export`` and ``metalab import`` share: their options, and what they say."""

from __future__ import annotations

import sys
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING

from metalab.cli.output import print_json
from metalab.cli.text import say
from metalab.store.copying import Contents

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from metalab.store.copying import TransferReport

__all__ = ["Meter", "add_options", "copied"]

_REDRAW_SECONDS = 0.2
_SHOWN = 20
_WORDS = ("run", "derived value", "log", "artifact")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "-e",
        "--experiment",
        metavar="ID",
        help="one experiment only, by its whole id; by default all",
    )
    parser.add_argument("--no-artifacts", action="store_true", help="leave out artifacts")
    parser.add_argument("--no-logs", action="store_true", help="leave out logs")
    parser.add_argument("--no-derived", action="store_true", help="leave out derived values")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="where a run is in both, let the source's record count",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def _contents_of(arguments: argparse.Namespace) -> Contents:
    return Contents(
        artifacts=not arguments.no_artifacts,
        derived=not arguments.no_derived,
        logs=not arguments.no_logs,
        overwrite=arguments.overwrite,
    )


class Meter:
    """Shows on a terminal how far a copy has come; elsewhere it says nothing."""

    def __init__(self) -> None:
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Redraw the line, if it is time to."""
        if self._live and (done == total or monotonic() >= self._next):
            self._next = monotonic() + _REDRAW_SECONDS
            sys.stderr.write(f"\r{done:,} of {total:,} runs\x1b[K")
            sys.stderr.flush()

    def close(self) -> None:
        """Remove the line."""
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def copied(
    copy: Callable[[str, str, str | None, Contents, Meter], TransferReport],
    arguments: argparse.Namespace,
) -> int:
    """Copy as the options ask for and say what was copied; 1 if anything could not be."""
    with closing(Meter()) as meter:
        report = copy(
            arguments.source,
            arguments.destination,
            arguments.experiment,
            _contents_of(arguments),
            meter,
        )
    return _tell(report, arguments)


def _tell(report: TransferReport, arguments: argparse.Namespace) -> int:
    counts = report.counts()
    if arguments.json:
        print_json({**counts, "problems": report.problems})
    else:
        words = zip(counts.values(), _WORDS, strict=True)
        told = ", ".join(f"{count:,} {word}{'s' * (count != 1)}" for count, word in words)
        say(f"copied {told} from {arguments.source} to {arguments.destination}")
        for problem in report.problems[:_SHOWN]:
            say(f"metalab: warning: {problem}", to_errors=True)
        if len(report.problems) > _SHOWN:
            rest = f"{len(report.problems) - _SHOWN:,} more; --json lists all"
            say(f"metalab: warning: and {rest}", to_errors=True)
    return 1 if report.problems else 0
