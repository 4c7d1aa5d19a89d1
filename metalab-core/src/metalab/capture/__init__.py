"""Capture: what an operation says about its run."""

from __future__ import annotations

from metalab.capture.capture import Capture
from metalab.capture.memory import MemoryWriter

__all__ = ["Capture", "MemoryWriter"]
