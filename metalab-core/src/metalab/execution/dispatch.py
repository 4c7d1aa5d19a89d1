"""Dispatches: a batch as it lies in the store, from which other processes execute it.

An executor whose workers begin later, on other machines, keeps the batch before it asks for
them. The folder of the launch then holds ``dispatch.json``, which says all but the runs, and
``runs.bin``: the id of every run of the plan, the runs that are pending, those that lack
derived metrics, and the tries to begin with. Whoever may read the store can read both. What
executes the user's code is a parcel, which is its owner's alone.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, NoReturn, Self

import attrs

from metalab.errors import PayloadError, RunTimeoutError, StoreError, WorkerDiedError
from metalab.execution.base import Batch
from metalab.execution.bitmap import bitmap_of, bits_of
from metalab.execution.parcel import fetch_parcel, keep_parcel
from metalab.execution.policy import FailurePolicy, Limits, Retry
from metalab.execution.sealed import SealedPlan
from metalab.execution.snapshot import take_snapshot
from metalab.identity.code import CodeFingerprint
from metalab.planning import Plan, RunIds
from metalab.store.config import StoreConfig
from metalab.transport import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from metalab.execution.ledger import Ledger
    from metalab.results import Run
    from metalab.results.derived import DerivedMetric
    from metalab.store.base import Store

__all__ = ["Dispatch"]

_FORMAT = 1
_ABOUT, _RUNS = "dispatch.json", "runs.bin"
_ID_BYTES = 16
_TRY = struct.Struct("<QIII")  # index, epoch, attempt, whether it was under way
_PLAIN = (
    "launch",
    "experiment_id",
    "executor",
    "options",
    "manifest",
    "digest",
    "payload",
    "on_failure",
)
_DEATHS = {each.__name__: each for each in (RunTimeoutError, WorkerDiedError)}


@attrs.frozen(eq=False, kw_only=True)
class Dispatch:
    """One batch that was kept, and the folder where.

    ``options`` are the executor's own, as strict JSON. Of ``metrics`` that were read the
    functions are in the parcel. ``tries`` are those of runs that have a
    record already, by id, and ``started`` the ids of those of them that were under way.
    """

    folder: Path
    launch: str
    experiment_id: str
    executor: str
    options: Mapping[str, Any]
    manifest: str
    digest: str
    payload: str
    surroundings: Surroundings
    on_failure: int | None
    retry: Retry
    limits: Limits
    metrics: Sequence[DerivedMetric]
    ids: RunIds = attrs.field(repr=False)
    pending: Sequence[int] = attrs.field(repr=False)
    underived: Sequence[int] = attrs.field(repr=False)
    tries: Mapping[str, tuple[int, int]] = attrs.field(repr=False)
    started: frozenset[str] = attrs.field(repr=False)
    config: StoreConfig

    @classmethod
    def keep(
        cls,
        batch: Batch,
        packed_plan: bytes,
        executor: str,
        options: Mapping[str, Any],
        *,
        snapshot: bool = False,
    ) -> Self:
        """Keep a batch, whose plan ``packed`` made bytes of; all of it is durable afterwards.

        With ``snapshot`` the user's own modules are copied beside it, and found there first.
        Raises StoreError where the store keeps no files of executors, or cannot be written to,
        and PayloadError for modules that are too large to copy.
        """
        folder = batch.store.launch_folder(batch.launch)
        surroundings = Surroundings.here()
        if snapshot:
            source = take_snapshot(folder / "source")
            surroundings = attrs.evolve(surroundings, path=[source, *surroundings.path])
        plan = batch.plan
        dispatch = cls(
            folder=folder,
            launch=batch.launch,
            experiment_id=plan.experiment_id,
            executor=executor,
            options=options,
            manifest=batch.manifest,
            digest=plan.digest,
            payload=keep_parcel(batch.store, packed_plan, surroundings),
            surroundings=surroundings,
            on_failure=batch.failures.limit,
            retry=batch.retry,
            limits=batch.limits,
            metrics=batch.derived_metrics,
            ids=plan.ids,
            pending=batch.pending,
            underived=batch.underived,
            tries=batch.tries,
            started=frozenset(batch.started),
            config=batch.store.config,
        )
        batch.store.put_launch_file(batch.launch, _RUNS, dispatch._runs())
        batch.store.put_launch_file(batch.launch, _ABOUT, _json(dispatch._document()))
        return dispatch

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read the dispatch of a launch's folder.

        Raises FileNotFoundError where there is none, StoreError if it cannot be understood.
        """
        try:
            about = json.loads((folder / _ABOUT).read_bytes())
            if about["format"] > _FORMAT:
                raise StoreError(
                    f"{folder / _ABOUT} was written by a newer metalab; upgrade this one"
                )
            runs = memoryview((folder / _RUNS).read_bytes())
            return cls(**_described(about), **_read_runs(runs, about["runs"]), folder=folder)
        except (KeyError, TypeError, ValueError, struct.error) as error:
            raise StoreError(f"{folder / _ABOUT} cannot be read: {error!r}") from error

    @property
    def runs(self) -> int:
        """How many runs the whole plan has."""
        return len(self.ids)

    def plan(self, store: Store, *, may_open: bool = True) -> SealedPlan:
        """Return the plan, sealed; it opens only where that is allowed."""

        def unseal() -> Plan:
            if not may_open:
                raise PayloadError("the plan of another process is not opened to look at its runs")
            opened: Plan = fetch_parcel(store, self.payload).open(self.ids)[0]
            return opened

        code = CodeFingerprint(**store.manifests()[self.manifest]["code"])
        return SealedPlan(self.experiment_id, self.digest, code, self.ids, unseal)

    def batch(self, store: Store, ledger: Ledger, *, may_open: bool = True) -> Batch:
        """Return the batch again, to execute it or, where nothing may be opened, to follow it."""
        return Batch(
            plan=self.plan(store, may_open=may_open),
            store=store,
            launch=self.launch,
            manifest=self.manifest,
            retry=self.retry,
            limits=self.limits,
            derived_metrics=self.metrics,
            pending=self.pending,
            tries=self.tries,
            ledger=ledger,
            failures=FailurePolicy("continue" if self.on_failure is None else self.on_failure),
            underived=self.underived,
            started=self.started,
        )

    def _document(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "launch": self.launch,
            "experiment_id": self.experiment_id,
            "executor": self.executor,
            "options": self.options,
            "manifest": self.manifest,
            "digest": self.digest,
            "runs": self.runs,
            "payload": self.payload,
            "surroundings": attrs.asdict(self.surroundings),
            "on_failure": self.on_failure,
            "retry": _told(self.retry),
            "limits": attrs.asdict(self.limits),
            "metrics": {metric.name: metric.code for metric in self.metrics},
            "store": self.config.to_dict(),
        }

    def _runs(self) -> bytes:
        # Where no run was tried before, none is looked for among what may be a million.
        known = self.pending if self.tries else ()
        index = {run_id: i for i in known if (run_id := self.ids.at(i)) in self.tries}
        tries = (
            _TRY.pack(index[run_id], *place, run_id in self.started)
            for run_id, place in self.tries.items()
            if run_id in index
        )
        maps = (bitmap_of(part, self.runs) for part in (self.pending, self.underived))
        return b"".join((self.ids.packed, *maps, *tries))


def _described(about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: about[name] for name in _PLAIN},
        "surroundings": Surroundings(**about["surroundings"]),
        "retry": _retry(about["retry"]),
        "limits": Limits(**about["limits"]),
        "metrics": _read_metrics(about["metrics"]),
        "config": StoreConfig.from_dict(about["store"]),
    }


def _read_metrics(codes: Mapping[str, str]) -> Sequence[DerivedMetric]:
    if not codes:
        return ()
    # Most launches derive nothing, and this is a third of what a pilot would import.
    from metalab.results.derived import DerivedMetric  # noqa: PLC0415

    return [DerivedMetric(name, _sent, code) for name, code in codes.items()]


def _sent(_: Run) -> NoReturn:
    """Stand for a function that is in the parcel; only workers open that."""
    raise PayloadError("a derived metric is computed by workers alone")


def _read_runs(data: memoryview, runs: int) -> dict[str, Any]:
    width = -(-runs // 8)
    ends = [_ID_BYTES * runs, _ID_BYTES * runs + width, _ID_BYTES * runs + 2 * width]
    ids = RunIds(data[: ends[0]])
    places = [(ids.at(index), *rest) for index, *rest in _TRY.iter_unpack(data[ends[2] :])]
    return {
        "ids": ids,
        "pending": bits_of(data[ends[0] : ends[1]], runs),
        "underived": bits_of(data[ends[1] : ends[2]], runs) if any(data[ends[1] : ends[2]]) else (),
        "tries": {run_id: (epoch, attempt) for run_id, epoch, attempt, _ in places},
        "started": frozenset(run_id for run_id, _, _, started in places if started),
    }


def _told(retry: Retry) -> dict[str, Any]:
    """Describe what a supervisor must know of a policy; the rest travels in the parcel."""
    on = [name for name, kind in _DEATHS.items() if issubclass(kind, retry.on)]
    return {
        "max_attempts": retry.max_attempts,
        "on": on,
        "backoff": retry.backoff,
        "longest": retry.longest,
    }


def _retry(told: Mapping[str, Any]) -> Retry:
    return Retry(**{**told, "on": tuple(_DEATHS[name] for name in told["on"])})


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, allow_nan=False, indent=2).encode() + b"\n"
