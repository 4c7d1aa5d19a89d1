"""Quasi-random points of metalab: ``sobol`` is to be used where ``metalab.random`` would be."""

from __future__ import annotations

from metalab_sobol.source import SobolSource, sobol

__all__ = ["SobolSource", "sobol"]
