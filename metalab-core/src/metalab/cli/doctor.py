"""``metalab doctor``: check the environment, the plugins and a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from metalab.cli.environment import check_environment
from metalab.cli.finding import Finding, State
from metalab.cli.output import print_json
from metalab.cli.storage import check_store
from metalab.cli.text import show_table
from metalab.store.config import DEFAULT_STORE_ROOT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Check the environment, the plugins and a store, and say what its file system "
        "promises. The exit code is 1 if something is wrong."
    )
    parser.add_argument(
        "store",
        metavar="STORE",
        nargs="?",
        help=f"a folder or a locator; by default {DEFAULT_STORE_ROOT} if it exists",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Check everything; 1 if something is wrong."""
    found = list(_findings(arguments.store))
    wrong = any(finding.state is State.WRONG for finding in found)
    if arguments.json:
        described = [attrs.asdict(finding) | {"state": finding.state.value} for finding in found]
        print_json({"ok": not wrong, "findings": described})
    else:
        rows = [[finding.state.value, finding.topic, finding.text] for finding in found]
        show_table(["state", "what", "finding"], rows)
    return 1 if wrong else 0


def _findings(store: str | None) -> Iterator[Finding]:
    yield from check_environment()
    if store is not None or Path(DEFAULT_STORE_ROOT).exists():
        yield from check_store(store or DEFAULT_STORE_ROOT)
    else:
        yield Finding("store", State.NOTE, f"there is none at {DEFAULT_STORE_ROOT} yet")
