"""Recorder: takes what an operation captures when it is called directly, as in a test."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from metalab.errors import CaptureError
from metalab.identity.arrays import is_scalar
from metalab.identity.canonical import hash_bytes
from metalab.params.base import own
from metalab.records import ArtifactDescriptor, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["Recorder"]


class Recorder:
    """Has the methods of Capture and keeps the very objects, in memory.

    ``metrics``, ``series``, ``data_values`` and ``objects`` have them by name, ``logs`` the
    level and text of each message.
    """

    def __init__(self) -> None:
        self._metrics: dict[str, Any] = {}
        self._series: dict[str, list[tuple[float, Any]]] = {}
        self._data: dict[str, Any] = {}
        self._artifacts: dict[str, ArtifactDescriptor] = {}
        self._objects: dict[str, Any] = {}
        self._logger: logging.Logger | None = None
        self._subscribed: dict[str, _Listener] = {}
        self.logs: list[tuple[str, str]] = []

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics by name; of a series, the last value."""
        return MappingProxyType(self._metrics)

    @property
    def series(self) -> Mapping[str, tuple[tuple[float, Any], ...]]:
        """The points (step, value) of the metrics that have steps."""
        return MappingProxyType({name: tuple(points) for name, points in self._series.items()})

    @property
    def data_values(self) -> dict[str, Any]:
        """What was given to ``data``, by name."""
        return dict(self._data)

    @property
    def artifacts(self) -> list[ArtifactDescriptor]:
        """The descriptors of artifacts, files and figures."""
        return list(self._artifacts.values())

    @property
    def objects(self) -> Mapping[str, Any]:
        """The objects given as artifacts and figures, and the paths given as files, by name."""
        return MappingProxyType(self._objects)

    @property
    def warnings(self) -> list[str]:
        """The sentences that a run's record would warn with: none."""
        return []

    def metric(self, name: str, value: Any, step: float | None = None) -> None:
        """Keep a scalar; with ``step``, as a point of a series."""
        scalar = _scalar(_checked_name("metric", name), value)
        self._metrics[name] = scalar
        if step is not None:
            self._series.setdefault(name, []).append((step, scalar))

    def log_metrics(self, metrics: Mapping[str, Any], step: float | None = None) -> None:
        """Keep several scalars."""
        for name, value in metrics.items():
            self.metric(name, value, step)

    def data(self, name: str, obj: Any, *, metadata: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002  as Capture's
        """Keep a structure as it is now."""
        self._data[_checked_name("data", name)] = own(obj)

    def artifact(
        self,
        name: str,
        obj: Any,
        *,
        kind: str | None = None,
        format: str | None = None,  # noqa: A002  the public name
        metadata: Mapping[str, Any] | None = None,
    ) -> ArtifactDescriptor:
        """Keep an object."""
        return self._keep(name, obj, kind or "object", format or "memory", metadata)

    def file(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        kind: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ArtifactDescriptor:
        """Keep the path of a file that exists."""
        if not Path(path).is_file():
            raise CaptureError(f"capture.file({name!r}): file not found: {os.fspath(path)}")
        return self._keep(name, Path(path), kind or "file", "memory", metadata)

    def figure(
        self,
        name: str,
        fig: Any,
        *,
        format: str = "png",  # noqa: A002  the public name
        dpi: float = 150,
        close: bool = True,  # noqa: ARG002  the figure is kept, so it stays open
    ) -> ArtifactDescriptor:
        """Keep a figure, which stays open."""
        return self._keep(name, fig, "figure", format, {"dpi": dpi})

    def log(self, message: object, level: str | int = "info") -> None:
        """Keep a message."""
        number = _level_of(level)
        self.logs.append((logging.getLevelName(number), str(message)))

    @property
    def logger(self) -> logging.Logger:
        """A logger whose messages are kept, from DEBUG on."""
        if self._logger is None:
            # Not from the registry, which would let one recorder hear what another is told.
            self._logger = logging.Logger("metalab.recorder", logging.DEBUG)  # noqa: LOG001
            self._logger.addHandler(_Listener(self))
        return self._logger

    def subscribe_logger(self, name: str, level: str | int = "info") -> None:
        """Keep the messages of a logger, too, until ``unsubscribe_logger`` or the end of a with."""
        self.unsubscribe_logger(name)
        listener = _Listener(self)
        listener.setLevel(_level_of(level))
        logging.getLogger(name).addHandler(listener)
        self._subscribed[name] = listener

    def unsubscribe_logger(self, name: str) -> None:
        """End what ``subscribe_logger`` began, if it did."""
        if (listener := self._subscribed.pop(name, None)) is not None:
            logging.getLogger(name).removeHandler(listener)

    def subscribe_output(self) -> None:
        """Leave what is printed where it is, so that a test can read it."""

    def unsubscribe_output(self) -> None:
        """Do nothing, as ``subscribe_output`` does."""

    def close(self) -> None:
        """End all subscriptions."""
        for name in list(self._subscribed):
            self.unsubscribe_logger(name)

    def __enter__(self) -> Self:
        """Return the recorder itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the recorder; what it kept stays."""
        self.close()

    def _keep(
        self, name: str, obj: Any, kind: str, form: str, metadata: Mapping[str, Any] | None
    ) -> ArtifactDescriptor:
        _checked_name("artifact", name)
        self._objects[name] = obj
        self._artifacts[name] = ArtifactDescriptor(
            artifact_id=hash_bytes(name.encode()),
            name=name,
            kind=kind,
            format=form,
            uri=f"memory:{name}",
            metadata=dict(metadata or {}),
        )
        return self._artifacts[name]


class _Listener(logging.Handler):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        self._recorder.log(record.getMessage(), record.levelno)


def _checked_name(call: str, name: object) -> str:
    if isinstance(name, str) and name:
        return name
    raise CaptureError(f"capture.{call}({name!r}): a name is a string of at least one character")


def _scalar(name: str, value: Any) -> Metric:
    scalar = value.item() if is_scalar(type(value)) else value
    if scalar is None or isinstance(scalar, bool | int | float | str):
        return scalar
    raise CaptureError(
        f"capture.metric({name!r}): a metric is a bool, int, float, str or None, not "
        f"{type(value).__name__}; keep it with capture.data or capture.artifact"
    )


def _level_of(level: str | int) -> int:
    if isinstance(level, int):
        return level
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        known = ", ".join(sorted(name.lower() for name in logging.getLevelNamesMapping()))
        raise ValueError(f"unknown level {level!r}; use one of {known}")
    return number
