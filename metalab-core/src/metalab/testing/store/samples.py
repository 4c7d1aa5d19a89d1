"""What is put into stores under test: records of runs that are numbered."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from metalab.records import ArtifactDescriptor, RunRecord, Status

if TYPE_CHECKING:
    from metalab.store.base import RunWriter, Store
    from metalab.store.claiming import Claims

__all__ = [
    "AWKWARD",
    "EXPERIMENT",
    "FLOATS",
    "HOSTILE",
    "NOW",
    "claims_of",
    "kept",
    "kept_artifact",
    "made",
    "order",
    "put",
    "run_id",
    "spelt",
]

EXPERIMENT = "my_exp:1.0"
NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)

FLOATS = (math.nan, math.inf, -math.inf, -0.0, 1e16, 1e300, 5e-324, 0.1, 3.0)
"""Floats that are lost where a number's text is not exactly its own."""

AWKWARD: dict[str, Any] = {
    "nan": math.nan,
    "inf": -math.inf,
    "big": 2**80,
    "tuple": (1, (2.0, "x")),
    "bytes": b"\x00\xff",
    "text": "NaN",
    "zero": -0.0,
    "keys": {1: "int", "1": "text", (1, 2): "tuple"},
    "empty": [[], {}, "", b"", ()],
}
"""Values that other kinds of value are easily taken for."""

HOSTILE = (
    "\u00e9",
    "e\u0301",  # the same to the eye, of two characters
    "日本語",
    "a/b",
    "../escaped",
    "..",
    "con",
    "A",
    "a",
    "a.",
    "%61",
    "tab\there",
    "'; drop table runs; --",
    "x" * 300,
)
"""Names that a file system, an encoding or a query language may take for something else."""


def run_id(number: int = 0) -> str:
    """Return the id of a run: 32 hex digits."""
    return f"{number:032x}"


def made(status: Status = Status.SUCCESS, number: int = 0, **fields: Any) -> RunRecord:
    """Return the record of an attempt at the run of that number; further fields win."""
    ended = None if status is Status.RUNNING else NOW + timedelta(seconds=1)
    record = RunRecord(
        run_id=run_id(number),
        experiment_id=EXPERIMENT,
        status=status,
        context_fingerprint="c" * 32,
        params_fingerprint="d" * 32,
        seed_fingerprint="e" * 32,
        started_at=NOW,
        finished_at=ended,
        duration_ms=None if ended is None else 1000.0,
        launch="launch",
    )
    return attrs.evolve(record, **fields)


def put(store: Store, *records: RunRecord) -> None:
    """Put records with a writer of their own."""
    with store.writer("launch") as writer:
        for record in records:
            writer.put(record)


def kept(store: Store, number: int = 0) -> RunRecord:
    """Return the current record of a run, which there must be."""
    record = store.get_run_record(run_id(number))
    assert record is not None, f"run {number} has no record"
    return record


def kept_artifact(
    writer: RunWriter, record: RunRecord, name: str, content: bytes, extension: str = "bin"
) -> ArtifactDescriptor:
    """Keep an artifact of a run and return what the run's record says of it."""
    uri, digest, size = writer.put_artifact(record, name, content, extension=extension)
    return ArtifactDescriptor(f"id-{name}", name, "bytes", "builtins/bytes", uri, digest, size)


def claims_of(store: Store, plan: str, runs: int, units: int | None = None) -> Claims:
    """Return the claims on a plan, cut into as many units as it has runs or into ``units``."""
    claims = store.claims(plan, runs, units or runs)
    assert claims is not None, "a store whose shares_plans is True returns claims"
    return claims


def spelt(value: Any) -> Any:
    """Return what tells values apart that are equal, as 1, 1.0 and True are, and equates NaNs."""
    if isinstance(value, dict):
        return {(type(key), repr(key)): spelt(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [spelt(each) for each in value]
    return type(value), repr(value)


def order(record: RunRecord) -> tuple[int, int, int]:
    """Return what decides which record of a run counts: epoch, how it ended, attempt."""
    ranks = [Status.RUNNING, Status.CANCELLED, Status.FAILED, Status.SUCCESS]
    return record.epoch, ranks.index(record.status), record.attempt
