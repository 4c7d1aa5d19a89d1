"""The command ``metalab``: each command calls what is public anyway and prints what it says.

Exit codes: 0 when all is well, 1 when what was asked for failed or something is wrong, 2
for a command line that cannot be meant as it is, 130 after Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from metalab.cli.parser import make_parser
from metalab.cli.text import say
from metalab.cli.usage import UsageError
from metalab.cli.warned import plain_warnings
from metalab.errors import MetalabError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

__all__ = ["main"]

_INTERRUPTED = 128 + 2  # what a shell reports of a process that SIGINT ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (``sys.argv`` by default) and return its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal's encoding lacks is shown as an escape, and is no error.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = 0
    try:
        code = _execute(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has all it wants. Without this, Python complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _execute(words: Sequence[str]) -> int:
    try:
        arguments = make_parser(words).parse_args(words)
    except SystemExit as stop:  # argparse's way to end, after --help and usage errors alike
        return int(stop.code or 0)
    try:
        with plain_warnings():
            code: int = arguments.run(arguments)
    except BrokenPipeError:
        raise
    except (MetalabError, OSError, TypeError, ValueError) as error:
        # What metalab raises about what it was given. Anything else is a fault of ours, and
        # is shown as Python does.
        if _wants_traceback(arguments):
            # An import that few need, and all would wait for.
            from traceback import format_exc  # noqa: PLC0415

            say(format_exc().rstrip(), to_errors=True)
        say(f"metalab: error: {_told(error)}", to_errors=True)
        return 2 if isinstance(error, UsageError) else 1
    return code


def _wants_traceback(arguments: argparse.Namespace) -> bool:
    return arguments.debug or os.environ.get("METALAB_DEBUG", "0") not in {"", "0"}


def _told(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and not isinstance(error, MetalabError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(text.split())
