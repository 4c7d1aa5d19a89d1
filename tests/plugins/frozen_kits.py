"""The contracts of the frozen plugin; executed by ``test_frozen_plugins`` alone."""

from __future__ import annotations

import pytest
from frozen_v0_1.executor import FrozenExecutor
from frozen_v0_1.line import Line
from frozen_v0_1.shapes import Square
from frozen_v0_1.store import FrozenStoreConfig

from metalab.testing import (
    ExecutorContract,
    ParamSourceContract,
    PluginContract,
    SerializerContract,
    StoreContract,
)


class TestStore(StoreContract):
    # What a store may leave out, and this one does.
    shares_plans = tells_how_writers_ended = can_compact = can_inspect = False
    keeps_patches = keeps_payloads = keeps_launch_files = False

    @pytest.fixture
    def config(self, tmp_path):
        return FrozenStoreConfig(folder=str(tmp_path / "store"))


class TestExecutor(ExecutorContract):
    can_kill = is_detached = has_own_processes = False

    @pytest.fixture
    def options(self):
        return {"workers": 2}

    @pytest.fixture
    def executor(self, options):
        with FrozenExecutor(**options) as made:
            yield made


class TestSquares(SerializerContract):
    format = "frozen_v0_1/side"

    def objects(self):
        return [Square(1.5), Square(-0.0), Square(float("inf"))]

    def refused(self):
        return [Square(1), 1.5]

    def parameters(self):
        return [Square(1.5), Square(2.5)]


class TestLine(ParamSourceContract):
    def source(self):
        return Line(4, 0.1)

    def many(self):
        return Line(10**6, 0.1)


class TestDistribution(PluginContract):
    distribution = "metalab-frozen-v0-1"
