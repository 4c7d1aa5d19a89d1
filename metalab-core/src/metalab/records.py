"""What a run leaves behind: its status, its record, and descriptions of its artifacts."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "ArtifactDescriptor",
    "AttemptKey",
    "ErrorInfo",
    "Metric",
    "Provenance",
    "RunRecord",
    "Status",
]

Metric = bool | int | float | str | None
"""A scalar that an operation may capture under a name."""

ErrorInfo = dict[str, str]
"""Why a run failed: ``type``, ``message`` and ``traceback``."""


class Status(StrEnum):
    """How a run ended, or that it has not."""

    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RUNNING = "running"


class AttemptKey(Protocol):
    """What tells one attempt at a run from all others; a RunRecord is one."""

    @property
    def run_id(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def attempt(self) -> int: ...


RETRIED = "retried"
"""What a failed attempt has in its provenance's extra that is not the last of its launch."""


@attrs.frozen
class Provenance:
    """What made a record: the code, the interpreter and the place."""

    code_hash: str | None = None
    python_version: str | None = None
    metalab_version: str | None = None
    executor_id: str | None = None
    host: str | None = None
    extra: dict[str, Any] = attrs.Factory(dict)


@attrs.frozen
class ArtifactDescriptor:
    """Where a captured object lies and how to read it; ``uri`` is relative to the store.

    ``format`` names the serializer (``numpy/npy``), ``content_hash`` is sha256 in hex.
    """

    artifact_id: str
    name: str
    kind: str
    format: str
    uri: str
    content_hash: str | None = None
    size_bytes: int | None = None
    metadata: dict[str, Any] = attrs.Factory(dict)


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen(slots=False)  # which halves the time to make one, 1.9 us, for each run
class RunRecord:
    """The record of one attempt at one run.

    ``started_at`` and ``finished_at`` are aware datetimes in UTC, ``duration_ms`` is
    measured on a monotonic clock. ``metrics`` holds the values captured without a step and
    the last value of each series; ``data`` the structures captured with ``capture.data``.
    ``index`` is the run's place in the plan that executed it. ``epoch`` rises when a run is
    forgotten or forced again, ``attempt`` with each further try within an epoch.
    ``manifest`` and ``launch`` name what the store keeps of the experiment and of the call
    that executed the run.
    """

    run_id: str
    experiment_id: str
    status: Status
    context_fingerprint: str
    params_fingerprint: str
    seed_fingerprint: str
    started_at: datetime
    finished_at: datetime | None
    duration_ms: float | None
    metrics: dict[str, Any] = attrs.Factory(dict)
    provenance: Provenance = attrs.Factory(Provenance)
    error: ErrorInfo | None = None
    params_resolved: dict[str, Any] = attrs.Factory(dict)
    tags: list[str] = attrs.Factory(list)
    warnings: list[str] = attrs.Factory(list)
    notes: str | None = None
    artifacts: list[ArtifactDescriptor] = attrs.Factory(list)
    data: dict[str, Any] = attrs.Factory(dict)
    seed: int | None = None
    replicate: int | None = None
    index: int = 0
    epoch: int = 0
    attempt: int = 1
    manifest: str | None = None
    launch: str | None = None

    @classmethod
    def success(cls, **fields: Any) -> RunRecord:
        """Make a record of success, for an operation to return; every field is optional."""
        return cls._made(Status.SUCCESS, fields)

    @classmethod
    def failed(
        cls, *, error_message: str | None = None, error_type: str = "Failed", **fields: Any
    ) -> RunRecord:
        """Make a record of failure, for an operation to return; every field is optional."""
        if error_message is not None and fields.get("error") is None:
            fields["error"] = {"type": error_type, "message": error_message, "traceback": ""}
        return cls._made(Status.FAILED, fields)

    @classmethod
    def cancelled(cls, **fields: Any) -> RunRecord:
        """Make a record of a run that was asked to stop; every field is optional."""
        return cls._made(Status.CANCELLED, fields)

    @classmethod
    def running(cls, **fields: Any) -> RunRecord:
        """Make a record of a run that has not ended; every field is optional."""
        return cls._made(Status.RUNNING, {"finished_at": None, "duration_ms": None, **fields})

    def to_be_retried(self) -> RunRecord:
        """Return the record of a failed attempt, which says that another one follows."""
        extra = {**self.provenance.extra, RETRIED: True}
        return attrs.evolve(self, provenance=attrs.evolve(self.provenance, extra=extra))

    @property
    def is_to_be_retried(self) -> bool:
        """Whether the launch that made this failed attempt is to make another one."""
        return RETRIED in self.provenance.extra

    @classmethod
    def _made(cls, status: Status, fields: Mapping[str, Any]) -> RunRecord:
        now = _now()
        blank: dict[str, Any] = dict.fromkeys(
            (
                "run_id",
                "experiment_id",
                "context_fingerprint",
                "params_fingerprint",
                "seed_fingerprint",
            ),
            "",
        )
        times = {"started_at": now, "finished_at": now, "duration_ms": 0.0}
        return cls(**{**blank, **times, **fields, "status": status})


def tags_of(*groups: Sequence[str]) -> list[str]:
    """Join groups of tags in order, each tag once."""
    found = [tag for group in groups for tag in group]
    return list(dict.fromkeys(found)) if found else found
