"""The interval at which a command looks again, as an option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.cli.usage import UsageError

if TYPE_CHECKING:
    import argparse

__all__ = ["add_interval", "interval_of"]

_SECONDS = 2.0


def add_interval(parser: argparse.ArgumentParser, when: str = "") -> None:
    """Declare the option; ``when`` says for what it counts, as in ``"follow: "``."""
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=float,
        default=_SECONDS,
        help=f"{when}how often to look; by default every {_SECONDS:g} seconds",
    )


def interval_of(arguments: argparse.Namespace) -> float:
    """Return the seconds that were given; raises UsageError unless they are more than 0."""
    seconds: float = arguments.interval
    if not seconds > 0:
        raise UsageError(f"--interval {seconds:g}: give seconds, more than 0")
    return seconds
