"""What reading commands read: a store that exists, its experiments, a run by its id's prefix."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from metalab.cli.usage import UsageError
from metalab.errors import StoreError
from metalab.records import Status
from metalab.results import Results, Run
from metalab.results.lookup import resolve_id
from metalab.store.config import DEFAULT_STORE_ROOT, parse_to_config

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from metalab.store.base import RunLog, Store

__all__ = [
    "LOST",
    "Experiment",
    "add_experiment",
    "add_store",
    "add_store_option",
    "experiment_of",
    "experiments_of",
    "find_run",
    "find_runs",
    "open_store",
    "short_ids",
]

_SHORTEST = 8
_HELP = f"a folder or a locator; by default {DEFAULT_STORE_ROOT}"


def add_store(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that says which store is read."""
    parser.add_argument("store", metavar="STORE", nargs="?", default=DEFAULT_STORE_ROOT, help=_HELP)


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Declare the option that says which store is read."""
    parser.add_argument("--store", metavar="STORE", default=DEFAULT_STORE_ROOT, help=_HELP)


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """Declare the option that says which experiment of the store is meant."""
    parser.add_argument(
        "-e",
        "--experiment",
        metavar="ID",
        help="the id of one experiment, or what its id alone begins with",
    )


def open_store(locator: str) -> Store:
    """Open a store to read it; raises StoreNotFoundError where there is none."""
    return parse_to_config(locator).open()


LOST = "lost"
"""What is said of a run that began and will not end."""


@attrs.frozen
class Experiment:
    """One experiment of a store, read at one moment."""

    store: Store
    log: RunLog

    @classmethod
    def read(cls, store: Store) -> Experiment:
        """Read what is stored of one experiment."""
        return cls(store, store.read())

    @property
    def experiment_id(self) -> str:
        """The experiment's name and version."""
        return str(self.store.experiment_id)

    def counts(self) -> dict[str, int]:
        """Count the runs by status; every status is there, and ``lost``."""
        found = dict.fromkeys((*(status.value for status in Status), LOST), 0)
        for state in self.log.states(self.log):
            if state is not None:
                found[state.status.value] += 1
        found[LOST] = len(self.lost)
        found[Status.RUNNING.value] -= found[LOST]
        return found

    @cached_property
    def lost(self) -> dict[str, str]:
        """The runs that began and whose worker is over, so that they will not end; and its end."""
        states = zip(self.log, self.log.states(self.log), strict=True)
        begun = [run_id for run_id, state in states if state and state.status is Status.RUNNING]
        writers = (_decode(line).writer for line in self.log.lines(begun))
        endings = zip(begun, map(self.store.ending, writers), strict=True)
        return {run_id: ending.cause for run_id, ending in endings if ending is not None}

    def results(self) -> Results:
        """Return all runs."""
        return Results.from_store(self.store)

    def runs_with(self, status: Status) -> list[Run]:
        """Return the runs of one status, in the order of the plan; no other is read."""
        states = zip(self.log, self.log.states(self.log), strict=True)
        order = [run_id for run_id, state in states if state is not None and state.status is status]
        return sorted(Results.from_store(self.store, order=order), key=lambda run: run.record.index)

    def last_change(self) -> datetime | None:
        """Return when a run began or ended last."""
        moments = (_decode(line).time for line in self.log.lines())
        latest = max((moment.end or moment.start or "" for moment in moments), default="")
        return datetime.fromisoformat(latest) if latest else None

    def last_launch(self) -> Mapping[str, Any]:
        """Return what is kept of the last launch that had something to do; empty if nothing is."""
        launches = self.store.launches()
        return launches[next(reversed(launches))] if launches else {}


def experiments_of(store: Store, wanted: str | None = None) -> list[Store]:
    """Return the store of each experiment, or of the one whose id begins with ``wanted``."""
    there = [str(store.experiment_id)] if store.is_scoped else store.list_experiments()
    chosen = there if wanted is None else [_chosen(wanted, there, store.locator)]
    return [store.scoped(experiment_id) for experiment_id in dict.fromkeys(chosen)]


def experiment_of(locator: str, wanted: str | None = None) -> Store:
    """Return the store of the one experiment that is meant; raises UsageError for several."""
    stores = experiments_of(open_store(locator), wanted)
    if not stores:
        raise StoreError(f"{locator} holds no experiment yet; run one first")
    if len(stores) > 1:
        there = ", ".join(str(store.experiment_id) for store in stores)
        raise UsageError(f"{locator} holds {there}: choose one with --experiment")
    return stores[0]


def find_run(store: Store, prefix: str) -> tuple[Store, Run]:
    """Return the run whose id alone, of all in the store, begins with the prefix; and its store.

    Raises an error that lists what there is if no id does, or several do.
    """
    ((home, run_id),) = find_runs(store, [prefix])
    return home, Results.from_store(home, order=[run_id])[0]


def find_runs(store: Store, prefixes: Iterable[str]) -> list[tuple[Store, str]]:
    """Return the ids that prefixes mean, as ``find_run`` does, each once; and their stores."""
    stores = experiments_of(store)
    found = [(each, run_id) for each in stores for run_id in each.read()]
    run_ids = [run_id for _, run_id in found]
    return [found[place] for place in dict.fromkeys(resolve_id(p, run_ids) for p in prefixes)]


def short_ids(run_ids: Sequence[str]) -> list[str]:
    """Cut ids to a length at which they still differ, at least eight digits."""
    ordered = sorted(set(run_ids))
    shared = (_shared(one, other) for one, other in pairwise(ordered))
    length = max(_SHORTEST, max(shared, default=0) + 1)
    return [run_id[:length] for run_id in run_ids]


def _shared(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _chosen(wanted: str, there: Sequence[str], place: str) -> str:
    found = [wanted] if wanted in there else [each for each in there if each.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise StoreError(f"{wanted!r} may mean {', '.join(found)}; write more of the id")
    raise StoreError(f"{place} has no experiment {wanted!r}; there is {', '.join(there) or 'none'}")


class _Time(msgspec.Struct, frozen=True, gc=False):
    start: str | None = None
    end: str | None = None


class _Moment(msgspec.Struct, gc=False):
    writer: str = ""
    time: _Time = _Time()


_decode = msgspec.json.Decoder(_Moment).decode
