"""The source keeps the contract: every test is inherited from metalab's kit."""

from __future__ import annotations

import math

from metalab.params import choice, loguniform, loguniform_int, randint, uniform
from metalab.testing import ParamSourceContract, PluginContract
from metalab_sobol import sobol


class TestSobol(ParamSourceContract):
    def source(self):
        options = [math.nan, -0.0, (1, "a"), None, ["a", {"b": 2}]]
        space = {
            "choice": choice(options),
            "log": loguniform(1e-4, 1e-1),
            "logint": loguniform_int(1, 1000),
            "int": randint(-3, 2**70),
            "plain": uniform(-1, 1),
        }
        return sobol(space, n_points=20, seed=2**80)

    def many(self):
        return sobol({"x": uniform(0, 1), "y": loguniform(1, 10)}, n_points=2**20 + 1, seed=7)


class TestPlugin(PluginContract):
    distribution = "metalab-sobol"
    libraries = ("numpy", "scipy")
