"""Records of the earlier layout, as records of this one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from metalab.errors import StoreError
from metalab.records import ArtifactDescriptor, Provenance, RunRecord, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LAUNCH", "descriptor_of", "record_of", "run_id_of", "status_of"]

LAUNCH = "import"
"""The launch that imported runs belong to."""

_STATUSES = {
    "success": Status.SUCCESS,
    "succeeded": Status.SUCCESS,
    "completed": Status.SUCCESS,
    "failed": Status.FAILED,
    "error": Status.FAILED,
    "cancelled": Status.CANCELLED,
    "canceled": Status.CANCELLED,
    "running": Status.RUNNING,
    "started": Status.RUNNING,
}
_FORMATS = {
    "json": "builtins/json",
    "text": "builtins/text",
    "txt": "builtins/text",
    "npy": "numpy/npy",
    "npz": "numpy/npz",
    "pickle": "pickle/pickle",
    "pkl": "pickle/pickle",
}
_LENGTH = 32
_EPOCH = datetime.fromtimestamp(0, UTC)
_is_hex = re.compile("[0-9a-f]+").fullmatch


def run_id_of(run: str) -> str:
    """Return the id here of a run: what its own begins with, so that it is found by that."""
    if _is_hex(run):
        return run[:_LENGTH].ljust(_LENGTH, "0")
    return blake2b(run.encode("utf-8", "surrogatepass"), digest_size=_LENGTH // 2).hexdigest()


def status_of(document: Mapping[str, Any]) -> Status:
    """Return the status of a record; raises StoreError for one that is unknown."""
    said = document.get("status")
    status = _STATUSES.get(str(said).rpartition(".")[2].lower())
    if status is None:
        raise StoreError(f"the status {said!r} is unknown; known are {', '.join(_STATUSES)}")
    return status


def record_of(
    run: str, experiment_id: str, document: Mapping[str, Any], **fields: Any
) -> RunRecord:
    """Return the record that a document of the earlier layout means.

    What it lacks is left empty, and moments without a time zone are taken as UTC. Raises
    StoreError for an unknown status.
    """
    status = status_of(document)
    ended = status is not Status.RUNNING
    provenance = _mapping(document.get("provenance"))
    started = _moment(document.get("started_at"))
    finished = _moment(document.get("finished_at"))
    return RunRecord(
        run_id=run_id_of(run),
        experiment_id=experiment_id,
        status=status,
        context_fingerprint=_text(document.get("context_fingerprint")) or "",
        params_fingerprint=_text(document.get("params_fingerprint")) or "",
        seed_fingerprint=_text(document.get("seed_fingerprint")) or "",
        started_at=started or finished or _EPOCH,
        finished_at=finished if ended else None,
        duration_ms=_number(document.get("duration_ms")) if ended else None,
        metrics=_mapping(document.get("metrics")),
        provenance=Provenance(
            _text(provenance.get("code_hash")),
            _text(provenance.get("python_version")),
            _text(provenance.get("metalab_version")),
            _text(provenance.get("executor_id")),
            _text(provenance.get("host")),
            _mapping(provenance.get("extra")),
        ),
        error=_error(document.get("error")),
        params_resolved=_mapping(document.get("params_resolved")),
        tags=_texts(document.get("tags")),
        warnings=_texts(document.get("warnings")),
        notes=_text(document.get("notes")),
        launch=LAUNCH,
        **fields,
    )


def descriptor_of(document: Mapping[str, Any], uri: str) -> ArtifactDescriptor:
    """Return the descriptor of an artifact whose bytes lie at a uri.

    What was kept of its hash is left out: it is taken anew from the bytes.
    """
    name = _text(document.get("name")) or uri.rpartition("/")[2]
    said = (_text(document.get("format")) or "").lower().lstrip(".")
    return ArtifactDescriptor(
        artifact_id=_text(document.get("artifact_id")) or name,
        name=name,
        kind=_text(document.get("kind")) or "file",
        format=_FORMATS.get(said) or _FORMATS.get(uri.rpartition(".")[2], "builtins/bytes"),
        uri=uri,
        metadata=_mapping(document.get("metadata")),
    )


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None  # noqa: PLR0124  NaN


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _error(value: Any) -> dict[str, str] | None:
    if value is None or value == {}:
        return None
    said = value if isinstance(value, dict) else {"message": value}
    given = {key: _joined(text) for key, text in said.items() if text is not None}
    return {"type": "Error", "message": "", "traceback": "", **given}


def _joined(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)
