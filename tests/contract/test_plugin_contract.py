"""What every distribution with plugins does, shown on each of ours."""

from __future__ import annotations

import pytest

from metalab.cli.ranges import Range
from metalab.plugins import EXTENSION_POINTS
from metalab.testing.plugin import PluginContract


class TestCore(PluginContract):
    distribution = "metalab-core"
    libraries = ("numpy", "pandas", "pyarrow", "polars", "matplotlib", "PIL", "torch", "rich")


class TestNumpy(PluginContract):
    distribution = "metalab-numpy"
    libraries = ("pandas", "psycopg")


class TestPostgres(PluginContract):
    distribution = "metalab-postgres"
    libraries = ("psycopg", "numpy", "pandas")


class TestSlurm(PluginContract):
    distribution = "metalab-slurm"
    libraries = ("numpy", "pandas")


def test_all_of_ours_are_shown_here():
    ours = {
        info.distribution
        for point in EXTENSION_POINTS
        for info in point.installed()
        if info.distribution.startswith("metalab")
    }
    assert ours == {kit.distribution for kit in PluginContract.__subclasses__()}


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=0.1,<0.2", ["0.1", "0.1.0", "0.1.99"], ["0.0.9", "0.2", "0.2.0", "1"]),
        ("~=1.4", ["1.4", "1.10"], ["1.3", "2.0"]),
        ("~=1.4.2", ["1.4.2", "1.4.9"], ["1.4.1", "1.5"]),
        ("==1.*", ["1.0", "1.9.1"], ["0.9", "2"]),
        ("!=1.2.*,>1", ["1.3"], ["1", "1.0", "1.2.7"]),
        ("==1.2", ["1.2", "1.2.0"], ["1.2.1"]),
        ("", ["0", "99"], []),
    ],
)
def test_a_range_admits_what_installers_would(text, inside, outside):
    from packaging.specifiers import SpecifierSet

    for version, expected in [*((v, True) for v in inside), *((v, False) for v in outside)]:
        assert Range(text).admits(version) is expected
        assert SpecifierSet(text).contains(version) is expected
