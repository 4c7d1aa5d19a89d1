"""Drawing: each kind of picture into axes."""

from __future__ import annotations

import math
from itertools import cycle
from typing import TYPE_CHECKING, Any

from metalab.results.plotting.canvas import COLOURS, label_of, place_legend, ticks_for
from metalab.results.plotting.sweep import is_geometric
from metalab.store.query.order import sort_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from metalab.results.plotting.points import Point

__all__ = ["draw_bars", "draw_lines", "draw_map", "draw_parallel", "draw_scatter"]

_CELLS = 144  # of a map that still have room for their numbers
_BAND = 0.2


def draw_lines(ax: Axes, points: Sequence[Point], hues: Sequence[Any], hue: str | None) -> None:
    """Draw means as lines, their intervals as bands."""
    for colour, value, mine in _by_hue(points, hues):
        mine.sort(key=lambda point: point.x)
        xs = [point.x for point in mine]
        label = None if hue is None else label_of(value)
        marker = "o" if len(mine) <= 2 * len(COLOURS) else ""
        ax.plot(xs, [point.mean for point in mine], color=colour, marker=marker, label=label)
        known = [point for point in mine if point.low is not None and point.high is not None]
        if known:
            bounds: Any = [[p.x for p in known], [p.low for p in known], [p.high for p in known]]
            ax.fill_between(*bounds, color=colour, alpha=_BAND, linewidth=0)
    if points and is_geometric(sorted({point.x for point in points})):
        ax.set_xscale("log")
    place_legend(ax, hue)


def draw_bars(
    ax: Axes, points: Sequence[Point], xs: Sequence[Any], hues: Sequence[Any], hue: str | None
) -> None:
    """Draw means as points over names, their intervals as bars; a bar from zero would mislead."""
    places = {sort_key(value): place for place, value in enumerate(xs)}
    groups = _by_hue(points, hues)
    for number, (colour, value, mine) in enumerate(groups):
        shift = (number - (len(groups) - 1) / 2) * min(0.15, 0.6 / len(groups))
        below = [p.mean - p.low if p.low is not None else 0.0 for p in mine]
        above = [p.high - p.mean if p.high is not None else 0.0 for p in mine]
        ax.errorbar(
            [places[sort_key(point.x)] + shift for point in mine],
            [point.mean for point in mine],
            yerr=[below, above],
            fmt="o",
            capsize=3,
            color=colour,
            label=None if hue is None else label_of(value),
        )
    ticks_for(ax.xaxis, xs)
    ax.margins(x=0.15)
    place_legend(ax, hue)


def draw_map(
    ax: Axes, points: Sequence[Point], xs: Sequence[Any], ys: Sequence[Any], metric: str
) -> None:
    """Draw means as the colours of a map; settings without a number stay empty."""
    across = {sort_key(value): place for place, value in enumerate(xs)}
    up = {sort_key(value): place for place, value in enumerate(ys)}
    cells = [[math.nan] * len(xs) for _ in ys]
    for point in points:
        cells[up[sort_key(point.hue)]][across[sort_key(point.x)]] = point.mean
    image = ax.imshow(cells, origin="lower", aspect="auto", cmap="cividis")
    ticks_for(ax.xaxis, xs)
    ticks_for(ax.yaxis, ys)
    ax.figure.colorbar(image, ax=ax, label=label_of(metric))
    if len(points) <= _CELLS:
        middle = image.norm.vmin, image.norm.vmax
        for row, line in enumerate(cells):
            for column, mean in enumerate(line):
                if not math.isnan(mean):
                    dark = mean < sum(map(float, middle)) / 2  # type: ignore[arg-type]
                    colour = "white" if dark else "black"
                    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
                    ax.text(column, row, f"{mean:.3g}", color=colour, **style)


def draw_parallel(
    ax: Axes,
    settings: Sequence[tuple[Sequence[Any], float]],
    axes: Sequence[tuple[str, Sequence[Any]]],
    metric: str,
) -> None:
    """Draw each setting as a line through the values of its params, coloured by its mean."""
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415  as in canvas
    from matplotlib.colors import Normalize  # noqa: PLC0415  as in canvas

    means = [mean for _, mean in settings]
    norm = Normalize(min(means, default=0.0), max(means, default=1.0))
    colours: Any = ScalarMappable(norm, "cividis")
    places = [{sort_key(v): n for n, v in enumerate(values)} for _, values in axes]
    # The best lie on top of the others, as they do on a map.
    for given, mean in sorted(settings, key=lambda setting: setting[1]):
        heights = [
            place[sort_key(value)] / max(1, len(place) - 1)
            for place, value in zip(places, given, strict=True)
        ]
        ax.plot(range(len(axes)), heights, color=colours.to_rgba(mean), alpha=0.8)
    for column, (_, values) in enumerate(axes):
        ax.axvline(column, color="0.8", zorder=0)
        for number, value in enumerate(values):
            text = label_of(value)
            ax.annotate(
                text,
                (column, number / max(1, len(values) - 1)),
                fontsize=8,
                ha="right",
                va="center",
            )
    ticks_for(ax.xaxis, [name for name, _ in axes])
    ax.set_yticks([])
    ax.margins(x=0.15)
    ax.figure.colorbar(colours, ax=ax, label=label_of(metric))


def draw_scatter(
    ax: Axes,
    points: Sequence[tuple[float, float, Any]],
    hues: Sequence[Any],
    hue: str | None,
) -> None:
    """Draw each run as a point."""
    for colour, value in zip(cycle(COLOURS), hues, strict=False):
        mine = [(x, y) for x, y, each in points if sort_key(each) == sort_key(value)]
        if mine:
            label = None if hue is None else label_of(value)
            xs, ys = zip(*mine, strict=True)
            ax.scatter(xs, ys, color=colour, s=18, alpha=0.7, label=label)
    place_legend(ax, hue)


def _by_hue(points: Sequence[Point], hues: Sequence[Any]) -> list[tuple[str, Any, list[Point]]]:
    found = []
    for colour, value in zip(cycle(COLOURS), hues, strict=False):
        mine = [point for point in points if sort_key(point.hue) == sort_key(value)]
        if mine:
            found.append((colour, value, mine))
    return found
