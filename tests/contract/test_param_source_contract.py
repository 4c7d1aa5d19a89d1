"""What every param source does, shown on each of ours and on what they are combined to."""

from __future__ import annotations

import math

import pytest

from contract.param_functions import doubled, is_small
from metalab import grid, manual, random, zip_
from metalab.params import loguniform, randint, uniform, with_resolver
from metalab.testing.effort import little_effort
from metalab.testing.params import ParamSourceContract


class TestGrid(ParamSourceContract):
    def source(self):
        return grid(x=[1, 1.0, True, "1"], y=[math.nan, -0.0, 0.0], z=[None, (1, [2]), {"k": [3]}])

    def many(self):
        return grid(a=range(100), b=range(100), c=range(100))


class TestGridWithRepeats(ParamSourceContract):
    is_distinct = False

    def source(self):
        return grid(x=[1, 1, 2])

    def many(self):
        return grid(a=range(1000), b=[*range(999), 0])


class TestRandom(ParamSourceContract):
    def source(self):
        return random({"x": uniform(0, 1), "y": loguniform(1, 9), "n": randint(0, 99)}, 8, seed=7)

    def many(self):
        return random({"x": uniform(0, 1)}, 10**6, seed=7)


class TestManual(ParamSourceContract):
    is_listed = True

    def source(self):
        return manual(
            [{"x": 1}, {"x": [1, {"deep": [2]}]}, {"y": {"k": {1, 2}}}, {}, {"z": b"\x00"}],
            tags=["a", ["b", "c"], "d", [], "naïve"],
        )


class TestProduct(ParamSourceContract):
    def source(self):
        return grid(x=[1, 2]) * manual([{"y": [1]}, {"y": [2]}])

    def many(self):
        return grid(a=range(1000)) * random({"x": uniform(0, 1)}, 1000, seed=1)


class TestConcat(ParamSourceContract):
    def source(self):
        return grid(x=[1, 2]) + manual([{"x": 3}]) + random({"x": uniform(0, 1)}, 2, seed=1)

    def many(self):
        return grid(a=range(1000), b=range(1000)) + random({"x": uniform(0, 1)}, 10**6, seed=1)


class TestZip(ParamSourceContract):
    def source(self):
        return zip_(random({"x": uniform(0, 1)}, 3, seed=1), y=[1, 2, 3], z=[[1], [2], [3]])

    def many(self):
        return zip_(random({"x": uniform(0, 1)}, 10**6, 1), random({"y": uniform(0, 1)}, 10**6, 2))


class TestFiltered(ParamSourceContract):
    is_listed = True  # each point is looked at
    imports = ("contract.param_functions",)

    def source(self):
        return grid(x=[0, 1, 2, 3], y=[[1], [2]]).filter(is_small)


class TestFilteredByALambda(ParamSourceContract):
    is_listed = True
    is_rebuilt = False

    def source(self):
        return grid(x=[0, 1, 2, 3], y=[1, 2]).filter(lambda params: params["x"] < 2)


class TestSlice(ParamSourceContract):
    def source(self):
        return grid(x=[0, 1, 2, 3], y=[[1], [2]])[1:8:2]

    def many(self):
        return grid(a=range(2000), b=range(1000))[::-2]


class TestResolved(ParamSourceContract):
    imports = ("contract.param_functions",)

    def source(self):
        return with_resolver(grid(x=[0, 1, 2]), doubled, context_meta=(1, 2))

    def many(self):
        return with_resolver(grid(x=range(1000), y=range(1000)), doubled, context_meta=())


class Late:
    """A grid; whoever asks for the first point waits for as much as a library's import."""

    is_ready = False

    def __init__(self, size):
        self.points = grid(x=range(size // 1000), y=range(1000))

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        for _ in range(0 if Late.is_ready else 150_000):
            pass
        Late.is_ready = True
        return self.points[index]

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))

    def to_manifest_dict(self):
        return self.points.to_manifest_dict()


class TestEffort:
    @pytest.mark.parametrize(
        "work",
        [
            lambda: [None for _ in range(10**6)],
            lambda: list(range(10**6)),
            lambda: sum(1 for _ in grid(x=range(1000), y=range(1000))),
        ],
    )
    def test_an_enumeration_is_noticed(self, work):
        with (
            pytest.raises(AssertionError, match=r"enumerates|every point"),
            little_effort(),
        ):
            work()

    def test_what_is_imported_late_is_none(self):
        class Contract(ParamSourceContract):
            def source(self):
                return Late(1000)

            def many(self):
                return Late(10**6)

        Contract().test_a_million_points_are_not_enumerated()
