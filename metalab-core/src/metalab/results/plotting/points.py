"""Points: the means that a picture shows, with what is known of each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import attrs

from metalab.records import Status
from metalab.results.aggregates import aggregate
from metalab.results.curves import curves
from metalab.store.query.groups import as_float, is_number
from metalab.store.query.interval import Sample
from metalab.store.query.order import sort_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["Error", "Point", "of_settings", "of_steps"]

_FAR = 2**63
Error = Literal["ci", "sd", "sem"] | None


@attrs.frozen
class Point:
    """A mean at a place, over so many runs; low and high are None where too few say so."""

    x: Any
    hue: Any
    n: int
    mean: float
    low: float | None
    high: float | None


def of_settings(
    rows: Rows, reader: Reader, metric: str, by: Sequence[str], error: Error
) -> list[tuple[tuple[Any, ...], Point]]:
    """Return a point for each combination of values of params, with these values.

    The means and intervals are those of ``Results.aggregate``, and so are its warnings.
    """
    columns = [f"params.{name}" for name in by]
    groups = aggregate(rows, reader.store, [metric], columns, [])
    found = []
    for row in groups.rows():
        values = tuple(row.get(name, row.get(f"params.{name}")) for name in by)
        told = {what: row[f"{metric}.{what}"] for what in ("n", "mean", "sd", "low", "high")}
        if told["n"]:
            x, hue = (*values, None, None)[:2]
            found.append((values, _point(x, hue, told, error)))
    return found


def of_steps(
    rows: Rows, reader: Reader, name: str, hue: str | None, error: Error
) -> Iterator[Point]:
    """Yield a point for each step of a series and each value of a param."""
    made = curves(reader, rows, name)
    hues = made[f"param_{hue}"] if hue is not None else [None] * len(made["step"])
    groups: dict[Any, tuple[Any, Any, list[float]]] = {}
    every = zip(made["step"], hues, made["value"], made["status"], strict=True)
    for step, value_of_hue, value, status in every:
        if status == Status.SUCCESS and is_number(value):
            key = (sort_key(value_of_hue), step)
            groups.setdefault(key, (step, value_of_hue, []))[2].append(as_float(value))
    for step, value_of_hue, values in sorted(groups.values(), key=lambda group: group[0]):
        told = attrs.asdict(Sample.of(values))
        # matplotlib has no place for an integer that numpy has no type for.
        x = step if abs(step) < _FAR else as_float(step)
        yield _point(x, value_of_hue, told, error)


def _point(x: Any, hue: Any, told: Mapping[str, Any], error: Error) -> Point:
    n, mean, sd = told["n"], told["mean"], told["sd"]
    low, high = None, None
    if error == "ci":
        low, high = told["low"], told["high"]
    elif error is not None and sd is not None:
        half = sd if error == "sd" else sd / math.sqrt(n)
        low, high = mean - half, mean + half
    return Point(x, hue, n, mean, low, high)
