"""The structures and artifacts of one run, each under its name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from metalab.capture.data import is_small, plain_metadata, text_of, value_of
from metalab.capture.refusal import OVER, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metalab.capture.artifacts import ArtifactWriter
    from metalab.records import ArtifactDescriptor

__all__ = ["Shelf"]


class Shelf:
    """Takes what is captured beside metrics, from any thread, until it is closed.

    ``tell`` hears of each artifact, ``warn`` of a name that is used again: what came first
    is no longer found.
    """

    def __init__(
        self,
        writer: ArtifactWriter,
        tell: Callable[[ArtifactDescriptor], None],
        warn: Callable[[str], None],
    ) -> None:
        self.data: dict[str, Any] = {}
        self._large_data: dict[str, ArtifactDescriptor] = {}
        self._artifacts: dict[str, ArtifactDescriptor] = {}
        self._writer = writer
        self._tell = tell
        self._warn = warn
        self._lock = threading.Lock()
        self._is_over = False

    @property
    def artifacts(self) -> list[ArtifactDescriptor]:
        """Every descriptor: artifacts, files and figures, then structures that are large."""
        with self._lock:
            return [*self._artifacts.values(), *self._large_data.values()]

    def has_data(self, name: str) -> bool:
        """Tell whether a structure was captured under the name."""
        return name in self.data or name in self._large_data

    def put_data(self, name: str, obj: Any, metadata: Mapping[str, Any] | None) -> None:
        """Keep a copy of a structure, in the record if it is small and has no metadata."""
        self._check_open("data", name)
        text = text_of("data", name, obj, name)
        meta = plain_metadata("data", name, metadata)
        if is_small(text) and not meta:
            value = value_of(text)
            with self._lock:
                self._make_room("data", name, self.data, self._large_data)
                self.data[name] = value
            return
        descriptor = self._writer.put_json(name, text, meta)
        with self._lock:
            self._make_room("data", name, self.data, self._large_data)
            self._large_data[name] = descriptor
        self._tell(descriptor)

    def put(
        self, call: str, name: str, write: Callable[[ArtifactWriter], ArtifactDescriptor]
    ) -> ArtifactDescriptor:
        """Let an artifact be written, and list it."""
        self._check_open(call, name)
        descriptor = write(self._writer)
        with self._lock:
            self._make_room(call, name, self._artifacts)
            self._artifacts[name] = descriptor
        self._tell(descriptor)
        return descriptor

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self._is_over = True

    def _make_room(self, call: str, name: str, *shelves: dict[str, Any]) -> None:
        # Asked again: the run may have ended while another thread of its own was writing.
        self._check_open(call, name)
        for shelf in shelves:
            if name in shelf:
                del shelf[name]
                kind = "data" if call == "data" else "the artifact"
                self._warn(f"{kind} {name!r} was captured more than once; the last one is kept")

    def _check_open(self, call: str, name: str) -> None:
        if self._is_over:
            raise refusal(call, name, OVER)
