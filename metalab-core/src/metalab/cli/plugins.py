"""``metalab plugins``: which plugins are installed, and whether they load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.text import columns
from metalab.errors import PluginError
from metalab.plugins import EXTENSION_POINTS, ExtensionPoint

if TYPE_CHECKING:
    import argparse

__all__ = ["add_to"]

_SHOWN = ("group", "name", "distribution", "version")


def add_to(commands: Any) -> None:
    """Add the subcommand to argparse's collection of them."""
    parser = commands.add_parser(
        "plugins",
        help="list the installed plugins",
        description="List the installed plugins from their metadata; nothing is imported.",
    )
    parser.add_argument(
        "--check", action="store_true", help="load each one too; exit with 1 if any is broken"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    rows = [
        attrs.asdict(info) | ({"problem": _problem(point, info.name)} if arguments.check else {})
        for point in EXTENSION_POINTS
        for info in point.installed()
    ]
    problems = list(dict.fromkeys(row["problem"] for row in rows if row.get("problem")))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print(_table(rows, check=arguments.check))
        for problem in problems:
            print(f"\nbroken: {problem}")
    return 1 if problems else 0


def _problem(point: ExtensionPoint, name: str) -> str | None:
    try:
        point[name]
    except PluginError as error:
        return str(error)
    return None


def _table(rows: list[dict[str, Any]], *, check: bool) -> str:
    header = [*_SHOWN, *(["check"] if check else [])]
    body = [
        [row[name] for name in _SHOWN] + (["broken" if row["problem"] else "ok"] if check else [])
        for row in rows
    ]
    return columns([header, *body])
