"""``metalab watch``: follow an experiment while its runs are executed, wherever that is."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from metalab.cli.causes import cause_of
from metalab.cli.collection import add_experiment, add_store, experiment_of
from metalab.cli.following import Follower, Look
from metalab.cli.interval import add_interval, interval_of
from metalab.cli.output import cell
from metalab.cli.text import say
from metalab.errors import StoreError, StoreNotFoundError
from metalab.harmless import harmless
from metalab.identity.values import to_jsonable
from metalab.progress.text import cause_line, duration
from metalab.records import Status

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

__all__ = ["add_arguments", "run"]

_OVER = (
    "the launch is over, and not all of its runs have ended; run the same again to go on with them"
)
_METRICS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Follow an experiment until all its runs have ended: counts, the newest metrics, what "
        "failed, how fast it goes and how long it may take. Ctrl-C stops watching, nothing else."
    )
    add_store(parser)
    add_experiment(parser)
    add_interval(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object for each change")


def run(arguments: argparse.Namespace) -> int:
    """Watch until all is done or nobody executes runs any more, 1 then; or until Ctrl-C."""
    interval = interval_of(arguments)
    store = experiment_of(arguments.store, arguments.experiment)
    looks = _looks(Follower(store), interval)
    last = None
    with suppress(KeyboardInterrupt), _shown(as_json=arguments.json) as show:
        for look in looks:
            show(look)
            last = look
        if last is not None and not last.is_done:
            say(f"metalab: {_OVER}", to_errors=True)
            return 1
    return 0


def _shown(*, as_json: bool) -> AbstractContextManager[Callable[[Look], None]]:
    if as_json:
        return nullcontext(_print_document)
    return _bar() if sys.stdout.isatty() else nullcontext(_Lines())


def _looks(follower: Follower, interval: float) -> Iterator[Look]:
    told = ""
    over = False
    while True:
        try:
            look = follower.look()
        except StoreNotFoundError as error:
            raise StoreError(f"the store was removed while it was watched: {error}") from error
        except StoreError as error:
            # A network file system may fail for a while, and another look may do better.
            if str(error) != told:
                told = str(error)
                say(f"metalab: {told}; looking again", to_errors=True)
            look = None
        if look is not None:
            yield look
            if look.is_done:
                return
        elif over:  # and nothing was written since that was found
            return
        over = look is None and follower.is_over()
        time.sleep(interval)


def _print_document(look: Look) -> None:
    print(json.dumps(to_jsonable(look.document()), allow_nan=False), flush=True)


class _Lines:
    """Prints a line for each look, after what is new in it."""

    def __init__(self) -> None:
        self._words = _News()

    def __call__(self, look: Look) -> None:
        for line in (*_failures(look), *self._words.of(look)):
            say(line)
        say(f"{look.experiment_id}: {_told(look)}", flush=True)


class _News:
    """Knows what an executor has said before."""

    def __init__(self) -> None:
        self._told: Sequence[str] = ()

    def of(self, look: Look) -> list[str]:
        """Return what it had not said at the last look."""
        new = [words for words in look.words if words not in self._told]
        self._told = look.words
        return new


def _failures(look: Look) -> list[str]:
    return [f"{cause_line(cause_of(each))} (run {each.run_id})" for each in look.failed]


def _told(look: Look) -> str:
    parts = [f"{look.ended:,}{'' if look.total is None else f'/{look.total:,}'} runs"]
    words = (Status.FAILED, Status.CANCELLED, Status.RUNNING)
    parts += [f"{n:,} {status.value}" for status in words if (n := look.counts[status])]
    if look.newest is not None:
        shown = list(look.newest.metrics.items())[:_METRICS]
        parts += [f"{name} {cell(value)}" for name, value in shown]
    if look.rate is not None:
        parts.append(f"{look.rate:.3g} runs/s")
    if look.is_done:
        parts.append("done")
    elif look.left is not None:
        parts.append(f"{duration(look.left)} left")
    return ", ".join(parts)


@contextmanager
def _bar() -> Iterator[Callable[[Look], None]]:
    """Draw on the terminal, with rich where it is installed."""
    try:
        # A soft dependency, drawn with where the user has installed it.
        from metalab.progress.rich import StatusBar  # noqa: PLC0415
    except ImportError:
        yield _Lines()
        return
    words = _News()
    with StatusBar() as bar:

        def draw(look: Look) -> None:
            for failure in _failures(look):
                bar.print(harmless(failure), style="red")
            for line in words.of(look):
                bar.print(harmless(line))
            title, status = map(harmless, (look.experiment_id, _told(look)))
            bar.draw(title, status, look.ended, look.total)

        yield draw
