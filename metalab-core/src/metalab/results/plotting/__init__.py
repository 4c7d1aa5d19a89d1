"""Pictures of results: what is shown follows from the sweep, and is drawn by matplotlib."""

from __future__ import annotations

from metalab.results.plotting.plot import plot

__all__ = ["plot"]
