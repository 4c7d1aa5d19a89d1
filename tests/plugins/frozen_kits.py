"""The contracts of the frozen plugin; executed by ``test_frozen_plugins`` alone."""

from __future__ import annotations

from frozen_v0_1.line import Line
from frozen_v0_1.shapes import Square

from metalab.testing.params import ParamSourceContract
from metalab.testing.plugin import PluginContract
from metalab.testing.serializer import SerializerContract


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
