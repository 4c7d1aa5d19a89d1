"""What a submission decides, where a cluster would take minutes to bring it about.

The queue and the time are stand-ins here; the store, the batch and the submission are real.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

import metalab
from metalab.errors import ExperimentFailedError, MetalabError
from metalab.execution.base import Executor
from metalab.execution.dispatch import Dispatch
from metalab.execution.payload import packed
from metalab_slurm import SlurmConfig, SlurmRunHandle, submission
from metalab_slurm.commands import SlurmRefused, SlurmUnavailable
from metalab_slurm.escalation import Escalation
from metalab_slurm.jobs import Job
from metalab_slurm.launch import SlurmLaunch
from metalab_slurm.placing import Placed
from metalab_slurm.submission import SlurmSubmission
from slurm.slurm_operations import quick
from slurm.slurm_tools import experiment, wait_for

ALIVE = [Job("1", "1", 0, "e", "RUNNING")]
ENDED = [Job("1", "1", 0, "e", "COMPLETED")]


class Rest(threading.Event):
    """Takes the launch's thread no time, but for a moment that it leaves to others."""

    now = 0.0

    def wait(self, timeout=None):
        if threading.current_thread().name != "metalab-slurm":
            return super().wait(timeout)
        Rest.now += timeout
        return super().wait(0.001)


def now():
    """Return the seconds for which the launch has rested: it alone lets time go on."""
    return Rest.now


class Queue(SlurmLaunch):
    """A launch whose queue says what a test has it say; it keeps when it was asked.

    It says what is in ``coming`` first, one after the other, and then ever the same.
    """

    __setattr__ = object.__setattr__

    def jobs(self):
        self.asked.append(now())
        if self.coming:
            self.says = self.coming.popleft()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def place(self, runs, level=None):
        self.placed.append((now(), runs))
        if self.accepts is not None:
            raise self.accepts
        return Placed(("2",), 1)

    def knows_all(self, jobs):
        return self.shown


class Watched(Executor):
    """Submits nothing, and follows the launch all the same."""

    name = "slurm"
    is_detached = True
    handle_type = SlurmRunHandle

    def __init__(self, **options):
        self.options = options

    def submit(self, batch):
        config = SlurmConfig(attempts=2, poll=self.options.pop("poll", 10.0))
        plan = packed(batch.plan, (), batch.retry, batch.limits)
        dispatch = Dispatch.keep(batch, plan, "slurm", {})
        (dispatch.folder / "slurm").mkdir()
        queue = Queue(dispatch, config, Escalation(), None)
        vars(queue).update(
            {"asked": [], "placed": [], "says": ALIVE, "accepts": None, "shown": False}
        )
        coming = deque(self.options.pop("coming", ()))
        vars(queue).update(self.options, coming=coming)
        return SlurmSubmission(queue, batch)

    def shutdown(self, *, wait=True):
        pass


@pytest.fixture
def watch(store, monkeypatch):
    """Follow an experiment of four runs."""
    # What a slow machine takes of its own is then no part of what is measured.
    monkeypatch.setattr(submission, "time", SimpleNamespace(monotonic=now))
    names = {"Event": Rest, "Lock": threading.Lock, "Thread": threading.Thread}
    monkeypatch.setattr(submission, "threading", SimpleNamespace(**names))
    started = []

    def begin(**options):
        executor = Watched(**options)
        handle = metalab.run(experiment(quick, x=range(4)), store, executor=executor)
        started.append(handle)
        return handle, handle._submission.launch

    yield begin
    for handle in started:
        queue = handle._submission.launch
        vars(queue).update(says=[], coming=(), accepts=SlurmRefused("over"))
        assert handle.wait(30)


def _execute(store, runs):
    """Bring some of the runs to an end, as a pilot would."""
    metalab.run(experiment(quick, x=range(runs)), store, executor="inline").result()


def _pauses(times):
    return [after - before for before, after in pairwise(times)]


class TestLooking:
    def test_where_nothing_changes_the_queue_is_asked_ever_less_up_to_a_most(self, watch):
        _, queue = watch()
        wait_for(lambda: len(queue.asked) >= 9)
        pauses = _pauses(queue.asked[:9])
        late = submission._LONGEST
        assert submission._FIRST_LOOK <= pauses[0] < submission._FIRST_LOOK + late
        assert min(pauses) == pauses[0]
        assert all(10.0 <= pause < 10.0 + late for pause in pauses[5:])

    def test_what_changes_is_looked_at_soon_again(self, watch):
        changed = [Job("1", "1", 0, "e", "PENDING", restarts=1)]
        _, queue = watch(poll=30.0, coming=[*[ALIVE] * 7, changed])
        wait_for(lambda: len(queue.asked) >= 9)
        pauses = _pauses(queue.asked[:9])
        assert pauses[7] < pauses[6] / 2

    def test_the_store_is_what_tells_of_the_end(self, watch, store):
        handle, queue = watch(poll=30.0)
        _execute(store, 4)
        ended = now()
        assert len(handle.result(timeout=30).successful) == 4
        assert sum(at > ended for at in queue.asked) <= 1


class TestGone:
    def test_what_is_not_known_is_never_gone(self, watch):
        handle, queue = watch(says=SlurmUnavailable("connect failure"))
        wait_for(lambda: len(queue.asked) >= 9)
        assert queue.asked[8] - queue.asked[0] > submission._CERTAIN
        assert not queue.placed
        assert not handle.is_complete

    def test_pilots_are_gone_where_none_is_seen_for_a_while(self, watch):
        _, queue = watch(says=[])
        wait_for(lambda: queue.placed)
        placed = queue.placed[0][0]
        assert placed - queue.asked[0] >= submission._CERTAIN
        assert sum(at <= placed for at in queue.asked) > 2

    def test_sooner_where_all_are_seen_to_have_ended(self, watch):
        _, queue = watch(says=ENDED, shown=True)
        wait_for(lambda: queue.placed)
        placed = queue.placed[0][0]
        assert submission._SHOWN <= placed - queue.asked[0] < submission._CERTAIN
        assert sum(at <= placed for at in queue.asked) >= 2

    def test_one_that_comes_back_was_not_gone(self, watch):
        _, queue = watch(coming=[[], ALIVE, ALIVE] * 4)
        wait_for(lambda: len(queue.asked) > 12)
        assert queue.asked[9] - queue.asked[0] > submission._CERTAIN
        assert not queue.placed

    def test_silence_between_begins_the_while_anew(self, watch):
        silence = SlurmUnavailable("connect failure")
        _, queue = watch(coming=[[], [], silence, silence, silence, []])
        wait_for(lambda: queue.placed)
        assert queue.placed[0][0] - queue.asked[5] >= submission._CERTAIN


class TestReplacing:
    def test_it_is_given_up_once_nothing_has_come_of_it_too_often(self, watch):
        handle, queue = watch(says=[])
        with pytest.raises(ExperimentFailedError, match="3 times in a row"):
            handle.result(timeout=30)
        assert len(queue.placed) == 2

    def test_a_run_that_ended_meanwhile_counts_as_new_hope(self, watch, store):
        handle, queue = watch(says=[])
        place = queue.place

        def place_and_execute(runs, level=None):
            placed = place(runs, level)
            if len(queue.placed) == 2:
                _execute(store, 1)
            return placed

        queue.place = place_and_execute
        with pytest.raises(ExperimentFailedError, match="3 runs of e:1 are left, and 3 times"):
            handle.result(timeout=30)
        assert [runs for _, runs in queue.placed] == [4, 4, 3, 3, 3]

    def test_a_controller_that_takes_no_jobs_for_a_while_is_asked_again(self, watch):
        handle, queue = watch(says=[], accepts=SlurmUnavailable("Socket timed out"))
        wait_for(lambda: len(queue.placed) >= 3)
        assert not handle.is_complete
        assert min(_pauses([at for at, _ in queue.placed])) >= queue.config.poll
        queue.accepts = None
        with pytest.raises(ExperimentFailedError, match="3 times in a row"):
            handle.result(timeout=30)

    @pytest.mark.parametrize("error", [SlurmRefused("Invalid account"), OSError(28, "No space")])
    def test_what_will_not_be_is_told_at_once(self, watch, error):
        handle, queue = watch(says=[], accepts=error)
        with pytest.raises(ExperimentFailedError, match=r"(?s)4 runs are left.*(account|space)"):
            handle.result(timeout=30)
        assert len(queue.placed) == 1

    def test_while_the_store_cannot_be_read_nothing_is_replaced(self, watch, store):
        _execute(store, 1)
        _, queue = watch()
        runs = Path(store, "e_1", "runs")
        aside = runs.rename(runs.with_name("away"))
        runs.touch()
        queue.says = []
        seen = len(queue.asked)
        wait_for(lambda: len(queue.asked) > seen + 12)
        assert not queue.placed
        runs.unlink()
        aside.rename(runs)
        wait_for(lambda: queue.placed)

    def test_a_copy_of_the_store_is_only_read(self, watch):
        handle, queue = watch()
        folder = queue.dispatch.folder
        copy = folder.parents[1].rename(folder.parents[1].with_name("copy"))
        moved = copy / "launches" / folder.name
        object.__setattr__(queue.dispatch, "folder", moved)
        with pytest.raises(MetalabError, match="is a copy"):
            handle.resubmit()
        queue.says = []
        with pytest.raises(
            ExperimentFailedError, match=r"4 runs are left without a job.*is a copy"
        ):
            handle.result(timeout=30)
        assert not queue.placed


class TestResubmitting:
    def test_it_is_heard_while_the_launch_is_being_given_up(self, watch, monkeypatch):
        handle, queue = watch()
        gave_up = []

        def last_words(launch):
            gave_up.append(len(launch.placed))
            if len(gave_up) == 1:
                handle.resubmit()
            return ""

        monkeypatch.setattr(submission, "last_words", last_words)
        queue.says = []
        with pytest.raises(ExperimentFailedError, match="3 times in a row"):
            handle.result(timeout=30)
        assert gave_up == [2, 5]

    def test_it_is_refused_once_nobody_would_hear_it(self, watch):
        handle, queue = watch()
        ledger = handle._submission._batch.ledger
        finish, refused = ledger.finish, []

        def finish_late():
            with pytest.raises(MetalabError, match="has ended"):
                handle.resubmit()
            refused.append(handle.is_complete)
            finish()

        ledger.finish = finish_late
        queue.accepts, queue.says = SlurmRefused("over"), []
        assert handle.wait(30)
        assert refused == [False]


class TestCallingOff:
    def test_a_marker_that_cannot_be_written_ends_it_all_the_same(self, watch):
        class Deaf:
            def cancel(self, names):
                self.names = names

        handle, queue = watch()
        queue.cluster = Deaf()
        (queue.folder).rmdir()
        handle.cancel()
        queue.says = []
        assert handle.wait(30)
        assert queue.cluster.names == [queue.name]
        assert handle.status.cancelled == 4
        assert not queue.placed


def test_nothing_is_left_behind_by_these():
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "metalab-slurm"])
