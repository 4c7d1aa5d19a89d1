"""``metalab diff``: in what two runs differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.cli.collection import add_store_option, find_run, open_store
from metalab.cli.output import cell, document_of, print_json
from metalab.cli.text import columns, say
from metalab.cli.usage import UsageError
from metalab.errors import MetalabError
from metalab.results.aspects import ASPECTS
from metalab.results.differences import Kind

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from metalab.results import Run
    from metalab.results.differences import Change, Differences

__all__ = ["add_arguments", "run"]

_SHORT = 8
_LONG_DIGEST = 64
_NONE = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Tell in what two runs differ: params, context, seeds, code, environment, metrics. The "
        "exit code is 0 if they are equal in these, 1 if they are not or it is unknown whether "
        "they are, 2 if they cannot be compared."
    )
    parser.add_argument("run_id", metavar="RUN", help="the run's id, or what it alone begins with")
    parser.add_argument("other_id", metavar="OTHER", help="the id of the other run, likewise")
    add_store_option(parser)
    parser.add_argument(
        "--other-store", metavar="STORE", help="where the other run is; by default in the same"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Compare two runs."""
    try:
        found = _run(arguments.store, arguments.run_id).diff(
            _run(arguments.other_store or arguments.store, arguments.other_id)
        )
    except (MetalabError, OSError, ValueError) as error:
        # As diff does: 1 says that there is a difference, and no more than that.
        raise UsageError(str(error)) from error
    if arguments.json:
        print_json({"are_different": found.are_different, **document_of(found)})
    else:
        say("\n".join(_lines(found)))
    return int(found.are_different is not False)


def _run(store: str, run_id: str) -> Run:
    return find_run(open_store(store), run_id)[1]


def _lines(found: Differences) -> Iterator[str]:
    yield f"{found.left[:_SHORT]} -> {found.right[:_SHORT]}"
    known, unknown = found.known, found.unknown
    for aspect, changes in known.items():
        rows = [
            [c.name or "", _shown(c, c.before), "->", _shown(c, c.after), _by(c)] for c in changes
        ]
        yield from ("", f"{aspect}:", *(f"  {line}" for line in columns(rows).splitlines()))
    if unknown:
        yield from ("", "unknown, for want of a record:")
        for aspect, changes in unknown.items():
            # No name means all of it, or all the rest.
            names = ", ".join("all" if change.name is None else change.name for change in changes)
            yield f"  {aspect}: {names}"
    same = [name for name in ASPECTS if name not in known and name not in unknown]
    if same:
        yield from ("", f"equal: {', '.join(same)}")


def _shown(change: Change, value: object) -> str:
    if value is None:
        return _NONE
    if isinstance(value, str) and len(value) == _LONG_DIGEST and " " not in value:
        return value[:12]
    if change.kind is not Kind.CHANGED and value == "":
        return "''"
    return cell(value)


def _by(change: Change) -> str:
    return "" if change.by is None else f"({change.by:+.6g})"
