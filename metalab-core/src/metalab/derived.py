"""Derived metrics: functions of a finished run, computed beside it and kept with its record.

A function takes a ``Run`` and returns a scalar, which takes the function's name, or a dict
of scalars. ``metalab.run(derived_metrics=[f])`` and ``Results.compute_derived([f])`` take
the function itself, or ``"module:f"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.results.computed import DerivedMetricWarning
from metalab.results.derived import DerivedMetric, DerivedMetricError, as_derived_metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from metalab.records import Metric
    from metalab.results.run import Run

__all__ = [
    "DerivedMetric",
    "DerivedMetricError",
    "DerivedMetricWarning",
    "as_derived_metrics",
    "compute",
]


def compute(function: Callable[[Run], Any] | str, run: Run) -> dict[str, Metric]:
    """Compute one derived metric of a run and keep nothing, as for trying a function out.

    Raises DerivedMetricError if the function raises or returns something that is no scalar.
    """
    (metric,) = as_derived_metrics(function)
    return metric.of(run)
