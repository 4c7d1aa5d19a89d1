"""The plugin for matplotlib: figures as the PNG files they are drawn into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from metalab.hookspecs import hookimpl
from metalab.serializers.soft import class_in_use

if TYPE_CHECKING:
    from metalab.serializers.base import Serializer

__all__ = ["FigureSerializer"]

_DPI = 150  # as capture.figure draws


@attrs.frozen
class FigureSerializer:
    """A figure as drawn. What comes back are the bytes of the PNG file, as of capture.figure."""

    kind: str = "figure"
    format: str = "matplotlib/png"
    extension: str = "png"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a Figure."""
        figure = class_in_use("matplotlib.figure", "Figure")
        return figure is not None and isinstance(obj, figure)

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Draw a figure, which stays open; TypeError refuses all else."""
        if not self.can_handle(obj):
            raise TypeError(f"a matplotlib Figure is wanted, not {type(obj).__name__}")
        obj.savefig(file, format="png", dpi=_DPI)

    def load(self, file: BinaryIO) -> bytes:
        """Return the PNG file's bytes; matplotlib is not needed."""
        return file.read()


_FIGURE = FigureSerializer()


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    """Choose PNG for a figure; axes and the like are declined."""
    return _FIGURE if _FIGURE.can_handle(obj) else None


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002  the hook's name for it
    """Return the serializer of the format ``matplotlib/png``."""
    return _FIGURE if format == _FIGURE.format else None
