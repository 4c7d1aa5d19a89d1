"""What an operation's return value or exception means for its run."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import CancelledError, RunFailedError
from metalab.records import ErrorInfo, RunRecord, Status, tags_of

if TYPE_CHECKING:
    from metalab.capture import Capture
    from metalab.context import FrozenContext

__all__ = ["Outcome", "check_files", "outcome_of_error", "outcome_of_value"]


@attrs.frozen
class Outcome:
    """How a call of an operation ended, beside what it captured."""

    status: Status
    error: ErrorInfo | None = None
    tags: list[str] = attrs.Factory(list)
    warnings: list[str] = attrs.Factory(list)
    notes: str | None = None


def check_files(context: FrozenContext) -> None:
    """Refuse to run on files that are no longer those the run's id was made from.

    Raises RunFailedError that names them.
    """
    if context.files and (changed := context.changed_files()):
        raise RunFailedError(
            f"the context's files changed since the runs were planned: {', '.join(changed)}; "
            "run the experiment again, and it is planned with what they hold now"
        )


def outcome_of_value(value: Any, operation: str, capture: Capture) -> Outcome:
    """Read what an operation returned; metrics in it are captured as if it had done so.

    None is success, a mapping of scalars is success with those metrics, a RunRecord says
    itself. Raises RunFailedError for anything else, CaptureError for what is no metric.
    """
    if value is None:
        return Outcome(Status.SUCCESS)
    if isinstance(value, Mapping):
        capture.log_metrics(dict(value))
        return Outcome(Status.SUCCESS)
    if isinstance(value, RunRecord):
        return _outcome_of_record(value, capture)
    raise RunFailedError(
        f"operation {operation!r} returned a {type(value).__name__}; return None, a dict of "
        "scalars (they become metrics) or a RunRecord, and keep anything else with "
        "capture.data or capture.artifact"
    )


def _outcome_of_record(record: RunRecord, capture: Capture) -> Outcome:
    if record.metrics:
        capture.log_metrics(record.metrics)
    status = Status(record.status)
    error = record.error
    if status is Status.RUNNING:
        raise RunFailedError("the operation returned a record that says it is still running")
    if status is Status.FAILED and error is None:
        error = {"type": "Failed", "message": record.notes or "", "traceback": ""}
    return Outcome(status, error, tags_of(record.tags), list(record.warnings), record.notes)


def outcome_of_error(error: BaseException) -> Outcome:
    """Read what an operation raised: a cancelled run for CancelledError, else a failed one."""
    status = Status.FAILED
    if isinstance(error, CancelledError | KeyboardInterrupt):
        status = Status.CANCELLED
    return Outcome(status, error_info(error))


def error_info(error: BaseException) -> ErrorInfo:
    """Describe an exception; frames of metalab above the operation are left out."""
    own = error.__traceback__.tb_next if error.__traceback__ else None
    text = "".join(traceback.format_exception(type(error), error, own))
    name = type(error).__name__
    module = type(error).__module__
    known = module in {"builtins", "__main__"} or module.partition(".")[0] == "metalab"
    return {
        "type": name if known else f"{module}.{name}",
        "message": str(error),
        "traceback": text,
    }
