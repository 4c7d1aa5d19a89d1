"""The document of a record, and back.

A record's line has these keys, in this order; what is empty is left out::

    t id epoch attempt status code      always there, so that they can be sliced
    writer part seq launch              where the line was written first
    experiment manifest index seed replicate
    fingerprints {context, params, seed}
    params metrics data artifacts tags warnings notes error provenance
    time {start, end}                   ISO 8601, UTC, microseconds
    ms                                  the duration
    crc                                 crc32, 8 hex digits, of all bytes before ',"crc"'

``t`` is ``run``, or ``start`` for a run that has not ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from metalab.identity.values import from_jsonable, to_jsonable
from metalab.records import ArtifactDescriptor, Provenance, RunRecord, Status
from metalab.store.lines import Stamp, crc_of, readable, seal

__all__ = ["crc_of", "document_of", "record_line", "record_of"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_run_id = re.compile("[0-9a-f]{32}").fullmatch
_word = re.compile("[0-9A-Za-z_.-]*").fullmatch


def record_line(record: RunRecord, stamp: Stamp) -> bytes:
    """Return the line of a record; raises ValueError if its id is none.

    What the record holds must be of the types that identity accepts, else IdentityError.
    """
    if _run_id(record.run_id) is None:
        raise ValueError(f"a run id is 32 lower-case hex digits, not {record.run_id!r}")
    status = record.status
    code = record.provenance.code_hash or ""
    if _word(code) is None:
        raise ValueError(f"a code fingerprint is hex digits, not {code!r}")
    head = (
        f'{{"t":"{"start" if status is Status.RUNNING else "run"}","id":"{record.run_id}"'
        f',"epoch":{record.epoch},"attempt":{record.attempt}'
        f',"status":"{status.value}","code":"{code}"'
        f',"writer":"{stamp.writer}","part":{stamp.part},"seq":{stamp.seq}'
        f',"launch":{_text(stamp.launch)},'
    )
    return seal(head.encode() + _encode(_body(record))[1:-1])


def document_of(record: RunRecord) -> dict[str, Any]:
    """Return the document of a record, without what says where it was written."""
    return {
        "t": "start" if record.status is Status.RUNNING else "run",
        "id": record.run_id,
        "epoch": record.epoch,
        "attempt": record.attempt,
        "status": record.status.value,
        "code": record.provenance.code_hash or "",
        **_body(record),
    }


def record_of(line: bytes) -> RunRecord:
    """Return the record of a line that was checked before, or of any document's JSON."""
    document = _decode(line)
    fingerprints = document.get("fingerprints", {})
    time = document.get("time", {})
    return RunRecord(
        run_id=document["id"],
        experiment_id=document.get("experiment", ""),
        status=Status(document["status"]),
        context_fingerprint=fingerprints.get("context", ""),
        params_fingerprint=fingerprints.get("params", ""),
        seed_fingerprint=fingerprints.get("seed", ""),
        started_at=_moment(time.get("start")) or datetime.fromtimestamp(0, UTC),
        finished_at=_moment(time.get("end")),
        duration_ms=document.get("ms"),
        metrics=_values(document, "metrics"),
        provenance=_provenance(document),
        error=document.get("error"),
        params_resolved=_values(document, "params"),
        tags=document.get("tags", []),
        warnings=document.get("warnings", []),
        notes=document.get("notes"),
        artifacts=[_artifact(each) for each in document.get("artifacts", ())],
        data=_values(document, "data"),
        seed=from_jsonable(document.get("seed")),
        replicate=document.get("replicate"),
        index=document.get("index", 0),
        epoch=document["epoch"],
        attempt=document["attempt"],
        manifest=document.get("manifest"),
    )


def _body(record: RunRecord) -> dict[str, Any]:
    """Return the keys of a record's document after the fixed ones."""
    document: dict[str, Any] = {"experiment": record.experiment_id}
    if record.manifest is not None:
        document["manifest"] = record.manifest
    document["index"] = record.index
    if record.seed is not None:
        document["seed"] = to_jsonable(record.seed, "seed")
    if record.replicate is not None:
        document["replicate"] = record.replicate
    document["fingerprints"] = {
        "context": record.context_fingerprint,
        "params": record.params_fingerprint,
        "seed": record.seed_fingerprint,
    }
    if record.params_resolved:
        document["params"] = to_jsonable(record.params_resolved, "params")
    if record.metrics:
        document["metrics"] = to_jsonable(record.metrics, "metrics")
    _add_rare(document, record)
    if provenance := _provenance_document(record.provenance):
        document["provenance"] = provenance
    document["time"] = time = {"start": _iso(record.started_at)}
    if record.finished_at is not None:
        time["end"] = _iso(record.finished_at)
    if record.duration_ms is not None:
        document["ms"] = record.duration_ms
    return document


def _add_rare(document: dict[str, Any], record: RunRecord) -> None:
    if record.data:
        document["data"] = to_jsonable(record.data, "data")
    if record.artifacts:
        document["artifacts"] = [_artifact_document(each) for each in record.artifacts]
    if record.tags:
        document["tags"] = [readable(tag) for tag in record.tags]
    if record.warnings:
        document["warnings"] = [readable(warning) for warning in record.warnings]
    if record.notes is not None:
        document["notes"] = readable(record.notes)
    if record.error is not None:
        document["error"] = {key: readable(text) for key, text in record.error.items()}


def _provenance_document(provenance: Provenance) -> dict[str, Any]:
    """Return what is known beyond the code, which has a key of its own."""
    known = {
        "python": provenance.python_version,
        "metalab": provenance.metalab_version,
        "executor": provenance.executor_id,
        "host": provenance.host,
    }
    document: dict[str, Any] = {key: text for key, text in known.items() if text is not None}
    if provenance.extra:
        document["extra"] = to_jsonable(provenance.extra, "provenance.extra")
    return document


def _provenance(document: dict[str, Any]) -> Provenance:
    kept = document.get("provenance", {})
    return Provenance(
        code_hash=document.get("code") or None,
        python_version=kept.get("python"),
        metalab_version=kept.get("metalab"),
        executor_id=kept.get("executor"),
        host=kept.get("host"),
        extra=_values(kept, "extra"),
    )


def _artifact_document(artifact: ArtifactDescriptor) -> dict[str, Any]:
    document: dict[str, Any] = {
        "artifact_id": artifact.artifact_id,
        "name": readable(artifact.name),
        "kind": artifact.kind,
        "format": artifact.format,
        "uri": artifact.uri,
    }
    if artifact.content_hash is not None:
        document["content_hash"] = artifact.content_hash
    if artifact.size_bytes is not None:
        document["size_bytes"] = artifact.size_bytes
    if artifact.metadata:
        document["metadata"] = to_jsonable(
            artifact.metadata, f"artifacts[{artifact.name!r}].metadata"
        )
    return document


def _artifact(document: dict[str, Any]) -> ArtifactDescriptor:
    return ArtifactDescriptor(
        artifact_id=document["artifact_id"],
        name=document["name"],
        kind=document["kind"],
        format=document["format"],
        uri=document["uri"],
        content_hash=document.get("content_hash"),
        size_bytes=document.get("size_bytes"),
        metadata=_values(document, "metadata"),
    )


def _values(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    kept = document.get(key)
    if kept is None:
        return {}
    values: dict[str, Any] = from_jsonable(kept)
    return values


def _text(text: str) -> str:
    return _encode(text).decode()


def _iso(moment: datetime) -> str:
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='microseconds')[:-6]}Z"


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
