"""What stands behind a capture: the parts that keep things, made when needed, and their end."""

from __future__ import annotations

import threading
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from metalab.capture import scope
from metalab.capture.artifacts import ArtifactWriter
from metalab.capture.listening import Listening
from metalab.capture.memory import MemoryWriter
from metalab.capture.metrics import Metrics
from metalab.capture.refusal import OVER, refusal
from metalab.capture.shelf import Shelf
from metalab.events import Event
from metalab.records import ArtifactDescriptor, AttemptKey, Metric, RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metalab.capture.series import Point
    from metalab.store.base import RunWriter

__all__ = ["Attempt"]

_making = threading.Lock()
_NOTHING: MappingProxyType[str, Any] = MappingProxyType({})


class Attempt:
    """Holds all that one attempt at a run captures, and closes it once.

    The worker reads the properties after ``finish`` (or the end of the ``with`` block) to
    make the run's record.
    """

    # Most runs capture a metric or two: the parts for all else are made on first use.
    _shelf: Shelf | None = None
    _listening: Listening | None = None
    _before: object | None = None
    _is_entered = False

    def __init__(
        self,
        run: AttemptKey | None = None,
        writer: RunWriter | None = None,
        *,
        emit: Callable[[Event], None] | None = None,
        allow_pickle: bool = False,
        worker: str = "",
    ) -> None:
        if run is None and writer is not None:
            run = RunRecord.running()
        self._run = run
        self._writer = writer
        self._emit = emit
        self._allow_pickle = allow_pickle
        self._worker = worker
        self._metrics = Metrics(run, writer)
        self._warnings: dict[str, None] = {}

    @property
    def metrics(self) -> MappingProxyType[str, Metric]:
        """What was captured so far, by name: plain values, and the last of each series."""
        return MappingProxyType(self._metrics.values)

    @property
    def series(self) -> Mapping[str, tuple[Point, ...]]:
        """The points (step, value) that no writer has taken yet: all of them, without a writer."""
        return self._metrics.series

    @property
    def data_values(self) -> MappingProxyType[str, Any]:
        """The structures that stand in the run's record, by name."""
        return _NOTHING if self._shelf is None else MappingProxyType(self._shelf.data)

    @property
    def artifacts(self) -> list[ArtifactDescriptor]:
        """The descriptors of all that was captured as artifacts."""
        return [] if self._shelf is None else self._shelf.artifacts

    @property
    def warnings(self) -> list[str]:
        """What did not go quite as asked, each sentence once."""
        return list(self._warnings)

    @property
    def writer(self) -> RunWriter:
        """Where this goes: the run's writer, else a MemoryWriter of its own."""
        return self._parts()[1]

    def finish(self) -> None:
        """End the run for this: write what waits, and leave loggers and streams as they were.

        Raises what the writer raises. Further calls do nothing.
        """
        if self._metrics.is_over:
            return
        try:
            self._metrics.close()
        finally:
            if self._shelf is not None:
                self._shelf.close()
            if self._listening is not None:
                self._listening.close()
            if self._is_entered:
                scope.leave(self, self._before)

    def __enter__(self) -> Self:
        """Let the calling thread work for this run."""
        if not self._is_entered:
            self._is_entered = True
            self._before = scope.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish, whatever has happened."""
        self.finish()

    def _parts(self) -> tuple[AttemptKey, RunWriter]:
        with _making:
            if self._run is None:
                self._run = RunRecord.running()
            if self._writer is None:
                self._writer = MemoryWriter()
            return self._run, self._writer

    def _shelves(self, call: str, name: str) -> Shelf:
        run, writer = self._parts()
        with _making:
            if self._shelf is None:
                keeper = ArtifactWriter(run, writer, allow_pickle=self._allow_pickle)
                self._shelf = Shelf(keeper, self._tell_artifact, self._warn)
        self._check_open(call, name)
        return self._shelf

    def _listen(self, call: str, name: str) -> Listening:
        run, writer = self._parts()
        with _making:
            if self._listening is None:
                self._listening = Listening(
                    self,
                    self._worker,
                    lambda line, log: writer.append_log(run, line, log),
                    self._tell_line,
                    self._warn,
                )
        self._check_open(call, name)
        return self._listening

    def _check_open(self, call: str, name: str) -> None:
        if self._metrics.is_over:
            raise refusal(call, name, OVER)

    def _warn(self, text: str) -> None:
        self._warnings[text] = None

    def _tell_artifact(self, artifact: ArtifactDescriptor) -> None:
        if self._emit is not None and self._run is not None:
            self._emit(
                Event.artifact_saved(
                    self._run.run_id,
                    artifact.name,
                    kind=artifact.kind,
                    format=artifact.format,
                    uri=artifact.uri,
                    size_bytes=artifact.size_bytes,
                )
            )

    def _tell_line(self, message: str, level: str, logger: str) -> None:
        if self._emit is not None and self._run is not None:
            self._emit(Event.log(self._run.run_id, message, level=level, logger=logger))
