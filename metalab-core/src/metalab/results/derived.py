"""Derived metrics: values computed from a run after it ended, and kept beside its record.

They are kept by the name of the function that computed them, with the function's code and
the record they were computed from, so that it is known when they no longer hold.
"""

from __future__ import annotations

import functools
import logging
import time
from array import array
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from metalab.errors import MetalabError
from metalab.identity.code import closure_fingerprint, code_fingerprint
from metalab.results.freshness import Entries, fresh_entries
from metalab.results.reader import Reader
from metalab.results.run import Run
from metalab.store.document import record_in
from metalab.store.lines import crc_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metalab.records import Metric
    from metalab.store.base import RunLog, Store, StoreWriter

__all__ = [
    "DerivedMetric",
    "DerivedMetricError",
    "DerivedMetrics",
    "Deriver",
    "as_derived_metrics",
    "derive",
    "keep",
    "lacking",
    "named",
    "said",
    "stale",
]

_logger = logging.getLogger(__name__)

DerivedMetrics: TypeAlias = (
    "Iterable[Callable[..., Any] | str | DerivedMetric] | Callable[..., Any] | str | None"
)
"""What a user may give as derived metrics."""

_PAUSE = 0.5
_PLAIN = frozenset({bool, int, float, str, type(None)})


class DerivedMetricError(MetalabError):
    """A function of a run raised, or returned something that is no scalar."""


@attrs.frozen
class DerivedMetric:
    """A named function of a Run, and the fingerprint of its code."""

    name: str
    function: Callable[[Run], Any]
    code: str

    def of(self, run: Run) -> dict[str, Metric]:
        """Compute the values: a scalar takes the function's name, None is no value.

        Raises DerivedMetricError, caused by what the function raised if it did.
        """
        try:
            value = self.function(run)
        except (Exception, SystemExit) as error:  # a user's function may raise anything
            raise self._fault(run, f"raised {type(error).__name__}: {said(error)}") from error
        if value is None:
            return {}
        try:
            values = named(value) if isinstance(value, Mapping) else {self.name: value}
        except ValueError as error:
            raise self._fault(run, f"returned {error}") from error
        return {name: self._scalar(run, name, item) for name, item in values.items()}

    def _scalar(self, run: Run, name: object, value: Any) -> Metric:
        # The scalars of array libraries have a shape without dimensions.
        plain = value.item() if getattr(value, "shape", None) == () else value
        if type(plain) in _PLAIN:
            return plain  # type: ignore[no-any-return]
        for kind in (int, float, str):
            if isinstance(plain, kind):
                return kind(plain)
        what = f"{name!r} as a {type(value).__name__}" if name != self.name else repr(value)
        raise self._fault(run, f"returned {what}; return a scalar or a dict of scalars")

    def _fault(self, run: Run, what: str) -> DerivedMetricError:
        return DerivedMetricError(f"derived metric {self.name!r} of run {run.run_id} {what}")


def said(error: BaseException) -> str:
    """Return the text of an exception, even of one that has none."""
    try:
        return str(error)
    except Exception as reason:  # noqa: BLE001  a user's exception may raise anything, too
        return f"(its text cannot be had: {type(reason).__name__})"


def named(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return values by their names as texts; ValueError for names that no column can have."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key)
        if name in found:
            raise ValueError(f"two values named {name!r}")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f"a value named {name!r}, which no file can hold") from None
        found[name] = value
    return found


def as_derived_metrics(
    given: DerivedMetrics,
) -> tuple[DerivedMetric, ...]:
    """Read what a user gave as derived metrics: functions, or ``"module:function"``.

    Raises TypeError for what is no named function, ImportError or AttributeError for a
    reference that leads nowhere, ValueError for two functions of one name.
    """
    if given is None:
        return ()
    if isinstance(given, str) or callable(given):
        given = (given,)
    metrics = tuple(map(_as_derived_metric, given))
    names = [metric.name for metric in metrics]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            f"two derived metrics are named {twice[0]!r}, and values are kept by that name; "
            "rename one of the functions"
        )
    return metrics


def _as_derived_metric(given: Callable[..., Any] | str | DerivedMetric) -> DerivedMetric:
    if isinstance(given, DerivedMetric):
        return given
    function = _imported(given) if isinstance(given, str) else given
    name = getattr(_innermost(function), "__name__", "")
    if not callable(function) or not name.isidentifier():
        raise TypeError(
            f"{given!r} is no derived metric: give a function with a name (its values are "
            "kept by it), or 'module:function'"
        )
    code = code_fingerprint(function).hash + closure_fingerprint(function)
    return DerivedMetric(name, function, code)


def _innermost(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _imported(reference: str) -> Any:
    module, colon, path = reference.partition(":")
    if not colon or not path:
        raise ValueError(f"{reference!r} is no reference: write 'module:function'")
    return functools.reduce(getattr, path.split("."), import_module(module))


def lacking(
    log: RunLog, run_ids: Sequence[str], indices: Iterable[int], metrics: Sequence[DerivedMetric]
) -> Sequence[int]:
    """Return those of the indices whose run has a metric missing, or made by other code.

    A run that was executed again since its values were computed lacks them, too.
    """
    if not metrics:
        return ()
    return array("Q", (i for i in indices if stale(fresh_entries(log, run_ids[i]), metrics)))


def stale(entries: Entries, metrics: Iterable[DerivedMetric]) -> list[DerivedMetric]:
    """Return those of the metrics that are not among a run's entries, or by other code."""
    return [m for m in metrics if m.name not in entries or entries[m.name]["code"] != m.code]


class Deriver:
    """Computes and keeps the metrics of runs as they succeed, for one worker.

    Finding a run's record in its store costs the more the more runs are there, so runs that
    follow each other quickly are gathered. ``flush`` must be called after the last one.
    What a function does wrong is logged as a warning; the run stays what it is. Without a
    ``writer`` the store's own is used.
    """

    def __init__(
        self, store: Store, metrics: Sequence[DerivedMetric], writer: StoreWriter | None = None
    ) -> None:
        self._metrics = metrics
        self._reader = Reader(store)
        self._writer = writer
        self._waiting: list[str] = []
        self._flushed = float("-inf")

    def add(self, run_id: str) -> None:
        """Take a run whose record was put, or that lacks metrics, to compute them soon."""
        self._waiting.append(run_id)
        if time.monotonic() - self._flushed >= _PAUSE:
            self.flush()

    def flush(self) -> None:
        """Compute what waits: of each run those metrics that are missing or do not hold."""
        waiting, self._waiting = self._waiting, []
        if not waiting or not self._metrics:
            return
        self._reader.refresh()
        store = self._reader.store
        with (
            nullcontext(self._writer) if self._writer is not None else store.own_writer() as writer
        ):
            for run_id in waiting:
                self._derive(run_id, writer)
        self._flushed = time.monotonic()

    def _derive(self, run_id: str, writer: StoreWriter) -> None:
        reader = self._reader
        run = Run(record_in(reader.log, run_id), reader.store, reader=reader)
        for metric in stale(reader.derived(run_id), self._metrics):
            try:
                values = metric.of(run)
            except DerivedMetricError as error:
                _logger.warning("%s", error)
            else:
                keep(writer, reader, run_id, metric, values)


def derive(store: Store, run_id: str, metrics: Sequence[DerivedMetric]) -> None:
    """Compute and keep the metrics of one run, where they are missing or do not hold."""
    Deriver(store, metrics).add(run_id)


def keep(
    writer: StoreWriter,
    reader: Reader,
    run_id: str,
    metric: DerivedMetric,
    values: Mapping[str, Metric],
    *,
    of: str | None = None,
) -> None:
    """Write values as those of the record that was read, or of the one with the crc ``of``."""
    of = of or crc_of(next(reader.log.lines([run_id])))
    rev = reader.revision(run_id, metric.name) + 1
    writer.put_derived(run_id, metric.name, values, code=metric.code, of=of, rev=rev)
