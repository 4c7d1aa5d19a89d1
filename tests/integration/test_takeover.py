"""What a launch makes of runs that others left under way, by what became of those others."""

from __future__ import annotations

import os
import pickle

import pytest

import metalab
from metalab.planning import make_plan
from metalab.records import RunRecord
from metalab.store.causes import BLAMEABLE, INTERRUPTIONS, Cause
from metalab.store.claiming import Ending
from metalab.store.file.inquiry import Inquiry
from metalab.store.lines import line_of, parse_line
from metalab.store.reading import Loss


@metalab.operation
def plain(runtime, capture):
    capture.metric("from", runtime.restore() or 0)


@pytest.fixture
def experiment():
    return metalab.Experiment(
        name="taken",
        version="1",
        context={},
        operation=plain,
        params=metalab.grid(x=[1]),
        seeds=metalab.seeds(base=1),
    )


@pytest.fixture
def run_id(experiment):
    return make_plan(experiment).ids[0]


@pytest.fixture
def home(store):
    return metalab.FileStore(store).scoped("taken:1")


@pytest.fixture
def left(home, run_id, monkeypatch):
    """Leave an attempt under way on another machine, whose executor says how that ended."""
    causes = {}

    def asked(self, executor, owner):
        return Ending(causes[owner], "job 17_3 is over") if owner in causes else None

    monkeypatch.setattr(Inquiry, "__call__", asked)
    writers = []

    def leave(attempt, cause, *, saved=None, logged=None):
        owner = str(len(writers))
        causes[owner] = cause
        writer = home.writer("earlier", owner, executor="cluster", owner=owner)
        writers.append(writer)
        running = RunRecord.running(run_id=run_id, experiment_id="taken:1", attempt=attempt)
        writer.start(run_id, lambda: running, careful=True)
        if logged is not None:
            writer.append_log(running, logged)
            writer.flush()
        if saved is not None:
            home.checkpoints(run_id, 0, attempt).keep(saved)
        _move_elsewhere(home, writer)
        return writer

    yield leave
    for writer in writers:
        writer.close()


def _move_elsewhere(home, writer):
    (path,) = home.get_working_directory().glob(f"runs/{writer.name}.jsonl")
    first, _, rest = path.read_bytes().partition(b"\n")
    document = {**parse_line(first), "host": "node17", "boot": "another"}
    del document["crc"]
    times = path.stat()
    path.write_bytes(line_of(document) + rest)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def lose(home, run_id, causes):
    """Have the first attempts lost, as launches before this one would have written it."""
    with home.own_writer() as writer:
        for attempt, cause in enumerate(causes, 1):
            writer.put_loss(run_id, Loss(0, attempt, "earlier", cause))


def launched(experiment, store):
    (run,) = metalab.run(experiment, store, executor="inline", progress=False).result(60)
    return run


@pytest.mark.parametrize("cause", sorted({*Cause} - {Cause.BROKEN}))
def test_the_cause_is_on_record_and_one_loss_is_borne(experiment, store, home, run_id, left, cause):
    left(1, cause)
    run = launched(experiment, store)
    assert run.status == "success"
    assert run.record.attempt == 2
    (loss,) = home.read().losses(run_id)
    assert (loss.attempt, loss.cause) == (1, cause)


@pytest.mark.parametrize(
    ("cause", "most", "error"),
    [
        *((cause, 3, "WorkerDiedError") for cause in sorted(BLAMEABLE - {Cause.TIMEOUT})),
        (Cause.TIMEOUT, 3, "RunTimeoutError"),
        *((cause, 16, "WorkerDiedError") for cause in sorted(INTERRUPTIONS)),
    ],
)
def test_so_many_in_a_row_are_borne_and_no_more(
    experiment, store, home, run_id, left, cause, most, error
):
    lose(home, run_id, [cause] * (most - 1))
    writer = left(most, cause, logged="the last words")
    run = launched(experiment, store)
    assert run.status == "failed"
    assert run.record.attempt == most + 1
    assert run.error["type"] == error
    assert f"it was lost {most} times in a row" in run.error["message"]
    log = home.get_working_directory() / "logs" / f"{writer.name}.log"
    assert f"the last log is {log};" in run.error["message"]
    assert "the last words" in log.read_text()
    # The row is over: another launch begins a new one.
    assert launched(experiment, store).status == "success"


@pytest.mark.parametrize("cause", sorted(BLAMEABLE | INTERRUPTIONS))
def test_one_fewer_is_borne(experiment, store, home, run_id, left, cause):
    most = 3 if cause in BLAMEABLE else 16
    lose(home, run_id, [cause] * (most - 2))
    left(most - 1, cause)
    assert launched(experiment, store).status == "success"


def test_a_run_that_saved_its_state_before_its_time_was_up_is_not_blamed(
    experiment, store, home, run_id, left
):
    lose(home, run_id, ["timeout", "timeout"])
    left(3, "timeout", saved=pickle.dumps(7))
    run = launched(experiment, store)
    assert run.status == "success"
    assert run.metrics == {"from": 7}
    assert [loss.cause for loss in home.read().losses(run_id)] == ["timeout", "timeout", "paused"]


def test_what_it_saved_in_an_earlier_attempt_is_no_excuse(experiment, store, home, run_id, left):
    home.checkpoints(run_id, 0, 1).keep(pickle.dumps(7))
    lose(home, run_id, ["timeout", "timeout"])
    left(3, "timeout")
    assert launched(experiment, store).error["type"] == "RunTimeoutError"


def test_a_run_that_gave_way_a_hundred_times_goes_on(experiment, store, home, run_id, left):
    lose(home, run_id, ["paused"] * 100)
    left(101, "preempted")
    assert launched(experiment, store).status == "success"
