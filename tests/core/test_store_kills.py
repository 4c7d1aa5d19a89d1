"""What was acknowledged survives a killed process."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from core.kill_tools import bytes_of, metrics_of, points_of
from core.store_tools import python, run_id, segments, store_at
from metalab.store.document import record_of

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS_A_STORE = 10


class Nursery:
    """Starts workers, and kills each after a while."""

    def __init__(self) -> None:
        script = "from core.kill_tools import serve; serve()"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = python(script, **pipes, text=True)

    def kill_one(
        self, root: Path, first: int, delay: float, *, once_acknowledged: bool
    ) -> list[int]:
        """Return the numbers of the runs that the worker acknowledged before it was killed.

        The delay counts from its first acknowledgement, or from its start.
        """
        said, pid = self._process.stdout, None
        self._process.stdin.write(f"{root} {first}\n")
        self._process.stdin.flush()
        acknowledged = []
        for line in said:
            word, number = line.split()
            if word == "ack":
                acknowledged.append(int(number))
            elif word == "pid":
                pid = int(number)
            if word == ("ack" if once_acknowledged else "pid") and pid is not None:
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)
                pid = None
            if word == "over":
                assert int(number) == signal.SIGKILL
                return acknowledged
        raise AssertionError("no worker can be started")

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._process.communicate(timeout=120)


def check_runs(store, numbers: list[int], chance: random.Random) -> None:
    """See to it that runs are there with all that was written of them."""
    log = store.read()
    assert log.damage == ()
    ids = [run_id(number) for number in numbers]
    for number, line in zip(numbers, log.lines(ids), strict=True):
        record = record_of(line)
        assert record.metrics == metrics_of(number)
        assert [artifact.name for artifact in record.artifacts] == ["a"] * (number % 3 == 0)
        for artifact in record.artifacts:
            assert store.open_artifact(artifact).read() == bytes_of(number)
        assert log.series(record.run_id) == {"loss": points_of(number)}
    for number in chance.sample(numbers, min(3, len(numbers))):
        assert store.get_log(run_id(number)) == f"run {number} says so\n"


class TestKilledProcesses:
    @pytest.mark.parametrize("rounds", [50, pytest.param(2000, marks=pytest.mark.slow)])
    def test_what_was_acknowledged_survives_a_kill_at_any_moment(self, tmp_path, rounds):
        total = 0
        with Nursery() as nursery:
            for number in range(rounds):
                chance = random.Random(f"kill {number}")  # a round alone can be had again
                root = tmp_path / str(number // ROUNDS_A_STORE)
                first = number % ROUNDS_A_STORE * 1_000_000
                acknowledged = nursery.kill_one(
                    root, first, 0.1 * chance.random(), once_acknowledged=number % 2 == 1
                )
                try:
                    check_runs(store_at(root), acknowledged, chance)
                except Exception as error:
                    error.add_note(f"in round {number}, of the store {root}")
                    raise
                total += len(acknowledged)
                if (number + 1) % ROUNDS_A_STORE == 0:
                    shutil.rmtree(root)
        assert total > 0

    def test_what_was_put_survives_a_kill_before_it_is_acknowledged(self, tmp_path):
        script = f"""if True:
            import os, signal
            from core.store_tools import made, store_at
            writer = store_at({str(tmp_path)!r}, commit_interval=30).writer("w")
            for n in range(100):
                writer.put(made(n))
            os.kill(os.getpid(), signal.SIGKILL)
        """
        assert python(script).wait(120) == -signal.SIGKILL
        assert len(store_at(tmp_path).read()) == 100

    def test_a_process_that_forgets_to_close_loses_nothing(self, tmp_path):
        script = f"""if True:
            from core.store_tools import made, store_at
            store_at({str(tmp_path)!r}, commit_interval=30).writer("w").put(made(0))
        """
        assert python(script).wait(120) == 0
        assert len(store_at(tmp_path).read()) == 1

    def test_processes_that_write_the_same_runs_leave_one_record_each(self, tmp_path):
        script = f"""if True:
            import os
            from core.store_tools import made, store_at
            with store_at({str(tmp_path)!r}).writer("w") as writer:
                for n in range(200):
                    writer.put(made(n, metrics={{"pid": os.getpid()}}))
        """
        processes = [python(script) for _ in range(3)]
        assert [process.wait(120) for process in processes] == [0, 0, 0]
        store = store_at(tmp_path)
        assert len(segments(store)) == 3
        assert len(store.list_run_records()) == 200
        assert len({record.metrics["pid"] for record in store.list_run_records()}) == 1
