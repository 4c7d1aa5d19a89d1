"""What reading commands print: strict JSON for programs, words and moments for people."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.text import as_it_is
from metalab.identity.values import to_jsonable
from metalab.progress.text import duration
from metalab.results.cells import written
from metalab.results.export import put_csv

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from metalab.results import Run

__all__ = [
    "add_formats",
    "cell",
    "document_of",
    "given",
    "iso",
    "local",
    "print_csv",
    "print_json",
    "took",
]


def add_formats(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare the options for programs that read, of which one may be given: JSON and CSV."""
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help=f"print a JSON {what}")
    formats.add_argument(
        "--csv",
        action="store_true",
        help="print CSV; values are exact, so that a spreadsheet may take a text that begins "
        "with = for a formula",
    )


def print_csv(columns: Mapping[str, Sequence[Any]]) -> None:
    """Print columns as ``Results.to_csv`` writes them, exact but on a terminal."""
    put_csv(columns, as_it_is())


def print_json(document: Any) -> None:
    """Print a document as strict JSON; a value that JSON has not is tagged as in a store."""
    print(json.dumps(to_jsonable(document), indent=2, allow_nan=False))


def document_of(value: attrs.AttrsInstance) -> dict[str, Any]:
    """Describe a value for programs: its fields, with lists and plain text in them."""
    return attrs.asdict(value, value_serializer=_plain)


def _plain(_owner: Any, _field: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, Enum) else value


def iso(moment: datetime | None) -> str | None:
    """Write a moment for programs: ISO 8601 with its offset from UTC."""
    return None if moment is None else moment.isoformat(timespec="microseconds")


def local(moment: datetime | None) -> str:
    """Write a moment for people: to the second, in the local time zone."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def took(milliseconds: float | None) -> str:
    """Write how long something took."""
    return "" if milliseconds is None else duration(milliseconds / 1000)


def cell(value: Any) -> str:
    """Write one value as a cell of a table, shortened where it is long."""
    return written([value])[0]


def given(run: Run) -> str:
    """Write in one line what a run was given: its params and its replicate."""
    params: Mapping[str, Any] = run.params
    shown = [f"{name}={cell(value)}" for name, value in params.items()]
    if run.replicate is not None:
        shown.append(f"replicate={run.replicate}")
    return " ".join(shown)
