"""``metalab import``: bring the runs of another store, of this or the earlier layout, into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.cli.copying import add_options, copied
from metalab.store.config import DEFAULT_STORE_ROOT
from metalab.store.earlier.importing import import_store

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Bring the runs of another store into one. A folder of the earlier layout, with a JSON "
        "file for each run, is recognised; nothing in it is written."
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="a folder or a locator, of this or the earlier layout"
    )
    parser.add_argument(
        "destination",
        metavar="DESTINATION",
        nargs="?",
        default=DEFAULT_STORE_ROOT,
        help=f"a folder or a locator; by default {DEFAULT_STORE_ROOT}",
    )
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Import; 1 if anything could not be."""
    return copied(import_store, arguments)
