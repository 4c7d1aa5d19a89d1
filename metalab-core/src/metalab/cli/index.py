"""``metalab index``: look after the index that a store keeps beside its runs."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from metalab.cli.collection import add_store, open_store
from metalab.cli.interval import add_interval, interval_of
from metalab.cli.meter import Meter
from metalab.cli.output import document_of, iso, local, print_json
from metalab.cli.text import many, say, show_table, size
from metalab.cli.usage import UsageError
from metalab.plugins import STORES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from metalab.store.indexing import StoreIndex

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Look after the index of a store that has one: an index can be dropped at any time, and "
        "is made again from the files. verify exits with 1 if it differs from them."
    )
    parser.add_argument(
        "what", metavar="ACTION", choices=_ACTIONS, help="; ".join(map(_told, _ACTIONS))
    )
    add_store(parser)
    add_interval(parser, "follow: ")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked for; 1 if verify finds a difference."""
    store = open_store(arguments.store)
    if store.index is None:
        raise UsageError(
            f"{store.locator} keeps no index: stores of the kind {store.config.scheme!r} answer "
            f"from what they keep; metalab plugins lists other kinds{_to_install()}"
        )
    return _ACTIONS[arguments.what][1](store.index, arguments)


def _to_install() -> str:
    extras = dict.fromkeys(STORES.extras().values())
    return "".join(f", and pip install '{extra}' brings one" for extra in extras)


def _update(index: StoreIndex, arguments: argparse.Namespace) -> int:
    return _counted(index.update(), "indexed", arguments)


def _rebuild(index: StoreIndex, arguments: argparse.Namespace) -> int:
    with Meter("rebuilding") as meter:
        lines = index.rebuild(on_progress=meter)
    return _counted(lines, "rebuilt", arguments)


def _counted(lines: int, done: str, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json({"lines": lines})
    else:
        say(f"{done}: {many(lines, 'line')}")
    return 0


def _verify(index: StoreIndex, arguments: argparse.Namespace) -> int:
    found = list(index.verify())
    if arguments.json:
        print_json({"ok": not found, "differences": found})
    else:
        for each in found:
            say(str(each))
        verdict = many(len(found), "difference") if found else "the index is what the files say"
        say(verdict)
    return 1 if found else 0


def _status(index: StoreIndex, arguments: argparse.Namespace) -> int:
    status = index.status()
    if arguments.json:
        totals = {"lag_bytes": status.lag_bytes, "bad_lines": status.bad_lines}
        print_json({**document_of(status), "as_of": iso(status.as_of), **totals})
        return 0
    rows = [
        [
            each.experiment_id,
            f"{each.runs:,}",
            f"{each.segments:,}",
            f"{each.lines:,}",
            f"{each.bad_lines:,}",
            size(each.lag_bytes),
        ]
        for each in status.experiments
    ]
    names = ["experiment", "runs", "segments", "lines", "bad lines", "behind"]
    show_table(names, rows, set(range(1, len(names))))
    say(f"as of {local(status.as_of)}, {size(status.size_bytes)} in the database")
    if status.field_indexes:
        say(f"found at once by {', '.join(status.field_indexes)}")
    return 0


def _follow(index: StoreIndex, arguments: argparse.Namespace) -> int:
    interval = interval_of(arguments)
    with suppress(KeyboardInterrupt):  # it is how one ends it
        index.follow(threading.Event(), interval=interval)
    return 0


def _told(name: str) -> str:
    return f"{name}: {_ACTIONS[name][0]}"


_ACTIONS: dict[str, tuple[str, Callable[[StoreIndex, argparse.Namespace], int]]] = {
    "status": ("how it stands", _status),
    "update": ("index what is new", _update),
    "verify": ("compare it with the files", _verify),
    "rebuild": ("make it anew, while readers use the old one", _rebuild),
    "follow": ("keep it up to date until Ctrl-C", _follow),
}
