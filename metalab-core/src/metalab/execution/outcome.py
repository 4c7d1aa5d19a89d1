"""What an operation's return value or exception means for its run."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import CancelledError, RunFailedError
from metalab.params.words import shown
from metalab.records import ErrorInfo, RunRecord, Status, tags_of

if TYPE_CHECKING:
    from metalab.capture import Capture
    from metalab.context import FrozenContext
    from metalab.execution.doom import Doom
    from metalab.planning import Plan, RunSpec

__all__ = [
    "Outcome",
    "check_doom",
    "check_files",
    "check_params",
    "outcome_of_error",
    "outcome_of_value",
]


@attrs.frozen
class Outcome:
    """How a call of an operation ended, beside what it captured."""

    status: Status
    error: ErrorInfo | None = None
    tags: list[str] = attrs.Factory(list)
    warnings: list[str] = attrs.Factory(list)
    notes: str | None = None


_SUCCESS = Outcome(Status.SUCCESS)


def check_doom(doom: Doom | None) -> None:
    """Refuse to run what was lost too often; raises WorkerDiedError or RunTimeoutError."""
    if doom is not None:
        raise doom.error()


def check_files(context: FrozenContext) -> None:
    """Refuse to run on files that are no longer those the run's id was made from.

    Raises RunFailedError that names them.
    """
    if context.files and (changed := context.changed_files()):
        raise RunFailedError(
            f"the context's files changed since the runs were planned: {', '.join(changed)}; "
            "run the experiment again, and it is planned with what they hold now"
        )


def check_params(plan: Plan, run: RunSpec) -> None:
    """Refuse to run with params that are no longer those the run's id was made from.

    Raises RunFailedError.
    """
    if not plan.confirms(run):
        raise RunFailedError(
            f"the params {shown(run.case.params)} are not those that this run's id was made "
            "from: the source, the resolver or a file among the params gave something else when "
            "it was read again; sources and resolvers draw from the rng they are given, and from "
            "nothing else"
        )


def outcome_of_value(value: Any, operation: str, capture: Capture) -> Outcome:
    """Read what an operation returned; metrics in it are captured as if it had done so.

    None is success, a mapping of scalars is success with those metrics, a RunRecord says
    itself. Raises RunFailedError for anything else, CaptureError for what is no metric.
    """
    if value is None:
        return _SUCCESS
    if isinstance(value, Mapping):
        capture.log_metrics(dict(value))
        return _SUCCESS
    if isinstance(value, RunRecord):
        return _outcome_of_record(value, capture)
    raise RunFailedError(
        f"operation {operation!r} returned a {type(value).__name__}; return None, a dict of "
        "scalars (they become metrics) or a RunRecord, and keep anything else with "
        "capture.data or capture.artifact"
    )


def _outcome_of_record(record: RunRecord, capture: Capture) -> Outcome:
    status = _status_of(record)
    if not (record.notes is None or isinstance(record.notes, str)):
        raise _no_result("notes", record.notes, "a str")
    tags, warnings = _texts("tags", record.tags), _texts("warnings", record.warnings)
    error = None if record.error is None else _error_of(record.error)
    _keep(record, capture)
    if status is Status.FAILED and error is None:
        error = {"type": "Failed", "message": record.notes or "", "traceback": ""}
    return Outcome(status, error, tags_of(tags), warnings, record.notes)


def _status_of(record: RunRecord) -> Status:
    status = record.status
    if not isinstance(status, str) or status not in set(Status):
        raise _no_result("status", status, f"one of {', '.join(Status)}")
    if status == Status.RUNNING:
        raise RunFailedError("the operation returned a record that says it is still running")
    return Status(status)


def _texts(field: str, values: Any) -> list[str]:
    if isinstance(values, list | tuple) and all(isinstance(value, str) for value in values):
        return list(values)
    raise _no_result(field, values, "a list of str")


def _keep(record: RunRecord, capture: Capture) -> None:
    if not isinstance(record.data, Mapping):
        raise _no_result("data", record.data, "a dict of structures by name")
    known = capture.artifacts
    if not isinstance(record.artifacts, list | tuple) or any(
        artifact not in known for artifact in record.artifacts
    ):
        raise _no_result("artifacts", record.artifacts, "empty, or what capture.artifact returned")
    if record.metrics:
        capture.log_metrics(record.metrics)
    for name, value in record.data.items():
        capture.data(name, value)


def _error_of(error: Any) -> ErrorInfo:
    if isinstance(error, str):
        error = {"type": "Failed", "message": error}
    if not isinstance(error, Mapping) or not all(
        isinstance(key, str) and isinstance(value, str) for key, value in error.items()
    ):
        raise _no_result("error", error, "a dict of type, message and traceback, all str")
    return {"type": "Failed", "message": "", "traceback": "", **error}


def _no_result(field: str, value: object, wanted: str) -> RunFailedError:
    return RunFailedError(
        f"the operation returned a record whose {field} is {shown(value)}; it is {wanted}"
    )


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
        "message": _message(error),
        "traceback": text,
    }


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001  the exception is the user's: its text may do anything
        return f"(its text cannot be had: {type(broken).__name__})"
