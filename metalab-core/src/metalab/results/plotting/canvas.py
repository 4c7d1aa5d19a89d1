"""The canvas: matplotlib's axes, and what all pictures look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

__all__ = ["COLOURS", "new_axes", "place_legend", "ticks_for"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
"""Told apart by people who see colours differently: Okabe and Ito (2008), without yellow."""

_LONG = 8


def new_axes() -> Axes:
    """Make a figure with one axes; raises MissingExtraError without matplotlib."""
    try:
        from matplotlib import pyplot as plt  # noqa: PLC0415  a soft dependency, and a slow import
    except ImportError as error:
        raise MissingExtraError(
            "plot() needs matplotlib: pip install 'metalab[plot]' (aggregate() and series() give "
            "the numbers without)"
        ) from error
    _, ax = plt.subplots(layout="constrained")
    return ax


def place_legend(ax: Axes, title: str | None) -> None:
    """Put a legend beside the axes, where it hides nothing."""
    if title is not None:
        ax.legend(title=title, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)


def ticks_for(axis: Any, values: Sequence[Any]) -> None:
    """Label places 0, 1, ... of an axis with values."""
    texts = list(map(str, values))
    is_long = max(map(len, texts), default=0) > _LONG
    axis.set_ticks(range(len(texts)), labels=_plain(texts))
    if is_long and axis.axis_name == "x":
        axis.set_tick_params(rotation=30)


def _plain(texts: Iterable[str]) -> list[str]:
    # Between dollar signs matplotlib reads mathematics.
    return [text.replace("$", r"\$") for text in texts]
