"""The pool keeps the word of ``concurrent.futures``, where dask's own does not."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import CancelledError

import pytest
from distributed import Client

from metalab_dask.once import RepeatedError
from metalab_dask.pool import DaskPool


@pytest.fixture
def pool(cluster):
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        made = DaskPool(client, 2)
        yield made
        made.shutdown(cancel_futures=True)


def noted(folder, name):
    """Say that this was begun, and wait until it may end."""
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not (folder / "go").exists():
        time.sleep(0.01)
    return name


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_results_and_errors_come_back(pool):
    futures = [pool.submit(divmod, 7, n) for n in (2, 0, 3)]
    assert (futures[0].result(), futures[2].result()) == ((3, 1), (2, 1))
    with pytest.raises(ZeroDivisionError):
        futures[1].result()


def test_what_runs_cannot_be_cancelled_and_what_waits_can(pool, tmp_path):
    futures = [pool.submit(noted, tmp_path, name) for name in "abc"]
    until(lambda: {path.name for path in tmp_path.iterdir()} == {"a", "b"})
    assert [future.cancel() for future in futures] == [False, False, True]
    assert not any(future.done() for future in futures[:2])
    (tmp_path / "go").touch()
    assert [future.result() for future in futures[:2]] == ["a", "b"]
    with pytest.raises(CancelledError):
        futures[2].result()
    assert not (tmp_path / "c").exists()


def test_a_call_whose_worker_dies_is_not_repeated(pool, tmp_path):
    future = pool.submit(noted, tmp_path, "a")
    until(lambda: (tmp_path / "a").exists() and (tmp_path / "a").read_text().endswith("\n"))
    os.kill(int((tmp_path / "a").read_text()), signal.SIGKILL)
    with pytest.raises(RepeatedError, match="has died"):
        future.result(timeout=60)
    assert len((tmp_path / "a").read_text().split()) == 1


def test_one_that_is_shut_down_ends_what_it_was_given_and_takes_no_more(pool):
    future = pool.submit(divmod, 7, 2)
    pool.shutdown()
    assert future.done()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(divmod, 7, 2)


def test_a_cluster_that_is_gone_is_an_error_of_each_call(cluster):
    client = Client(cluster.scheduler_address, set_as_default=False)
    pool = DaskPool(client, 2)
    client.close()
    futures = [pool.submit(divmod, 7, n) for n in range(4)]
    assert all(future.exception(timeout=60) is not None for future in futures)
