"""``metalab completion``: a script that teaches a shell the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.cli.grammar import grammar
from metalab.cli.shells import SHELLS

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Print a script that completes metalab's commands, options and files in a shell. Have "
        "it read at the start of each shell, as its first lines say."
    )
    parser.add_argument("shell", metavar="SHELL", choices=sorted(SHELLS), help="bash, fish or zsh")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    for line in SHELLS[arguments.shell](grammar()):
        print(line)
    return 0
