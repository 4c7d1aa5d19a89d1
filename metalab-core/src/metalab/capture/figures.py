"""Figures: whatever has ``savefig``, drawn into bytes and closed."""

from __future__ import annotations

import sys
from typing import Any, BinaryIO

__all__ = ["close_figure", "draw"]


def draw(figure: Any, file: BinaryIO, *, format: str, dpi: float) -> None:  # noqa: A002  savefig's name
    """Draw the figure into a file in the format (``png``, ``svg``, ``pdf``) at that resolution."""
    if not callable(getattr(figure, "savefig", None)):
        raise TypeError(f"{type(figure).__name__} has no savefig method, so it is no figure")
    figure.savefig(file, format=format, dpi=dpi)


def close_figure(figure: Any) -> None:
    """Let pyplot forget the figure, which it else keeps for ever; other figures are left alone."""
    # Where pyplot was never loaded there is nothing that could keep a figure.
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and isinstance(figure, pyplot.Figure):
        pyplot.close(figure)
