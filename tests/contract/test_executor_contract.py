"""The executors of core do what is asked of every executor."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

import detached_executor
import metalab
from metalab.testing.executor import ExecutorContract


@pytest.fixture(scope="module")
def pools():
    """Pools of processes, of which the last may be in order."""
    made = []
    yield made
    for each in made:
        each.shutdown()


class TestInlineExecutor(ExecutorContract):
    can_kill = is_detached = returns_at_once = has_own_processes = False

    @pytest.fixture
    def executor(self):
        with metalab.InlineExecutor() as made:
            yield made


class TestThreadExecutor(ExecutorContract):
    can_kill = is_detached = has_own_processes = False

    @pytest.fixture
    def executor(self):
        with metalab.ThreadExecutor(2) as made:
            yield made


class TestProcessExecutor(ExecutorContract):
    is_detached = False

    @pytest.fixture
    def executor(self):
        with metalab.ProcessExecutor(2) as made:
            yield made


class TestFuturesExecutorOfThreads(ExecutorContract):
    can_kill = is_detached = has_own_processes = owns_its_workers = False
    preamble = """
        from concurrent.futures import ThreadPoolExecutor
        executor = metalab.FuturesExecutor(ThreadPoolExecutor(2))
    """

    @pytest.fixture
    def pool(self):
        with ThreadPoolExecutor(2) as made:
            yield made

    @pytest.fixture
    def options(self, pool):
        return {"pool": pool}

    @pytest.fixture
    def executor(self, pool):
        with metalab.FuturesExecutor(pool) as made:
            yield made


class TestFuturesExecutorOfProcesses(ExecutorContract):
    can_kill = is_detached = outlives_its_workers = False
    cancel_reaches_runs = owns_its_workers = False
    preamble = """
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        executor = metalab.FuturesExecutor(ProcessPoolExecutor(2, get_context("spawn")))
    """

    @pytest.fixture
    def pool(self, pools):
        """A pool for all tests, until one of them breaks it."""
        if not pools or pools[-1]._broken:
            pools.append(ProcessPoolExecutor(2, get_context("spawn")))
        return pools[-1]

    @pytest.fixture
    def options(self, pool):
        return {"pool": pool}

    @pytest.fixture
    def executor(self, pool):
        with metalab.FuturesExecutor(pool) as made:
            yield made


class TestDetachedExecutor(ExecutorContract):
    """An executor of a third party, made of what core offers for it."""

    @pytest.fixture(autouse=True)
    def _installed(self, tmp_path_factory, monkeypatch):
        path = detached_executor.install(tmp_path_factory.mktemp("installed"))
        for entry in path.split(os.pathsep)[::-1]:
            monkeypatch.syspath_prepend(entry)
        monkeypatch.setenv("PYTHONPATH", path)
        detached_executor.forget_plugins()
        yield
        detached_executor.end_processes()
        monkeypatch.undo()
        detached_executor.forget_plugins()

    @pytest.fixture
    def options(self):
        return {"workers": 2}

    @pytest.fixture
    def executor(self, options):
        with detached_executor.LoneExecutor(**options) as made:
            yield made
