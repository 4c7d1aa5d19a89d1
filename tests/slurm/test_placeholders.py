"""Nothing of this version pretends to run on Slurm."""

from __future__ import annotations

import pytest

import metalab
from metalab.errors import MetalabError
from metalab.plugins import EXECUTORS

REFUSED = r"^metalab-slurm \d+\.\d+\.\d+ cannot run experiments yet: "


@pytest.mark.parametrize("name", ["SlurmConfig", "SlurmExecutor", "SlurmRunHandle"])
def test_every_public_name_says_so_when_used(name):
    with pytest.raises(MetalabError, match=REFUSED):
        getattr(metalab, name)(partition="gpu")


def test_the_executor_says_so_when_named():
    with pytest.raises(MetalabError, match=REFUSED):
        EXECUTORS["slurm"].metalab_make_executor(name="slurm", options={})
