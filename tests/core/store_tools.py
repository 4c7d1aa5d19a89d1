"""What the tests of the store share."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from metalab.records import RunRecord, Status
from metalab.store import FileStoreConfig

TESTS = str(Path(__file__).parent.parent)
EXPERIMENT = "my_exp:1.0"
NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def run_id(number: int = 0) -> str:
    return f"{number:032x}"


def made(number: int = 0, status: Status = Status.SUCCESS, **fields) -> RunRecord:
    running = status is Status.RUNNING
    given = {"metrics": {"score": number + 0.5}, "params_resolved": {"x": number}, **fields}
    return RunRecord(
        run_id=run_id(number),
        experiment_id=EXPERIMENT,
        status=status,
        context_fingerprint="c" * 32,
        params_fingerprint="d" * 32,
        seed_fingerprint="e" * 32,
        started_at=NOW,
        finished_at=None if running else NOW,
        duration_ms=None if running else 1.5,
        launch="launch",
        **given,
    )


def store_at(path: Path, **options):
    """Return the experiment's store in a collection at a path.

    A slow disk may need some seconds for each of the tries that are to fail.
    """
    options = {"commit_interval": 0.01, "store_timeout": 120, **options}
    return FileStoreConfig(path, **options).connect().scoped(EXPERIMENT)


def segments(store) -> list[Path]:
    return sorted((store.get_working_directory() / "runs").glob("*.jsonl"))


def names_in(store, folder: str) -> list[str]:
    """List the files below a folder of the store, by their paths in it."""
    path = store.get_working_directory() / folder
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def content(store, artifact) -> bytes:
    """Return the bytes of an artifact, by descriptor or uri."""
    with store.open_artifact(artifact) as file:
        return file.read()


def python(script: str, *arguments: str, **options) -> subprocess.Popen:
    """Start a script in a process of its own, which finds what the tests share."""
    environment = {**os.environ, "PYTHONPATH": TESTS, **options.pop("env", {})}
    return subprocess.Popen([sys.executable, "-c", script, *arguments], env=environment, **options)
