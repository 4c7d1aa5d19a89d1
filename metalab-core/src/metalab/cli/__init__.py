"""The command ``metalab``: each subcommand calls one public function and prints what it says.

Exit codes: 0 when all is well, 1 when what was asked for failed, 2 for a command that
cannot be understood.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from metalab.cli import plugins
from metalab.errors import MetalabError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (``sys.argv`` by default) and return its exit code."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse's way to end, after --help and usage errors alike
        return int(stop.code or 0)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except MetalabError as error:
        print(f"metalab: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (`| head`) has gone; without this, Python complains again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="metalab", description="Run experiments, and look after what they leave behind."
    )
    parser.add_argument("--version", action="version", version=f"metalab {version('metalab-core')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    plugins.add_to(commands)
    return parser
