"""What the tests of copying stores share: histories of runs, and what a store says of them."""

from __future__ import annotations

import math

import attrs

from core.store_tools import made, run_id
from metalab.records import ArtifactDescriptor, RunRecord, Status
from metalab.store.document import document_of, record_of
from metalab.store.launches import patch_of
from metalab.store.lines import crc_of

AWKWARD = {
    "nan": math.nan,
    "inf": -math.inf,
    "big": 2**80,
    "tuple": (1, (2.0, "x")),
    "bytes": b"\x00\xff",
    "text": "NaN",
    "zero": -0.0,
}
PATCH = b"-one\n+two\n\xff"


def keep_artifact(writer, record, name, content, extension="bin"):
    uri, digest, size = writer.put_artifact(record, name, content, extension=extension)
    return ArtifactDescriptor(f"id-{name}", name, "bytes", "builtins/bytes", uri, digest, size)


def fill(store) -> None:
    """Put into a store all that runs can leave."""
    manifest = store.put_manifest({"name": "my_exp", "version": "1.0", "metadata": {"é": 1}})
    git = {"commit": "c", "diff": {"sha256": store.put_patch(PATCH)}}
    store.put_launch("launch", {"started": "2024", "manifest": manifest, "git": git})
    with store.writer("launch") as writer:
        failed = made(0, Status.FAILED, error={"type": "E", "message": "m", "traceback": "t"})
        writer.append_log(failed, "first try")
        writer.put_series(failed, "loss", [(0, 9.0)])
        writer.put(failed)
        again = made(0, attempt=2, metrics=AWKWARD, params_resolved=AWKWARD, manifest=manifest)
        small = keep_artifact(writer, again, "a/b", b"small")
        large = keep_artifact(writer, again, "large", b"large" * 100_000, "tar.gz")
        writer.append_log(again, "second try\nof two lines")
        writer.append_log(again, "other", name="Other log")
        writer.put_series(again, "loss", [(0, math.inf), (1, 2**70)])
        writer.put(made_with(again, artifacts=[small, large], data={"d": AWKWARD}))
        writer.put(made(1, Status.RUNNING))
        writer.put(made(2))
    store.put_derived(run_id(0), "f", {"x": math.nan}, code="ab")
    store.put_derived(run_id(2), "f", {"x": 2})
    store.delete_run(run_id(2))


def made_with(record: RunRecord, **fields) -> RunRecord:
    return attrs.evolve(record, **fields)


def said(store, *, artifacts=True, logs=True):
    """Return all that a store says, as plain values that compare by what they mean."""
    log = store.read()
    return {
        "runs": {each: _said_of(store, log, each, artifacts=artifacts) for each in log},
        "attempts": {
            each: [_document(store, line, artifacts=artifacts) for line in log.attempts(each)]
            for each in log.subjects()
        },
        "forgotten": {each: log.forgotten(each) for each in log.subjects()},
        "manifests": {repr(sorted(m.items())) for m in store.manifests().values()},
        "launches": {name: repr(d) for name, d in store.launches().items()},
        "patches": [store.get_patch(name) for name in map(patch_of, store.launches().values())],
        "logs": {w: sorted(map(repr, lines)) for w, lines in store.logs().items()} if logs else {},
    }


def _said_of(store, log, run, *, artifacts):
    (line,) = log.lines([run])
    derived = {
        name: (repr(each["values"]), each["code"], each["of"] == crc_of(line), each["rev"])
        for name, each in log.derived(run).items()
    }
    logs = {name: store.get_log(run, name) for name in store.list_logs(run)}
    return _document(store, line, artifacts=artifacts), repr(log.series(run)), derived, logs


def _document(store, line, *, artifacts):
    record = record_of(line)
    document = document_of(made_with(record, artifacts=[]))
    manifest = store.manifests().get(document.pop("manifest", None))
    contents = []
    for each in record.artifacts if artifacts else ():
        with store.open_artifact(each) as file:
            contents.append((each.name, each.format, each.content_hash, file.read()))
    return repr(sorted(document.items())), repr(manifest), contents
