"""Derived metrics: values computed from a run after it ended, and kept beside its record.

They are kept by the name of the function that computed them, with the function's code and
the record they were computed from, so that it is known when they no longer hold.
"""

from __future__ import annotations

import functools
import logging
from array import array
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from metalab.errors import MetalabError
from metalab.identity.code import closure_fingerprint, code_fingerprint
from metalab.records import RunRecord
from metalab.results.freshness import Entries, fresh_entries
from metalab.results.reader import Reader
from metalab.results.run import Run
from metalab.store.document import record_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metalab.records import Metric
    from metalab.store.base import RunLog, Store

__all__ = [
    "DerivedMetric",
    "DerivedMetricError",
    "DerivedMetrics",
    "as_derived_metrics",
    "derive",
    "lacking",
    "stale",
]

_logger = logging.getLogger(__name__)

DerivedMetrics: TypeAlias = (
    "Iterable[Callable[..., Any] | str | DerivedMetric] | Callable[..., Any] | str | None"
)
"""What a user may give as derived metrics."""

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
        except Exception as error:  # a user's function may raise anything
            raise self._fault(run, f"raised {type(error).__name__}: {error}") from error
        if value is None:
            return {}
        values = value if isinstance(value, Mapping) else {self.name: value}
        return {str(name): self._scalar(run, name, item) for name, item in values.items()}

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


def derive(store: Store, run: str | RunRecord, metrics: Sequence[DerivedMetric]) -> None:
    """Compute and keep the metrics of one run, given its id, or the record just put.

    By its id, only those metrics are computed that are missing or do not hold any more.
    What a function does wrong is logged as a warning; the run stays what it is.
    """
    if isinstance(run, RunRecord):
        subject, wanted = Run(run, store), metrics
    else:
        reader = Reader(store)
        subject = Run(record_of(next(reader.log.lines([run]))), store, reader=reader)
        wanted = stale(reader.derived(run), metrics)
    for metric in wanted:
        try:
            values = metric.of(subject)
        except DerivedMetricError as error:
            _logger.warning("%s", error)
        else:
            store.put_derived(subject.run_id, metric.name, values, code=metric.code)
