"""``metalab export``: copy experiments with all that they have into another store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.cli.copying import add_options, copied
from metalab.store.transfer import transfer

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Copy experiments with all that they have into another store. What is there already is "
        "not copied again, so that a copy that was interrupted is finished by the next one."
    )
    parser.add_argument("source", metavar="SOURCE", help="a folder or a locator; may be in use")
    parser.add_argument(
        "destination", metavar="DESTINATION", help="a folder or a locator; made if it is missing"
    )
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Export; 1 if anything could not be copied."""
    return copied(transfer, arguments)
