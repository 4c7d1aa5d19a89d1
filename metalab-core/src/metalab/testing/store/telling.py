"""Everything that a store can be told, and all that it says, to compare one with another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from metalab.records import Status
from metalab.store.document import document_of, record_of
from metalab.store.launches import patch_of
from metalab.store.lines import crc_of
from metalab.testing.store.samples import AWKWARD, kept_artifact, made, run_id

if TYPE_CHECKING:
    from metalab.store.base import RunLog, Store

__all__ = ["PATCH", "fill", "said"]

PATCH = b"-one\n+two\n\xff"


def fill(store: Store) -> None:
    """Put into a store all that runs can leave."""
    manifest = store.put_manifest({"name": "my_exp", "version": "1.0", "metadata": {"é": 1}})
    git = {"commit": "c", "diff": {"sha256": store.put_patch(PATCH)}}
    store.put_launch("launch", {"started": "2024", "manifest": manifest, "git": git})
    with store.writer("launch") as writer:
        failed = made(Status.FAILED, error={"type": "E", "message": "m", "traceback": "t"})
        writer.append_log(failed, "first try")
        writer.put_series(failed, "loss", [(0, 9.0)])
        writer.put(failed)
        again = made(attempt=2, metrics=AWKWARD, params_resolved=AWKWARD, manifest=manifest)
        small = kept_artifact(writer, again, "a/b", b"small")
        large = kept_artifact(writer, again, "large", b"large" * 100_000, "tar.gz")
        writer.append_log(again, "second try\nof two lines")
        writer.append_log(again, "other", name="Other log")
        writer.put_series(again, "loss", [(0, math.inf), (1, 2**70)])
        writer.put(attrs.evolve(again, artifacts=[small, large], data={"d": AWKWARD}))
        writer.put(made(Status.RUNNING, 1))
        writer.put(made(number=2, metrics={"score": 2.5}))
    store.put_derived(run_id(0), "f", {"x": math.nan}, code="ab")
    store.put_derived(run_id(2), "f", {"x": 2})
    store.delete_run(run_id(2))


def said(
    store: Store, *, artifacts: bool = True, logs: bool = True, patches: bool = True
) -> dict[str, Any]:
    """Return all that a store says, as plain values that compare by what they mean."""
    log = store.read()
    launches = store.launches()
    return {
        "runs": {each: _said_of(store, log, each, artifacts=artifacts) for each in log},
        "attempts": {
            each: [_document(store, line, artifacts=artifacts) for line in log.attempts(each)]
            for each in log.subjects()
        },
        "forgotten": {each: log.forgotten(each) for each in log.subjects()},
        "manifests": {repr(sorted(m.items())) for m in store.manifests().values()},
        "launches": {name: repr(document) for name, document in launches.items()},
        "patches": [store.get_patch(patch_of(d) or "") for d in launches.values() if patches],
        "logs": {w: sorted(map(repr, lines)) for w, lines in store.logs().items() if logs},
    }


def _said_of(
    store: Store, log: RunLog, run: str, *, artifacts: bool
) -> tuple[Any, str, dict[str, Any], dict[str, str | None]]:
    (line,) = log.lines([run])
    derived = {
        name: (repr(each["values"]), each["code"], each["of"] == crc_of(line), each["rev"])
        for name, each in log.derived(run).items()
    }
    logs = {name: store.get_log(run, name) for name in store.list_logs(run)}
    return _document(store, line, artifacts=artifacts), repr(log.series(run)), derived, logs


def _document(
    store: Store, line: bytes, *, artifacts: bool
) -> tuple[str, str, list[tuple[str, str, str | None, bytes]]]:
    record = record_of(line)
    document = document_of(attrs.evolve(record, artifacts=[]))
    manifest = store.manifests().get(document.pop("manifest", None) or "")
    contents = []
    for each in record.artifacts if artifacts else ():
        with store.open_artifact(each) as file:
            contents.append((each.name, each.format, each.content_hash, file.read()))
    return repr(sorted(document.items())), repr(manifest), contents
