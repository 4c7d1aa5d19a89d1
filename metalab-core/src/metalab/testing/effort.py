"""Effort: how much is done to answer, counted in lines executed and in memory, not in time."""

from __future__ import annotations

import sys
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["little_effort"]

_LINES = 100_000
_BYTES = 8_000_000  # a list of a million references takes as much


@contextmanager
def little_effort() -> Iterator[None]:
    """Raise AssertionError as soon as what is inside loops over a million of things."""
    left = _LINES

    def count(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal left
        left -= event == "line"
        if left < 0:
            raise AssertionError(f"it takes more than {_LINES} lines of code: it enumerates")
        return count

    before = sys.gettrace()
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    tracemalloc.reset_peak()
    held, _ = tracemalloc.get_traced_memory()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
        _, peak = tracemalloc.get_traced_memory()
        if not was_tracing:
            tracemalloc.stop()
    if peak - held >= _BYTES:
        raise AssertionError(f"it takes {peak - held} bytes of memory: it holds every point")
