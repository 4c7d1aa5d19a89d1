"""A picture of results: chosen, computed, drawn, and labelled with what it leaves out."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from metalab.errors import AggregateWarning
from metalab.records import Status
from metalab.results.columns import Columns, metric_column
from metalab.results.lookup import missing
from metalab.results.plotting.canvas import label_of, new_axes, plain
from metalab.results.plotting.choice import Choice, choose
from metalab.results.plotting.drawing import (
    draw_bars,
    draw_lines,
    draw_map,
    draw_parallel,
    draw_scatter,
)
from metalab.results.plotting.points import of_settings, of_steps
from metalab.results.plotting.sweep import Sweep
from metalab.store.query.groups import is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from metalab.results.plotting.choice import Kind
    from metalab.results.plotting.points import Error
    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["plot"]


def plot(
    rows: Rows,
    reader: Reader,
    names: tuple[str | None, str | None, str | None],
    kind: Kind | None,
    error: Error,
    ax: Axes | None,
) -> Axes:
    """Draw a picture of runs; see ``Results.plot``. ``names`` are x, y and hue."""
    if error not in {"ci", "sd", "sem", None}:
        raise ValueError(f"error={error!r}: say 'ci', 'sd', 'sem' or None")
    sweep = Sweep.of(rows)
    choice = choose(sweep, *names, kind)
    ax = new_axes() if ax is None else ax
    _DRAWN[choice.kind](ax, choice, sweep, rows, reader, error)
    _label(ax, choice, sweep)
    return ax


def _lines(
    ax: Axes, choice: Choice, sweep: Sweep, rows: Rows, reader: Reader, error: Error
) -> None:
    by = [name for name in (choice.x, choice.hue) if name is not None]
    points = [point for _, point in of_settings(rows, reader, choice.y, by, error)]
    hues = _values(sweep, choice.hue)
    if choice.kind == "heat":
        draw_map(ax, points, _values(sweep, choice.x), hues, choice.y)
    elif choice.kind == "bar" or choice.x is None:
        draw_bars(ax, points, _values(sweep, choice.x), hues, choice.hue)
    else:
        draw_lines(ax, points, hues, choice.hue)


def _series(
    ax: Axes, choice: Choice, sweep: Sweep, rows: Rows, reader: Reader, error: Error
) -> None:
    points = list(of_steps(rows, reader, choice.y, choice.hue, error))
    draw_lines(ax, points, _values(sweep, choice.hue), choice.hue)
    ax.set_xscale("linear")


def _parallel(
    ax: Axes, choice: Choice, sweep: Sweep, rows: Rows, reader: Reader, error: Error
) -> None:
    names = list(sweep.values) or list(sweep.params)
    found = of_settings(rows, reader, choice.y, names, error)
    axes = [(name, _values(sweep, name)) for name in names]
    draw_parallel(ax, [(values, point.mean) for values, point in found], axes, choice.y)


def _scatter(
    ax: Axes, choice: Choice, sweep: Sweep, rows: Rows, reader: Reader, error: Error
) -> None:
    del reader, error  # each run is a point
    columns = {**rows.columns(Columns(record=False)), "status": list(rows.statuses())}
    for name in (choice.x, choice.y):
        if name not in sweep.metrics:
            raise missing("these runs have", "metric", str(name), sweep.metrics)
    wanted = (
        columns[metric_column(str(choice.x))],
        columns[metric_column(choice.y)],
        columns[f"param_{choice.hue}"] if choice.hue else [None] * len(rows),
        columns["status"],
    )
    points, without = [], 0
    for x, y, hue, status in zip(*wanted, strict=True):
        if status != Status.SUCCESS:
            continue
        if all(is_number(each) and math.isfinite(each) for each in (x, y)):
            points.append((float(x), float(y), hue))
        else:
            without += 1
    if without:
        text = f"{without:,} successful runs without two finite numbers are not shown"
        warnings.warn(text, AggregateWarning, stacklevel=4)
    draw_scatter(ax, points, _values(sweep, choice.hue), choice.hue)


_DRAWN = {
    "line": _lines,
    "bar": _lines,
    "heat": _lines,
    "series": _series,
    "parallel": _parallel,
    "scatter": _scatter,
}


def _values(sweep: Sweep, name: str | None) -> list[Any]:
    return [None] if name is None else list(sweep.values.get(name, ())) or [None]


def _label(ax: Axes, choice: Choice, sweep: Sweep) -> None:
    """Name the axes, and say what the picture leaves out or takes together."""
    if choice.kind != "parallel":
        ax.set_xlabel(label_of(choice.x or ""))
        up = choice.hue if choice.kind == "heat" and choice.hue else choice.y
        ax.set_ylabel(label_of(up))
    told = []
    free = [] if choice.kind == "parallel" else sweep.free(choice.x, choice.hue)
    if free and choice.kind != "scatter":
        told.append(f"mean over {', '.join(free)} and replicates")
        text = f"the picture takes runs of different {', '.join(free)} together"
        warnings.warn(text, AggregateWarning, stacklevel=4)
    if sweep.failed:
        told.append(f"{sweep.failed:,} failed run{'s' * (sweep.failed != 1)} left out")
    if told:
        ax.set_title(plain("; ".join(told)), fontsize="small")
