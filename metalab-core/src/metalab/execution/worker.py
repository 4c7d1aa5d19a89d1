"""The worker loop: take a run of a batch, execute it, hand its record to the store."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from metalab.capture import Capture
from metalab.execution.outcome import Outcome, outcome_of_error, outcome_of_value
from metalab.records import Provenance, RunRecord, Status, tags_of
from metalab.results.derived import Deriver
from metalab.runtime import CancellationToken, Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metalab.execution.base import Batch
    from metalab.planning import RunSpec
    from metalab.store.base import StoreWriter

__all__ = ["Worker"]


class Worker:
    """Executes runs of one batch, one at a time.

    ``name`` tells the worker from others of its launch in logs and records, as in
    ``thread:0``.
    """

    def __init__(
        self, batch: Batch, writer: StoreWriter, token: CancellationToken, name: str
    ) -> None:
        self._batch = batch
        self._writer = writer
        self._token = token
        self._name = name
        self._experiment = batch.plan.experiment
        self._deriver = Deriver(batch.store, batch.derived_metrics, writer)
        self._provenance = Provenance(code_hash=batch.plan.code.hash, executor_id=name)

    def execute(self, index: int) -> bool:
        """Execute one run and put its record; False if the launch takes no further ones.

        A failure of the operation, SystemExit included, is the run's own. Raises
        KeyboardInterrupt after the record is put, and StoreError if it cannot be.
        """
        spec = self._batch.plan[index]
        record = self._begin(spec)
        self._writer.start(record)
        self._batch.ledger.started(record)
        capture = Capture(
            record,
            self._writer,
            emit=self._batch.ledger.tell,
            allow_pickle=self._experiment.allow_pickle,
            worker=self._name,
        )
        begun = time.perf_counter()
        outcome, interrupt = self._call(spec, capture)
        ended = time.perf_counter()
        final = _final(record, outcome, capture, 1000 * (ended - begun))
        self._writer.put(final, partial(self._batch.ledger.ended, final))
        if interrupt is not None:
            raise interrupt
        if final.status is Status.SUCCESS and self._batch.derived_metrics:
            self._deriver.add(final.run_id)
        return final.status is not Status.FAILED or not self._batch.failures.failed()

    def backfill(self, index: int) -> None:
        """Compute the derived metrics that a run of an earlier launch lacks."""
        self._deriver.add(self._batch.plan.ids[index])

    def finish(self) -> None:
        """Compute what derived metrics are still waiting; called after the last run."""
        self._deriver.flush()

    def _begin(self, spec: RunSpec) -> RunRecord:
        batch, experiment = self._batch, self._experiment
        epoch, attempt = batch.tries.get(spec.run_id, (0, 1))
        return RunRecord(
            run_id=spec.run_id,
            experiment_id=batch.plan.experiment_id,
            status=Status.RUNNING,
            context_fingerprint=batch.plan.context.fingerprint,
            params_fingerprint=spec.params_fingerprint,
            seed_fingerprint=spec.seed_fingerprint,
            started_at=datetime.now(UTC),
            finished_at=None,
            duration_ms=None,
            provenance=self._provenance,
            params_resolved=dict(spec.case.params),
            tags=tags_of(experiment.tags, spec.case.tags),
            seed=spec.seeds.root_seed,
            replicate=spec.seeds.replicate_index,
            index=spec.index,
            epoch=epoch,
            attempt=attempt,
            manifest=batch.manifest,
            launch=batch.launch,
        )

    def _call(self, spec: RunSpec, capture: Capture) -> tuple[Outcome, KeyboardInterrupt | None]:
        operation = self._experiment.operation
        given = _Inputs(self, spec, capture)
        interrupt = None
        try:
            with capture:
                value = operation.run(**given.of(operation.parameters))
                outcome = outcome_of_value(value, operation.name, capture)
        except KeyboardInterrupt as error:
            outcome, interrupt = outcome_of_error(error), error
        except BaseException as error:  # noqa: BLE001  an operation may raise anything at all
            outcome = outcome_of_error(error)
        finally:
            given.close()
        return outcome, interrupt


class _Inputs:
    """Makes the arguments that an operation declares, and no others."""

    def __init__(self, worker: Worker, spec: RunSpec, capture: Capture) -> None:
        self._worker = worker
        self._spec = spec
        self._capture = capture
        self._runtime: Runtime | None = None

    def of(self, names: frozenset[str]) -> dict[str, Any]:
        makers: Mapping[str, Callable[[], Any]] = {
            "context": lambda: self._worker._batch.plan.context.spec,  # noqa: SLF001
            "params": lambda: dict(self._spec.case.params),
            "seeds": lambda: self._spec.seeds,
            "capture": lambda: self._capture,
            "runtime": self._make_runtime,
        }
        return {name: makers[name]() for name in names}

    def close(self) -> None:
        if self._runtime is not None:
            self._runtime.close()

    def _make_runtime(self) -> Runtime:
        self._runtime = Runtime(
            logger=self._capture.logger,
            metadata=self._worker._experiment.metadata,  # noqa: SLF001
            token=self._worker._token,  # noqa: SLF001
        )
        return self._runtime


def _final(record: RunRecord, outcome: Outcome, capture: Capture, duration_ms: float) -> RunRecord:
    return attrs.evolve(
        record,
        status=outcome.status,
        finished_at=datetime.now(UTC),
        duration_ms=duration_ms,
        metrics=dict(capture.metrics),
        data=dict(capture.data_values),
        artifacts=list(capture.artifacts),
        tags=tags_of(record.tags, outcome.tags),
        warnings=[*capture.warnings, *outcome.warnings],
        notes=outcome.notes,
        error=outcome.error,
    )
