"""Results: what runs left behind, to look at, choose from, and turn into tables."""

from __future__ import annotations

from metalab.results.experiment import ExperimentInfo
from metalab.results.loading import open_results
from metalab.results.results import Results, display_results
from metalab.results.run import Run

__all__ = ["ExperimentInfo", "Results", "Run", "display_results", "open_results"]
