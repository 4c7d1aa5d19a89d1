"""The command line's grammar: every command, and the options of the one that is asked for.

A command is a module of this package with two functions: ``add_arguments(parser)`` and
``run(arguments)``, which returns the exit code. Only the command that the command line
names is imported, so that none pays for what another one needs. A command that is none of
core's is looked for in the store plugin of its name, and there alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from metalab.cli.version import installed_version
from metalab.errors import MissingPluginError, PluginError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "make_parser"]

COMMANDS = {
    "run": "run the experiment of a file",
    "retry": "execute runs again that have failed, or were cut short",
    "plan": "say what run would do, and do nothing",
    "status": "count the runs of each experiment, and say what failed and why",
    "watch": "follow an experiment until all its runs have ended",
    "cancel": "end a launch that goes on by itself, as one on a cluster",
    "ls": "list experiments, or the runs of one",
    "show": "show all that is known of a run",
    "diff": "tell in what two runs differ",
    "logs": "print what a run logged, or the jobs of a launch",
    "report": "write a page of settings and runs to hand on",
    "export": "copy experiments, with all that they have, into another store",
    "import": "bring the runs of another store, or of the earlier layout, into one",
    "rm": "forget runs, so that they are executed again",
    "compact": "merge the files of writers that have ended into few",
    "fsck": "check every line and every artifact of a store",
    "index": "look after the index that a store keeps beside its runs",
    "plugins": "list the installed plugins",
    "doctor": "check the environment, the plugins and a store",
    "completion": "print a completion script for a shell",
}
"""Every command, and what it is for."""

_NARROWEST, _WIDEST = 60, 100


def make_parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Make the parser for a command line; without ``words``, for every command there is."""
    layout = partial(argparse.HelpFormatter, width=_width())
    parser = argparse.ArgumentParser(
        prog="metalab",
        description="Run experiments, and look after what they leave behind.",
        formatter_class=layout,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print the version of metalab and exit"
    )
    _add_debug(parser, default=False)
    # With a prog given, argparse does not lay out a usage line here to find one.
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True, prog="metalab"
    )
    named = None if words is None else _command_of(words)
    asked_for = COMMANDS.keys() if words is None else {named}
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, formatter_class=layout, add_help=name in asked_for
        )
        if name in asked_for:
            _fill(command, f"metalab.cli.{name}{'_' * iskeyword(name)}")
    if named is not None and named not in COMMANDS:
        try:
            module = _plugin_module(named)
        except PluginError as error:
            parser.error(str(error))
        if module is not None:
            _fill(commands.add_parser(named, formatter_class=layout), module)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(f"metalab {installed_version()}\n")
        parser.exit()


def _fill(command: argparse.ArgumentParser, name: str) -> None:
    module: Any = import_module(name)
    module.add_arguments(command)
    command.set_defaults(run=module.run)
    _add_debug(command, default=argparse.SUPPRESS)


def _plugin_module(name: str) -> str | None:
    # Imported for a command that core does not know, and for no other.
    stores = import_module("metalab.plugins").STORES
    if name in stores:
        module: str | None = stores[name].metalab_command()
        return module
    if name in stores.extras():
        raise MissingPluginError(f"the command {name!r} is a plugin's: {stores.missing(name)}")
    return None


def _command_of(words: Sequence[str]) -> str | None:
    # The options that may stand before a command take no values.
    return next((word for word in words if not word.startswith("-")), None)


def _add_debug(parser: argparse.ArgumentParser, *, default: object) -> None:
    parser.add_argument(
        "--debug",
        action="store_true",
        default=default,
        help="show the traceback of an error (as METALAB_DEBUG=1 does)",
    )


def _width() -> int:
    # argparse would ask shutil, whose import costs a tenth of what `--help` may cost.
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
    except (OSError, ValueError):  # no terminal, or no number
        columns = _WIDEST
    return min(max(columns - 2, _NARROWEST), _WIDEST)
