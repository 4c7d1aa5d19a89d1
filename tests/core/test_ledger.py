"""The ledger counts what happens to a launch's runs and tells listeners."""

from __future__ import annotations

import logging
import random
import threading
import weakref
from functools import partial

import attrs
import pytest

from metalab.events import Event, EventKind
from metalab.execution.ledger import Ledger, RunStatus
from metalab.records import RunRecord, Status


def _record(index: int, status: Status = Status.SUCCESS) -> RunRecord:
    record = RunRecord.success(run_id=f"{index:032x}", index=index)
    error = {"type": "ValueError", "message": "no", "traceback": ""}
    failed = status is Status.FAILED
    return attrs.evolve(record, status=status, error=error if failed else None)


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.FAILED, Status.CANCELLED])
def test_counts_always_add_up_to_the_total(status):
    ledger = Ledger(5, skipped=[0])
    for index in (1, 2):
        ledger.started(index, partial(_record, index))
    ledger.acknowledgement(_record(1, status))()
    seen = ledger.status
    counts = attrs.asdict(seen)
    total = counts.pop("total")
    assert total == sum(counts.values()) == 5
    assert (seen.running, seen.pending, seen.skipped) == (1, 2, 1)
    assert seen.done == 2
    assert seen.in_flight == 3


def test_runs_that_never_started_count_as_cancelled_once_the_launch_is_over():
    ledger = Ledger(4)
    ledger.started(0, lambda: _record(0))
    ledger.acknowledgement(_record(0))()
    ledger.finish()
    assert ledger.status == RunStatus(total=4, completed=1, cancelled=3)


def test_events_carry_the_record_and_the_cause():
    ledger, seen = Ledger(2), []
    ledger.listen(seen.append)
    ledger.started(0, lambda: _record(0))
    ledger.acknowledgement(_record(0, Status.FAILED))()
    ledger.skipped(["a"])
    assert [event.kind for event in seen] == [
        EventKind.RUN_STARTED,
        EventKind.RUN_FAILED,
        EventKind.RUN_SKIPPED,
    ]
    assert seen[1].payload["error"] == "ValueError: no"
    assert seen[1].payload["record"].index == 0


def test_what_a_listener_raises_is_logged_and_goes_no_further(caplog):
    ledger, seen = Ledger(1), []
    ledger.listen(lambda event: 1 / 0)
    ledger.listen(seen.append)
    with caplog.at_level(logging.ERROR):
        ledger.tell(Event.progress())
    assert len(seen) == 1
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("leaving", [SystemExit(3), GeneratorExit()])
def test_a_listener_cannot_end_the_program(caplog, leaving):
    heard = []

    def leaves(_):
        raise leaving

    ledger = Ledger(1)
    ledger.listen(leaves)
    ledger.listen(heard.append)
    ledger.tell(Event.log("a", "x"))
    assert len(heard) == 1
    assert "a listener failed on the event log" in caplog.text


def test_ctrl_c_in_a_listener_is_the_user_s():
    def interrupted(_):
        raise KeyboardInterrupt

    ledger = Ledger(1)
    ledger.listen(interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.tell(Event.log("a", "x"))
    assert not ledger.is_telling()


def test_listeners_are_called_one_at_a_time():
    ledger, inside, clashes = Ledger(1), threading.Lock(), []

    def listener(event):
        if not inside.acquire(blocking=False):
            clashes.append(event)
            return
        inside.release()

    ledger.listen(listener)
    threads = [
        threading.Thread(target=lambda: [ledger.tell(Event.progress()) for _ in range(300)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []


def test_a_listener_may_ask_for_the_status():
    ledger, seen = Ledger(1), []
    ledger.listen(lambda _: seen.append(ledger.status.total))
    ledger.tell(Event.progress())
    assert seen == [1]


def test_an_unlistened_callback_hears_nothing_more():
    ledger, seen = Ledger(1), []
    ledger.listen(seen.append)
    ledger.unlisten(seen.append)
    other = seen.append
    ledger.listen(other)
    ledger.unlisten(other)
    ledger.tell(Event.progress())
    assert len(seen) <= 1


def test_a_listener_hears_of_the_kinds_it_asked_for_and_no_other_event_is_made():
    ledger, seen, made = Ledger(3), [], []

    def running(index):
        made.append(index)
        return _record(index)

    ledger.listen(seen.append, frozenset({EventKind.RUN_FAILED}))
    for index, status in enumerate((Status.SUCCESS, Status.FAILED, Status.CANCELLED)):
        ledger.started(index, partial(running, index))
        ledger.acknowledgement(_record(index, status))()
    ledger.tell(Event.progress())
    assert [event.kind for event in seen] == [EventKind.RUN_FAILED]
    assert made == []
    ledger.listen(seen.append)
    ledger.started(1, partial(running, 1))
    assert made == [1]


def test_a_record_that_nobody_is_told_of_is_let_go_before_it_is_durable():
    ledger = Ledger(2)
    record = _record(0)
    watched = weakref.ref(record)
    acknowledge = ledger.acknowledgement(record)
    del record
    assert watched() is None
    ledger.started(0, partial(_record, 0))
    acknowledge()
    assert ledger.status.completed == 1


def test_counts_tell_what_ended_and_what_runs_and_nothing_of_what_never_started():
    ledger = Ledger(5, skipped=[0])
    for index in (1, 2, 3):
        ledger.started(index, partial(_record, index))
    ledger.acknowledgement(_record(1))()
    ledger.acknowledgement(_record(2, Status.CANCELLED))()
    assert ledger.counts() == {"completed": 1, "failed": 0, "cancelled": 1, "running": 1}
    ledger.finish()
    assert ledger.counts() == {"completed": 1, "failed": 0, "cancelled": 1, "running": 0}


def test_endings_come_in_the_order_they_happen_skipped_first():
    ledger = Ledger(3, skipped=[2])
    found = []
    reader = threading.Thread(target=lambda: found.extend(ledger.endings()))
    reader.start()
    for index in (1, 0):
        ledger.started(index, partial(_record, index))
        ledger.acknowledgement(_record(index))()
    ledger.finish()
    reader.join(60)
    assert found == [2, 1, 0]


def test_closers_are_called_once_even_when_added_late():
    ledger, calls = Ledger(1), []
    ledger.when_finished(lambda: calls.append("early"))
    ledger.finish()
    ledger.when_finished(lambda: calls.append("late"))
    assert calls == ["early", "late"]


class TestUnderWay:
    def test_they_are_told_oldest_first_and_only_while_they_are(self):
        ledger = Ledger(6, skipped=[0])
        for index in (3, 1):
            ledger.started(index, partial(_record, index))
        first = ledger.under_way()
        assert list(first) == [1, 3]
        ledger.started(2, partial(_record, 2))
        ledger.acknowledgement(_record(1))()
        then = ledger.under_way()
        assert list(then) == [3, 2]
        assert then[3] == first[3] <= then[2]
        ledger.elsewhere(4, Status.SUCCESS, partial(_record, 4))
        ledger.acknowledgement(_record(3, Status.FAILED))()
        assert list(ledger.under_way()) == [2]
        ledger.finish()
        assert ledger.under_way() == {}

    def test_a_run_that_waits_to_be_tried_again_is_not_among_them(self):
        ledger = Ledger(2)
        ledger.started(0, partial(_record, 0))
        since = ledger.under_way()[0]
        ledger.retried(_record(0, Status.FAILED))
        assert ledger.under_way() == {}
        ledger.started(0, partial(_record, 0))
        assert ledger.under_way()[0] > since
        ledger.retried(_record(0, Status.FAILED))
        ledger.started(0, partial(_record, 0))
        assert list(ledger.under_way()) == [0]
        ledger.acknowledgement(_record(0))()
        assert ledger.under_way() == {}

    def test_what_happens_between_two_looks_comes_to_the_same(self):
        draw, looked, unlooked = random.Random(1), Ledger(50), Ledger(50)
        state = dict.fromkeys(range(50), "pending")
        for _ in range(2_000):
            index = draw.randrange(50)
            started = state[index] == "running"
            step = draw.choice(["retried", "ended"]) if started else "started"
            if state[index] == "ended":
                continue
            state[index] = {"started": "running", "retried": "pending", "ended": "ended"}[step]
            for ledger in (looked, unlooked):
                if step == "started":
                    ledger.started(index, partial(_record, index))
                elif step == "retried":
                    ledger.retried(_record(index, Status.FAILED))
                else:
                    ledger.acknowledgement(_record(index))()
            running = {index for index, now in state.items() if now == "running"}
            assert looked.under_way().keys() == running
            if draw.random() < 0.1:
                assert unlooked.under_way().keys() == running
            assert looked.status.running == len(running)
