"""``metalab plugins``: which plugins are installed, and whether they load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.text import say, show_table
from metalab.errors import PluginError
from metalab.plugins import EXTENSION_POINTS, ExtensionPoint

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "problem_of", "run"]

_SHOWN = ("group", "name", "distribution", "version")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = "List the installed plugins from their metadata; nothing is imported."
    parser.add_argument(
        "--check", action="store_true", help="load each one too; exit with 1 if any is broken"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def run(arguments: argparse.Namespace) -> int:
    """List them; with ``--check`` 1 if one does not load."""
    rows = [
        attrs.asdict(info) | ({"problem": problem_of(point, info.name)} if arguments.check else {})
        for point in EXTENSION_POINTS
        for info in point.installed()
    ]
    problems = list(dict.fromkeys(row["problem"] for row in rows if row.get("problem")))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        _show(rows, check=arguments.check)
        for problem in problems:
            say(f"\nbroken: {problem}")
    return 1 if problems else 0


def problem_of(point: ExtensionPoint, name: str) -> str | None:
    """Load the plugin of a name, and return what is wrong with it."""
    try:
        point[name]
    except PluginError as error:
        return str(error)
    return None


def _show(rows: list[dict[str, Any]], *, check: bool) -> None:
    header = [*_SHOWN, *(["check"] if check else [])]
    body = [
        [row[name] for name in _SHOWN] + (["broken" if row["problem"] else "ok"] if check else [])
        for row in rows
    ]
    show_table(header, body)
