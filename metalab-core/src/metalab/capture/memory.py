"""A writer that keeps everything in memory, so that ``Capture()`` works without a store."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from metalab.store.base import RunWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from metalab.records import ArtifactDescriptor, AttemptKey, RunRecord

__all__ = ["MemoryWriter"]


class MemoryWriter(RunWriter):
    """Keeps what runs leave behind in plain containers, for unit tests of operations.

    ``records`` are the records put, in order. ``series`` and ``logs`` map (run id, name)
    to points and lines, ``artifacts`` maps uris to bytes.
    """

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.started: list[RunRecord] = []
        self.records: list[RunRecord] = []
        self.series: dict[tuple[str, str], list[tuple[int | float, Any]]] = {}
        self.logs: dict[tuple[str, str], list[str]] = {}
        self.artifacts: dict[str, bytes] = {}
        self.is_closed = False

    def start(
        self,
        run_id: str,  # noqa: ARG002  the record has it
        record: Callable[[], RunRecord],
        *,
        careful: bool = False,  # noqa: ARG002  nothing outlives this process
    ) -> None:
        self.started.append(record())

    def put(self, record: RunRecord, acknowledged: Callable[[], None] | None = None) -> None:
        self.records.append(record)
        if acknowledged is not None:
            acknowledged()

    def put_series(
        self, run: AttemptKey, name: str, points: Sequence[tuple[int | float, Any]]
    ) -> None:
        self.series.setdefault((run.run_id, name), []).extend(points)

    def put_artifact(
        self, run: AttemptKey, name: str, source: bytes | Path, *, extension: str
    ) -> tuple[str, str, int]:
        content = source if isinstance(source, bytes) else source.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        uri = f"{run.run_id}/{len(self.artifacts)}/{quote(name, safe='')}.{extension}"
        self.artifacts[uri] = content
        return uri, digest, len(content)

    def append_log(self, run: AttemptKey, text: str, name: str = "run") -> None:
        self.logs.setdefault((run.run_id, name), []).append(text)

    def open_artifact(self, artifact: ArtifactDescriptor | str) -> BinaryIO:
        """Open the bytes of an artifact, by descriptor or uri."""
        uri = artifact if isinstance(artifact, str) else artifact.uri
        return io.BytesIO(self.artifacts[uri])

    def flush(self) -> None:
        """Have nothing to wait for: memory is as durable as it will ever be."""

    def close(self) -> None:
        self.is_closed = True
