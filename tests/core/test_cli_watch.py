"""``metalab watch``: each change is told, nothing is read twice, and it ends when all is done."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from core.store_tools import NOW, made, run_id, store_at
from core.terminal_tools import read_to_end
from metalab.cli import main
from metalab.cli.following import Follower
from metalab.errors import StoreError, StoreNotFoundError
from metalab.records import RETRIED, Status
from metalab.store import FileStore
from metalab.store.file import disk

METALAB = str(Path(sys.executable).with_name("metalab"))
SECONDS = 60
ERROR = {"type": "ValueError", "message": "too far", "traceback": ""}


def launched(store, name="launch", runs=4, done=0, seconds=-10):
    started = (NOW + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
    document = {"started": started, "runs": runs, "done": done, "pending": runs - done}
    store.put_launch(name, document)


def put(store, *records, launch="launch"):
    with store.writer(launch) as writer:
        for record in records:
            writer.put(record)


@pytest.fixture
def store(tmp_path):
    """A store in which four runs are to be executed, none of which has ended."""
    store = store_at(tmp_path / "store")
    launched(store)
    put(store, made(0, Status.RUNNING))
    return store


@pytest.fixture
def now():
    """What the follower's clock shows: a list whose only item may be changed."""
    return [0.0]


@pytest.fixture
def follower(store, now):
    return Follower(store, clock=lambda: now[0])


class TestLooking:
    def test_nothing_is_said_where_nothing_changed(self, store, follower):
        assert follower.look() is not None
        assert follower.look() is None
        put(store, made(0))
        assert follower.look() is not None

    def test_counts_rate_and_what_is_left(self, store, follower, now):
        first = follower.look()
        assert (first.total, first.counts["running"], first.rate, first.left) == (4, 1, None, None)
        put(store, made(0), made(1))
        now[0] = 4.0
        second = follower.look()
        assert (second.ended, second.rate, second.left) == (2, 0.5, 4.0)
        assert not second.is_done

    def test_it_is_done_when_every_run_has_ended_however_it_did(self, store, follower):
        put(store, made(0), made(1, Status.FAILED, error=ERROR), made(2, Status.CANCELLED))
        assert not follower.look().is_done
        put(store, made(3))
        assert follower.look().is_done

    def test_it_is_not_done_while_a_run_is_running(self, store, follower):
        put(store, *(made(n) for n in range(1, 5)))
        assert not follower.look().is_done

    def test_the_newest_metrics_and_the_failures_since_the_last_look(self, store, follower):
        put(store, made(1, Status.FAILED, error=ERROR))
        first = follower.look()
        assert [run.run_id for run in first.failed] == [run_id(1)]
        assert first.newest is None
        put(store, attrs.evolve(made(2), finished_at=NOW + timedelta(1)), made(3))
        second = follower.look()
        assert second.newest.run_id == run_id(2)
        assert second.failed == []

    def test_what_failed_before_the_last_launch_is_to_be_done_again(self, store, follower):
        put(store, *(made(n) for n in range(3)), made(3, Status.FAILED, error=ERROR))
        assert follower.look().is_done
        launched(store, "later", done=3, seconds=+10)
        again = attrs.evolve(made(3, Status.FAILED, error=ERROR, attempt=2), launch="later")
        put(store, attrs.evolve(made(3, Status.RUNNING, attempt=2), launch="later"), launch="later")
        put(store, made(77))  # a change, so that the launch is seen
        assert not follower.look().is_done
        put(store, again, launch="later")
        assert follower.look().is_done

    def test_of_launches_within_a_step_of_the_files_clock_the_one_begun_later_is_the_last(
        self, store
    ):
        launched(store, "abc", seconds=+10)
        for path in store.get_working_directory().glob("launches/*/launch.json"):
            os.utime(path, ns=(10**18, 10**18))
        assert list(store.launches()) == ["launch", "abc"]

    def test_what_another_launch_did_meanwhile_counts(self, store, follower):
        launched(store, "second", seconds=-5)
        put(store, *(made(n) for n in range(2)))
        put(store, *(attrs.evolve(made(n), launch="second") for n in (2, 3)), launch="second")
        assert follower.look().is_done

    def test_what_was_cut_short_is_gone_on_with_where_a_launch_goes_on_by_itself(self, tmp_path):
        for number, is_detached in enumerate((False, True)):
            store = store_at(tmp_path / str(number))
            started = NOW.isoformat(timespec="microseconds")
            document = {"started": started, "runs": 2, "done": 0, "pending": 2}
            store.put_launch("launch", document | {"is_detached": is_detached})
            put(store, made(0), made(1, Status.CANCELLED))
            follower = Follower(store)
            assert follower.look().is_done is not is_detached
            assert follower.is_over() is not is_detached

    def test_what_is_tried_again_has_not_ended(self, store, follower):
        again = attrs.evolve(made(3).provenance, extra={RETRIED: True})
        failed = attrs.evolve(made(3, Status.FAILED, error=ERROR), provenance=again)
        put(store, *(made(n) for n in range(3)), failed)
        assert not follower.look().is_done

    def test_a_launch_is_over_once_its_writers_have_ended(self, store, follower):
        with store.writer("launch") as writer:
            writer.put(made(1))
            writer.flush()
            assert not follower.look().is_done
            assert not follower.is_over()
        assert follower.is_over()

    def test_only_lines_of_runs_that_changed_are_read(self, store, follower, monkeypatch):
        put(store, *(made(n) for n in range(200)))
        follower.look()
        read = []
        real = disk.pieces
        monkeypatch.setattr(
            disk, "pieces", lambda path, spans: read.extend(spans) or real(path, spans)
        )
        put(store, made(500))
        follower.look()
        assert sum(size for _, size in read) < 3_000

    def test_a_store_that_was_removed_is_told(self, store, follower):
        follower.look()
        shutil.rmtree(store.root)
        with pytest.raises(StoreNotFoundError, match="no store"):
            follower.look()

    def test_an_experiment_that_was_removed_before_it_had_a_run_is_told(self, tmp_path):
        store = store_at(tmp_path / "store")
        launched(store)
        follower = Follower(store)
        assert follower.look().counts["success"] == 0
        shutil.rmtree(store.get_working_directory())
        with pytest.raises(StoreNotFoundError, match="no experiment"):
            follower.look()

    def test_a_fault_while_a_new_launch_is_read_loses_no_count(self, store, monkeypatch):
        put(store, *(made(n) for n in range(4)))
        follower = Follower(store)
        with monkeypatch.context() as faulty:
            faulty.setattr(disk, "pieces", lambda *_: iter([b""] * 9))
            with pytest.raises(StoreError):
                follower.look()
        assert follower.look().is_done

    def test_after_a_fault_of_the_disk_the_next_look_finds_all(self, store, follower, monkeypatch):
        follower.look()
        put(store, made(1, Status.FAILED, error=ERROR))
        with monkeypatch.context() as faulty:
            faulty.setattr(disk, "pieces", lambda *_: iter([b"", b""]))
            with pytest.raises(StoreError):
                follower.look()
        assert [run.run_id for run in follower.look().failed] == [run_id(1)]


@pytest.fixture
def finished(store):
    """A store in which all has ended."""
    put(store, *(made(n) for n in range(3)), made(3, Status.FAILED, error=ERROR))
    return store


class TestCommand:
    def test_what_is_done_is_told_in_one_line_and_the_failures_before_it(self, finished, capsys):
        assert main(["watch", str(finished.root)]) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"failed: ValueError: too far (run {run_id(3)})",
            "my_exp:1.0: 4/4 runs, 1 failed, score 2.5, done",
        ]

    def test_json_is_one_document_a_line(self, finished, capsys):
        assert main(["watch", str(finished.root), "--json"]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        document = json.loads(line)
        assert document == {
            "experiment_id": "my_exp:1.0",
            "total": 4,
            "success": 3,
            "failed": 1,
            "cancelled": 0,
            "running": 0,
            "rate": None,
            "left": 0.0,
            "done": True,
            "newest": {"run_id": run_id(2), "metrics": {"score": 2.5}},
            "failures": [{"run_id": run_id(3), "cause": "ValueError: too far"}],
            "jobs": None,
        }

    def test_a_store_that_is_not_there_is_an_error(self, tmp_path, capsys):
        assert main(["watch", str(tmp_path / "none")]) == 1
        assert capsys.readouterr().err.startswith("metalab: error: there is no store at")

    def test_a_store_without_experiments_is_an_error(self, tmp_path, capsys):
        store_at(tmp_path / "store")
        assert main(["watch", str(tmp_path / "store")]) == 1
        assert "holds no experiment yet" in capsys.readouterr().err

    def test_one_of_several_experiments_has_to_be_chosen(self, finished, capsys):
        FileStore(finished.root).scoped("other:1").put_manifest({"name": "other"})
        assert main(["watch", str(finished.root)]) == 2
        assert "choose one with --experiment" in capsys.readouterr().err
        assert main(["watch", str(finished.root), "-e", "my"]) == 0

    @pytest.mark.parametrize("interval", ["0", "-1", "nan"])
    def test_an_interval_is_more_than_nothing(self, finished, interval, capsys):
        assert main(["watch", str(finished.root), f"--interval={interval}"]) == 2
        assert "more than 0" in capsys.readouterr().err


class TestProcess:
    @pytest.fixture
    def at_work(self, store):
        """Somebody who executes runs: without, the launch would be over."""
        with suppress(StoreError), store.writer("launch") as writer:
            writer.put(made(1, Status.RUNNING))
            writer.flush()
            yield

    @pytest.fixture
    def watching(self, store, at_work):
        """A process that watches, of which the first line has been seen."""
        process = subprocess.Popen(
            [METALAB, "watch", str(store.root), "--interval", "0.05"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "my_exp:1.0: 0/4 runs, 2 running\n"
        yield process
        process.kill()
        process.communicate()

    def test_it_follows_and_ends_by_itself(self, store, watching):
        put(store, made(0), made(1))
        while not (line := watching.stdout.readline()).startswith("my_exp:1.0: 2/4 runs, score "):
            assert line.startswith("my_exp:1.0: 1/4 runs, "), line
        put(store, made(2), made(3))
        out, err = watching.communicate(timeout=SECONDS)
        assert out.splitlines()[-1].endswith("done")
        assert (watching.returncode, err) == (0, "")

    def test_ctrl_c_ends_it_with_0(self, watching):
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=SECONDS)
        assert (watching.returncode, out, err) == (0, "", "")

    def test_a_store_that_is_removed_is_said(self, store, watching):
        store.root.rename(store.root.with_name("removed"))  # as a whole, and not file by file
        _, err = watching.communicate(timeout=SECONDS)
        assert watching.returncode == 1
        assert "the store was removed while it was watched" in err
        assert "Traceback" not in err

    def test_a_terminal_shows_a_bar(self, finished):
        parent, child = pty.openpty()
        environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
        words = [METALAB, "watch", str(finished.root)]
        process = subprocess.Popen(words, stdout=child, stderr=child, env=environment)
        os.close(child)
        shown = read_to_end(parent)
        assert process.wait(SECONDS) == 0
        assert "4/4 runs, 1 failed, score 2.5, done" in shown
        assert "failed: ValueError: too far" in shown


def test_a_launch_that_ended_early_ends_the_watching_with_1(store, capsys):
    put(store, made(0), made(1, Status.CANCELLED))
    assert main(["watch", str(store.root), "--interval", "0.01"]) == 1
    out, err = capsys.readouterr()
    assert "2/4 runs" in out
    assert "the launch is over, and not all of its runs have ended" in err
