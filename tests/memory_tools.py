"""What a piece of a test takes of memory."""

from __future__ import annotations

import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Memory", "traced_memory"]


class Memory:
    """Bytes that Python allocated in between: what is held in the end, and the most at once."""

    held = peak = 0


@contextmanager
def traced_memory() -> Iterator[Memory]:
    """Trace what is allocated within; the figures are there afterwards."""
    memory = Memory()
    tracemalloc.start()
    try:
        yield memory
        memory.held, memory.peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
