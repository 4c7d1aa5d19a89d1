"""The object through which an operation says what its run has found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metalab.capture.attempt import Attempt
from metalab.capture.refusal import checked_name, refusal
from metalab.capture.scalars import NUMBERS, plain_scalar, plain_step

if TYPE_CHECKING:
    import logging
    import os

    from metalab.records import ArtifactDescriptor, Metric

__all__ = ["Capture"]


class Capture(Attempt):
    """Takes the metrics, structures, artifacts, figures and log lines of one run.

    ``Capture()`` works alone, in memory, so that an operation can be tested by calling it.
    A run's own is made with the ``run`` and attempt it is for, the store's ``writer``, ``emit`` for
    events, and ``worker``, with which the logger's name ends. An operation may use it from
    several threads. What cannot be kept fails the call with CaptureError, and so does any
    call after the run's end; what was captured before stays.
    """

    def metric(self, name: str, value: Any, step: float | None = None) -> None:
        """Keep a scalar; a later one of that name replaces it.

        With ``step`` it is a point of a series, whose last value counts as the metric. A
        name is used either with steps or without.
        """
        if type(name) is not str or not name or not name.isascii():
            name = checked_name("metric", name)
        if type(value) not in NUMBERS:
            value = plain_scalar("metric", name, value)
        if step is not None:
            step = self._checked_step("metric", (name,), step)
        self._metrics.keep("metric", {name: value}, step)

    def log_metrics(self, metrics: Mapping[str, Any], step: float | None = None) -> None:
        """Keep several metrics, as ``metric`` does; if one cannot be kept, none is."""
        if not isinstance(metrics, Mapping):
            what = f"a dict of names and scalars is wanted, not {type(metrics).__name__}"
            raise refusal("log_metrics", metrics, what)
        plain: dict[str, Metric] = {}
        for key, value in metrics.items():
            name = checked_name("log_metrics", key)
            plain[name] = plain_scalar("log_metrics", name, value)
        if step is not None:
            step = self._checked_step("log_metrics", tuple(plain), step)
        self._metrics.keep("log_metrics", plain, step)

    def data(self, name: str, obj: Any, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Keep a structure of plain values and arrays as it is now; dtype and shape are kept.

        Up to 32 KiB of JSON stands in the run's record; more, and what has ``metadata``, in
        an artifact of kind ``data``.
        """
        name = checked_name("data", name)
        if self._metrics.is_series(name):
            raise refusal("data", name, "a metric with steps has this name already")
        self._shelves("data", name).put_data(name, obj, metadata)

    def artifact(
        self,
        name: str,
        obj: Any,
        *,
        kind: str | None = None,
        format: str | None = None,  # noqa: A002  the public name
        metadata: Mapping[str, Any] | None = None,
    ) -> ArtifactDescriptor:
        """Keep an object as bytes, with the serializer of that format or kind, or of its library.

        A later artifact, file or figure of the same name replaces it, with a warning in the
        record.
        """
        name = checked_name("artifact", name)
        return self._shelves("artifact", name).put(
            "artifact", name, lambda writer: writer.put_object(name, obj, kind, format, metadata)
        )

    def file(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        kind: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ArtifactDescriptor:
        """Keep the bytes that a file has now; ``kind`` is a label, ``file`` unless given."""
        name = checked_name("file", name)
        return self._shelves("file", name).put(
            "file", name, lambda writer: writer.put_file(name, path, kind, metadata)
        )

    def figure(
        self,
        name: str,
        fig: Any,
        *,
        format: str = "png",  # noqa: A002  the public name
        dpi: float = 150,
        close: bool = True,
    ) -> ArtifactDescriptor:
        """Keep a figure (whatever has ``savefig``) as drawn, and by default close it."""
        name = checked_name("figure", name)
        return self._shelves("figure", name).put(
            "figure", name, lambda writer: writer.put_figure(name, fig, format, dpi, close=close)
        )

    @property
    def logger(self) -> logging.Logger:
        """A logger whose every line from DEBUG on is written to the run's log at once."""
        return self._listen("logger", self._worker).logger

    def log(self, message: object, level: str | int = "info") -> None:
        """Write a message to the run's log at once; an unknown level is refused."""
        self._listen("log", str(message)).log(str(message), level)

    def subscribe_logger(self, name: str, level: str | int = "info") -> None:
        """Also log what the logger of that name takes in this run, until the run ends.

        Lines of other runs are never among them. That holds for the operation's own thread
        and contexts copied from it; other threads count for the run as long as it is the
        only one in the process. The logger's level is lowered where needed and put back.
        """
        self.__enter__()
        self._listen("subscribe_logger", name).subscribe_logger(name, level)

    def unsubscribe_logger(self, name: str) -> None:
        """End what ``subscribe_logger`` began, if it did."""
        if self._listening is not None:
            self._listening.unsubscribe_logger(name)

    def subscribe_output(self) -> None:
        """Also keep what the run prints, in the logs ``stdout`` and ``stderr``, until it ends.

        What subprocesses and libraries in C write is not seen.
        """
        self.__enter__()
        self._listen("subscribe_output", "").subscribe_output()

    def unsubscribe_output(self) -> None:
        """End what ``subscribe_output`` began, if it did."""
        if self._listening is not None:
            self._listening.unsubscribe_output()

    def _checked_step(self, call: str, names: tuple[str, ...], step: Any) -> int | float:
        for name in names:
            if self._shelf is not None and self._shelf.has_data(name):
                raise refusal(call, name, "a structure of capture.data has this name already")
        return plain_step(call, ", ".join(names), step)
