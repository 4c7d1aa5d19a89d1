"""The canvas: matplotlib's axes, and what all pictures look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.errors import MissingExtraError
from metalab.harmless import harmless
from metalab.results.cells import spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["COLOURS", "label_of", "new_axes", "place_legend", "plain", "ticks_for"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
"""Told apart by people who see colours differently: Okabe and Ito (2008), without yellow."""

_LONG = 8
_LONGEST = 40


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
        ax.legend(
            title=label_of(title), loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False
        )


def ticks_for(axis: Any, values: Sequence[Any]) -> None:
    """Label places 0, 1, ... of an axis with values."""
    texts = list(map(label_of, values))
    is_long = max(map(len, texts), default=0) > _LONG
    axis.set_ticks(range(len(texts)), labels=texts)
    if is_long and axis.axis_name == "x":
        axis.set_tick_params(rotation=30)


def label_of(value: Any) -> str:
    """Return a value or name as a picture has room for it."""
    text = spelled(value, str)
    return plain(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def plain(text: str) -> str:
    """Return a text so that matplotlib shows it as it is."""
    # Between dollar signs it reads mathematics.
    return harmless(text).replace("$", r"\$")
