"""Param sources: which points a sweep has, and the algebra that combines them."""

from __future__ import annotations

from metalab.params.algebra import (
    ConcatSource,
    FilteredSource,
    ProductSource,
    SelectedSource,
    Source,
    ZipSource,
)
from metalab.params.base import ParamCase, ParamResolver, ParamSource
from metalab.params.distributions import (
    Choice,
    Distribution,
    LogUniform,
    LogUniformInt,
    RandInt,
    Uniform,
    choice,
    loguniform,
    loguniform_int,
    randint,
    uniform,
)
from metalab.params.grids import GridSource, grid, zip_
from metalab.params.manifest import source_from_manifest
from metalab.params.points import ManualSource, from_frame, manual
from metalab.params.resolver import ResolvedSource, with_resolver
from metalab.params.trials import RandomSource, random

__all__ = [
    "Choice",
    "ConcatSource",
    "Distribution",
    "FilteredSource",
    "GridSource",
    "LogUniform",
    "LogUniformInt",
    "ManualSource",
    "ParamCase",
    "ParamResolver",
    "ParamSource",
    "ProductSource",
    "RandInt",
    "RandomSource",
    "ResolvedSource",
    "SelectedSource",
    "Source",
    "Uniform",
    "ZipSource",
    "choice",
    "from_frame",
    "grid",
    "loguniform",
    "loguniform_int",
    "manual",
    "randint",
    "random",
    "source_from_manifest",
    "uniform",
    "with_resolver",
    "zip_",
]
