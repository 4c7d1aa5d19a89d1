"""Points at equal distances, a square of each beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frozen_v0_1.shapes import Square
from metalab import hookimpl
from metalab.params import ParamCase, ParamSource, Source

__all__ = ["Line"]


class Line(Source):
    """``size`` points from 1 on, at the distance ``step``."""

    def __init__(self, size: int, step: float) -> None:
        self.size, self.step = size, step

    def __len__(self) -> int:
        return self.size

    def case(self, index: int) -> ParamCase:
        x = 1 + index * self.step
        return ParamCase.of({"x": x, "square": Square(x)}, (f"point_{index}",))

    def to_manifest_dict(self) -> dict[str, Any]:
        return {"kind": "frozen-line", "type": "Line", "size": self.size, "step": self.step}


@hookimpl
def metalab_param_source(manifest: Mapping[str, Any]) -> ParamSource | None:
    return Line(manifest["size"], manifest["step"])
