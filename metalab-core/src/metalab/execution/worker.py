"""The worker loop: take a run of a batch, execute it, hand its record to the store."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from metalab.capture import Capture
from metalab.errors import RunFailedError
from metalab.execution.offspring import called_here
from metalab.execution.outcome import (
    Outcome,
    check_doom,
    check_files,
    check_params,
    outcome_of_error,
    outcome_of_value,
)
from metalab.records import Provenance, RunRecord, Status, tags_of
from metalab.runtime import CancellationToken, Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.checkpoints import Checkpoints
    from metalab.events import Event
    from metalab.execution.base import Work
    from metalab.execution.doom import Doom
    from metalab.execution.inheritance import Try
    from metalab.planning import RunSpec
    from metalab.results.derived import Deriver
    from metalab.store.base import StoreWriter

__all__ = ["Ended", "Witness", "Worker", "deriver_of"]


class Witness(Protocol):
    """Is told what happens to the runs that a worker executes; see Ledger."""

    def tell(self, event: Event) -> None: ...
    def started(self, index: int, record: Callable[[], RunRecord]) -> None: ...
    def acknowledgement(self, record: RunRecord) -> Callable[[], None]: ...
    def retried(self, record: RunRecord) -> None: ...


@attrs.frozen
class Ended:
    """How an attempt ended, and whether another one is to be made."""

    status: Status
    again: bool = False


class Worker:
    """Executes runs of one launch, one at a time.

    ``name`` tells the worker from others of its launch in logs and records, as in
    ``thread:0``. Without a ``deriver`` no derived metrics are computed.
    """

    def __init__(
        self,
        work: Work,
        witness: Witness,
        writer: StoreWriter,
        token: CancellationToken,
        name: str,
        deriver: Deriver | None = None,
    ) -> None:
        self._work = work
        self._witness = witness
        self._writer = writer
        self._token = token
        self._name = name
        self._experiment = experiment = work.plan.experiment
        # Asked for once, and not for each run.
        self._function = experiment.operation.function
        self._operation = experiment.operation.name
        self._experiment_id = experiment.experiment_id
        self._context_fingerprint = work.plan.context.fingerprint
        self._tags = tags_of(experiment.tags)
        self._deriver = deriver
        self._provenance = Provenance(code_hash=work.plan.code.hash, executor_id=name)
        # What cannot have changed is not looked at before each run.
        self._may_change = bool(work.plan.context.files) or not work.plan.is_steady
        makers = {
            "context": lambda _run, _capture: work.plan.context.spec,
            "params": lambda run, _capture: run.spec.case.params,
            "seeds": lambda run, _capture: run.spec.seeds,
            "capture": lambda _run, capture: capture,
            "runtime": self._make_runtime,
        }
        self._makers = [(name, makers[name]) for name in sorted(experiment.operation.parameters)]

    def execute(self, spec: RunSpec, attempt: Try) -> Ended:
        """Execute one run and put its record.

        A failure of the operation, SystemExit included, is the run's own. Raises
        KeyboardInterrupt after the record is put, and StoreError if it cannot be.
        """
        run = self._begin(spec, attempt)
        capture = Capture(
            run,
            self._writer,
            emit=self._witness.tell,
            allow_pickle=self._experiment.allow_pickle,
            worker=self._name,
        )
        begun = time.perf_counter()
        outcome, raised = self._call(run, capture, attempt.doom)
        duration_ms = 1000 * (time.perf_counter() - begun)
        final = self._record(run, outcome, capture, duration_ms)
        if final.status is Status.FAILED:
            return self._put_failure(final, raised or RunFailedError, attempt)
        acknowledged = self._witness.acknowledgement(final)
        if final.status is not Status.SUCCESS:
            self._writer.put(final, acknowledged)
            if raised is KeyboardInterrupt:
                raise KeyboardInterrupt
            return _CANCELLED
        if run.checkpoints is not None:
            acknowledged = partial(_let_go, run.checkpoints, acknowledged)
        self._writer.put(final, acknowledged)
        if self._deriver is not None:
            self._deriver.add(final.run_id)
        return _SUCCEEDED

    def _put_failure(self, final: RunRecord, kind: type[BaseException], attempt: Try) -> Ended:
        again = attempt.doom is None and self._work.retry.allows(kind, attempt.tries)
        if again:
            final = final.to_be_retried()
            self._writer.put(final)
            self._witness.retried(final)
        else:
            self._writer.put(final, self._witness.acknowledgement(final))
        return Ended(Status.FAILED, again)

    def conclude(
        self, spec: RunSpec, attempt: Try, outcome: Outcome, seconds: float, worker: str
    ) -> RunRecord:
        """Return the record of an attempt that ended with the process of another worker."""
        begun = datetime.now(UTC) - timedelta(seconds=seconds)
        run = _Begun(spec, spec.run_id, attempt.epoch, attempt.attempt, begun)
        record = self._record(run, outcome, _NOTHING, 1000 * seconds)
        provenance = attrs.evolve(record.provenance, executor_id=worker)
        return attrs.evolve(record, provenance=provenance)

    def backfill(self, index: int, *, at_once: bool = False) -> None:
        """Compute the derived metrics that a run which has ended lacks, now or soon."""
        if self._deriver is None:
            return
        self._deriver.add(self._work.plan.ids[index])
        if at_once:
            self._deriver.flush()

    def finish(self) -> None:
        """Compute what derived metrics are still waiting; called after the last run."""
        if self._deriver is not None:
            self._deriver.flush()

    def _begin(self, spec: RunSpec, attempt: Try) -> _Begun:
        run = _Begun(spec, spec.run_id, attempt.epoch, attempt.attempt, datetime.now(UTC))
        running = partial(self._record, run, _RUNNING, _NOTHING, None)
        self._writer.start(spec.run_id, running, careful=attempt.careful)
        self._witness.started(spec.index, running)
        return run

    def _record(
        self, run: _Begun, outcome: Outcome, capture: Capture, duration_ms: float | None
    ) -> RunRecord:
        """Return the record of a run, with what it captured; without a duration, as it began."""
        work, spec = self._work, run.spec
        seeds, tags = spec.seeds, self._tags.copy()
        if spec.case.tags or outcome.tags:
            tags = tags_of(tags, spec.case.tags, outcome.tags)
        return RunRecord(
            run_id=run.run_id,
            experiment_id=self._experiment_id,
            status=outcome.status,
            context_fingerprint=self._context_fingerprint,
            params_fingerprint=spec.params_fingerprint,
            seed_fingerprint=spec.seed_fingerprint,
            started_at=run.started_at,
            finished_at=None if duration_ms is None else datetime.now(UTC),
            duration_ms=duration_ms,
            metrics=capture.metrics.copy(),
            provenance=self._provenance,
            error=outcome.error,
            params_resolved=spec.case.params,
            tags=tags,
            warnings=[*work.notices, *capture.warnings, *outcome.warnings],
            notes=outcome.notes,
            artifacts=capture.artifacts,
            data=capture.data_values.copy(),
            seed=seeds.root_seed,
            replicate=seeds.replicate_index,
            index=spec.index,
            epoch=run.epoch,
            attempt=run.attempt,
            manifest=work.manifest,
            launch=work.launch,
        )

    def _call(
        self, run: _Begun, capture: Capture, doom: Doom | None
    ) -> tuple[Outcome, type[BaseException] | None]:
        spec, raised = run.spec, None
        arguments: dict[str, Any] = {}
        try:
            with capture:
                check_doom(doom)
                if self._may_change:
                    check_files(self._work.plan.context)
                    check_params(self._work.plan, spec)
                arguments = {name: make(run, capture) for name, make in self._makers}
                value = called_here(self._function, arguments)
                outcome = outcome_of_value(value, self._operation, capture)
        except BaseException as error:  # noqa: BLE001  an operation may raise anything at all
            # Not the error itself, whose traceback would hold this frame, and this frame it.
            outcome, raised = outcome_of_error(error), type(error)
        finally:
            if "runtime" in arguments:
                outcome = _closed(arguments["runtime"], run, outcome)
        return outcome, raised

    def _make_runtime(self, run: _Begun, capture: Capture) -> Runtime:
        timeout = self._work.limits.timeout
        place = run.run_id, run.epoch, run.attempt
        return Runtime(
            logger=capture.logger,
            metadata=self._experiment.metadata,
            token=self._token,
            deadline=None if timeout is None else time.monotonic() + timeout,
            checkpoints=partial(self._work.store.checkpoints, *place),
            until=self._work.until,
        )


def _closed(runtime: Runtime, run: _Begun, outcome: Outcome) -> Outcome:
    """Close a run's runtime, and return the outcome with what is to be said of its checkpoints."""
    runtime.close()
    run.checkpoints = runtime.checkpoints
    if run.checkpoints is None or not run.checkpoints.warnings:
        return outcome
    return attrs.evolve(outcome, warnings=[*outcome.warnings, *run.checkpoints.warnings])


def _let_go(checkpoints: Checkpoints, acknowledged: Callable[[], None]) -> None:
    """Remove the checkpoints of a run whose success is durable, then say that it is."""
    checkpoints.clear()
    acknowledged()


def deriver_of(work: Work, writer: StoreWriter) -> Deriver | None:
    """Return what computes the derived metrics of a launch; None where it has none."""
    if not work.derived_metrics:
        return None
    # Most launches derive nothing, and this is a quarter of what a worker process imports.
    from metalab.results.derived import Deriver  # noqa: PLC0415

    return Deriver(work.store, work.derived_metrics, writer)


_SUCCEEDED = Ended(Status.SUCCESS)
_CANCELLED = Ended(Status.CANCELLED)
_RUNNING = Outcome(Status.RUNNING)
_NOTHING = Capture()


@attrs.define(eq=False)
class _Begun:
    """An attempt at a run, under way.

    It does not hold its capture, which holds it: a cycle that only the garbage collector can
    end costs 2 us a run.
    """

    spec: RunSpec
    run_id: str
    epoch: int
    attempt: int
    started_at: datetime
    checkpoints: Checkpoints | None = None
