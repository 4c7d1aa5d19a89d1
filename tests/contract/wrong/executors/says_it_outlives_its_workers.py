"""An executor that is thought to survive the death of a worker, and whose pool does not."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from right import RightContract

import metalab


class TestWrong(RightContract):
    has_own_processes = True

    @pytest.fixture
    def executor(self):
        with (
            ProcessPoolExecutor(2, get_context("spawn")) as pool,
            metalab.FuturesExecutor(pool) as made,
        ):
            yield made
