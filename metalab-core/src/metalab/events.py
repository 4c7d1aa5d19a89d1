"""What happens while runs are executed, told as it happens to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import attrs

__all__ = ["Event", "EventCallback", "EventKind"]


class EventKind(StrEnum):
    """The kinds of event."""

    RUN_STARTED = "run_started"
    RUN_FINISHED = "run_finished"
    RUN_FAILED = "run_failed"
    RUN_RETRIED = "run_retried"
    RUN_CANCELLED = "run_cancelled"
    RUN_SKIPPED = "run_skipped"
    ARTIFACT_SAVED = "artifact_saved"
    LOG = "log"
    PROGRESS = "progress"


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen
class Event:
    """One thing that happened to one run (or, with ``run_id`` None, to the launch)."""

    kind: EventKind
    run_id: str | None = None
    timestamp: datetime = attrs.Factory(_now)
    payload: Mapping[str, Any] = attrs.Factory(dict)

    @classmethod
    def run_started(cls, run_id: str, **payload: Any) -> Event:
        """Tell that a run's operation is about to be called."""
        return cls(EventKind.RUN_STARTED, run_id, payload=payload)

    @classmethod
    def run_finished(cls, run_id: str, **payload: Any) -> Event:
        """Tell that a run succeeded and that its record is durable."""
        return cls(EventKind.RUN_FINISHED, run_id, payload=payload)

    @classmethod
    def run_failed(cls, run_id: str, error: str = "", **payload: Any) -> Event:
        """Tell that a run failed and that its record is durable."""
        return cls(EventKind.RUN_FAILED, run_id, payload={"error": error, **payload})

    @classmethod
    def run_retried(cls, run_id: str, error: str = "", **payload: Any) -> Event:
        """Tell that an attempt at a run failed, and that the launch will make another."""
        return cls(EventKind.RUN_RETRIED, run_id, payload={"error": error, **payload})

    @classmethod
    def run_cancelled(cls, run_id: str, **payload: Any) -> Event:
        """Tell that a started run stopped because it was cancelled."""
        return cls(EventKind.RUN_CANCELLED, run_id, payload=payload)

    @classmethod
    def run_skipped(cls, run_id: str, reason: str = "", **payload: Any) -> Event:
        """Tell that a run was not executed because a success is stored."""
        return cls(EventKind.RUN_SKIPPED, run_id, payload={"reason": reason, **payload})

    @classmethod
    def artifact_saved(cls, run_id: str, name: str, **payload: Any) -> Event:
        """Tell that a run captured an artifact."""
        return cls(EventKind.ARTIFACT_SAVED, run_id, payload={"name": name, **payload})

    @classmethod
    def log(cls, run_id: str, message: str, **payload: Any) -> Event:
        """Tell a line of a run's log."""
        return cls(EventKind.LOG, run_id, payload={"message": message, **payload})

    @classmethod
    def progress(cls, run_id: str | None = None, **payload: Any) -> Event:
        """Tell how far the launch (or a run) has come."""
        return cls(EventKind.PROGRESS, run_id, payload=payload)


EventCallback = Callable[[Event], None]
