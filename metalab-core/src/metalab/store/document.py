"""The document of a record, and back.

A record's line has these keys, in this order; what is empty is left out::

    t id epoch attempt status code      always there, so that they can be sliced
    writer part seq                     where the line was written first
    launch                              the call of metalab.run that executed it
    experiment manifest index seed replicate
    fingerprints {context, params, seed}
    params metrics data artifacts tags warnings notes error
    provenance {python, metalab, executor, host, extra}
    time {start, end}                   ISO 8601, UTC, microseconds
    ms                                  the duration
    crc                                 crc32, 8 hex digits, of all bytes before ',"crc"'

``t`` is ``run``, or ``start`` for a run that has not ended.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from metalab.identity.values import from_jsonable, to_jsonable
from metalab.records import ArtifactDescriptor, Provenance, RunRecord, Status
from metalab.store.lines import Stamp, crc_of, readable, seal

if TYPE_CHECKING:
    from metalab.store.reading import RunLog

__all__ = ["crc_of", "document_of", "record_in", "record_line", "record_of"]

_run_id = re.compile("[0-9a-f]{32}").fullmatch
_INT64 = 2**63
_NOWHERE = Stamp("", 0, 0, "")
_EPOCH = datetime.fromtimestamp(0, UTC)


class _Struct(msgspec.Struct, omit_defaults=True, gc=False):
    """A part of a document: keys in the order of its fields, without those at their default."""


class _Fingerprints(_Struct):
    context: str = ""
    params: str = ""
    seed: str = ""


class _Artifact(_Struct):
    artifact_id: str
    name: str
    kind: str
    format: str
    uri: str
    content_hash: str | None = None
    size_bytes: int | None = None
    metadata: Any = None


class _Provenance(_Struct):
    python: str | None = None
    metalab: str | None = None
    executor: str | None = None
    host: str | None = None
    extra: Any = None


class _Time(_Struct):
    start: Any = None
    end: Any = None


class _Document(_Struct):
    t: str
    id: str
    epoch: int
    attempt: int
    status: str
    code: str
    writer: str = ""
    part: int = 0
    seq: int = 0
    launch: str = ""
    experiment: str = ""
    manifest: str | None = None
    index: int = -1
    seed: Any = None
    replicate: int | None = None
    fingerprints: _Fingerprints | None = None
    params: Any = None
    metrics: Any = None
    data: Any = None
    artifacts: list[_Artifact] | None = None
    tags: list[str] | None = None
    warnings: list[str] | None = None
    notes: str | None = None
    error: dict[str, str] | None = None
    provenance: _Provenance | None = None
    time: _Time | None = None
    ms: float | None = None


# The kind of a record's line, and its status as text: an enum's value is slow to ask for.
_WORDS = {
    status: ("start" if status is Status.RUNNING else "run", status.value) for status in Status
}
_STATUS = {status.value: status for status in Status}
_NO_FINGERPRINTS = _Fingerprints()
_NO_PROVENANCE = _Provenance()
_NO_TIME = _Time()

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Document).decode


def record_line(record: RunRecord, stamp: Stamp) -> bytes:
    """Return the line of a record; raises ValueError if its id is none.

    What the record holds must be of the types that identity accepts, else IdentityError.
    """
    if _run_id(record.run_id) is None:
        raise ValueError(f"a run id is 32 lower-case hex digits, not {record.run_id!r}")
    return seal(_encode(_document(record, stamp))[:-1])


def document_of(record: RunRecord) -> dict[str, Any]:
    """Return the document of a record, without what says where it was written."""
    document: dict[str, Any] = msgspec.to_builtins(_document(record, _NOWHERE))
    return document


def record_in(log: RunLog, run_id: str) -> RunRecord:
    """Return a run's current record in a log; KeyError if it has none."""
    return record_of(next(log.lines([run_id])))


def record_of(line: bytes) -> RunRecord:
    """Return the record of a line that was checked before, or of any document's JSON."""
    found = _decode(line)
    fingerprints = found.fingerprints or _NO_FINGERPRINTS
    time = found.time or _NO_TIME
    return RunRecord(
        run_id=found.id,
        experiment_id=found.experiment,
        status=_STATUS[found.status],
        context_fingerprint=fingerprints.context,
        params_fingerprint=fingerprints.params,
        seed_fingerprint=fingerprints.seed,
        started_at=_EPOCH if time.start is None else datetime.fromisoformat(time.start),
        finished_at=None if time.end is None else datetime.fromisoformat(time.end),
        duration_ms=found.ms,
        metrics=_values(found.metrics),
        provenance=_provenance_of(found),
        error=found.error,
        params_resolved=_values(found.params),
        tags=found.tags or [],
        warnings=found.warnings or [],
        notes=found.notes,
        artifacts=[_artifact_of(each) for each in found.artifacts or ()],
        data=_values(found.data),
        seed=from_jsonable(found.seed),
        replicate=found.replicate,
        index=max(found.index, 0),
        epoch=found.epoch,
        attempt=found.attempt,
        manifest=found.manifest,
        launch=found.launch or None,
    )


def _document(record: RunRecord, stamp: Stamp) -> _Document:
    kind, status = _WORDS[record.status]
    provenance, seed = record.provenance, record.seed
    document = _Document(
        kind,
        record.run_id,
        record.epoch,
        record.attempt,
        status,
        provenance.code_hash or "",
        stamp.writer,
        stamp.part,
        stamp.seq,
        record.launch or stamp.launch,
        record.experiment_id,
        record.manifest,
        record.index,
        seed if seed is None or -_INT64 <= seed < _INT64 else to_jsonable(seed, "seed"),
        record.replicate,
        _Fingerprints(
            record.context_fingerprint, record.params_fingerprint, record.seed_fingerprint
        ),
        to_jsonable(record.params_resolved, "params") or None,
        to_jsonable(record.metrics, "metrics") or None,
        provenance=_provenance(provenance),
        time=_Time(_moment(record.started_at), _moment(record.finished_at)),
        ms=record.duration_ms,
    )
    _add_rare(document, record)
    return document


def _add_rare(document: _Document, record: RunRecord) -> None:
    if record.data:
        document.data = to_jsonable(record.data, "data")
    if record.artifacts:
        document.artifacts = [_artifact(each) for each in record.artifacts]
    if record.tags:
        document.tags = [readable(tag) for tag in record.tags]
    if record.warnings:
        document.warnings = [readable(warning) for warning in record.warnings]
    if record.notes is not None:
        document.notes = readable(record.notes)
    if record.error is not None:
        document.error = {key: readable(text) for key, text in record.error.items()}


def _provenance(provenance: Provenance) -> _Provenance | None:
    """Return what is known beyond the code, which has a key of its own."""
    known = (
        provenance.python_version,
        provenance.metalab_version,
        provenance.executor_id,
        provenance.host,
    )
    if provenance.extra:
        return _Provenance(*known, to_jsonable(provenance.extra, "provenance.extra"))
    return _common_provenance(*known)


@lru_cache(maxsize=64)
def _common_provenance(*known: str | None) -> _Provenance | None:
    # All runs of a worker have the same.
    return None if set(known) == {None} else _Provenance(*known)


def _provenance_of(found: _Document) -> Provenance:
    kept = found.provenance or _NO_PROVENANCE
    return Provenance(
        found.code or None,
        kept.python,
        kept.metalab,
        kept.executor,
        kept.host,
        _values(kept.extra),
    )


def _artifact(artifact: ArtifactDescriptor) -> _Artifact:
    return _Artifact(
        artifact.artifact_id,
        readable(artifact.name),
        artifact.kind,
        artifact.format,
        artifact.uri,
        artifact.content_hash,
        artifact.size_bytes,
        to_jsonable(artifact.metadata, f"artifacts[{artifact.name!r}].metadata") or None,
    )


def _artifact_of(found: _Artifact) -> ArtifactDescriptor:
    return ArtifactDescriptor(
        found.artifact_id,
        found.name,
        found.kind,
        found.format,
        found.uri,
        found.content_hash,
        found.size_bytes,
        _values(found.metadata),
    )


def _values(kept: Any) -> dict[str, Any]:
    if kept is None:
        return {}
    values: dict[str, Any] = from_jsonable(kept)
    return values


def _moment(moment: datetime | None) -> datetime | str | None:
    """Return what is encoded as ISO 8601 with microseconds."""
    if moment is None or (moment.tzinfo is UTC and moment.microsecond):
        return moment  # the encoder's own text, and several times as fast
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"
