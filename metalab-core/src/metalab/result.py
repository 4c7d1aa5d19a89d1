"""Results, by the name scripts import them from."""

from __future__ import annotations

from metalab.results import ExperimentInfo, Results, Run

__all__ = ["ExperimentInfo", "Results", "Run"]
