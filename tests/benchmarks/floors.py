"""The floors: the same work with a loop, the standard library's JSON and one hash a run.

Each is what a careful script without any framework would do. A run's id is the hash of the
canonical JSON of its params; its record is one JSON line. Nothing is fsynced, nothing can
be resumed after a crash, no error is caught: whatever a framework adds is its own cost.
"""

from __future__ import annotations

import json
import random
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING, Any

from benchmarks.work import METRIC, Work, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_line = json.JSONEncoder(separators=(",", ":")).encode


def append(work: Work) -> Callable[[], int]:
    """W1: every point's params, id and random number, and one buffered JSON line of them."""

    def phase() -> int:
        written = 0
        with _file(work).open("w") as file:
            for params, run_id in _points(work.runs):
                seed = int(run_id[:16], 16)
                metric = random.Random(seed).random()
                record = {
                    "id": run_id,
                    "params": params,
                    "seed": seed,
                    METRIC: metric,
                    "status": "success",
                }
                file.write(_line(record) + "\n")
                written += 1
        return written

    return phase


def resume(work: Work) -> Callable[[], int]:
    """W2: every id again, and the id of every line, to see that nothing is left to do."""

    def phase() -> int:
        with _file(work).open() as file:
            done = {json.loads(line)["id"] for line in file}
        return sum(run_id in done for _, run_id in _points(work.runs))

    return phase


def frame(work: Work) -> Callable[[], int]:
    """W3: decode every line as metalab does, with msgspec, into columns and one DataFrame."""
    import msgspec
    import pandas as pd

    decode = msgspec.json.Decoder().decode
    names = list(sweep(work.runs))

    def phase() -> int:
        with _file(work).open("rb") as file:
            records = [decode(line) for line in file]
        columns = {"run_id": [record["id"] for record in records]}
        for name in names:
            columns[f"param_{name}"] = [record["params"][name] for record in records]
        columns[METRIC] = [record[METRIC] for record in records]
        return len(pd.DataFrame(columns))

    return phase


def identify(work: Work) -> Callable[[], int]:
    """W6: the id of every point, none of them kept."""

    def phase() -> int:
        count = 0
        for _, run_id in _points(work.runs):
            count += len(run_id) == 32
        return count

    return phase


def _points(runs: int) -> Iterator[tuple[dict[str, Any], str]]:
    values = sweep(runs)
    for point in product(*values.values()):
        params = dict(zip(values, point, strict=True))
        yield params, sha256(_canonical(params).encode()).hexdigest()[:32]


def _file(work: Work) -> Path:
    work.folder.mkdir(parents=True, exist_ok=True)
    return work.folder / "runs.jsonl"
