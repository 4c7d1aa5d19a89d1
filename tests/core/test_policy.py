"""What a launch does about runs that fail, and what it lets one run use."""

from __future__ import annotations

import json

import pytest

from metalab.errors import MetalabError, RunTimeoutError, WorkerDiedError
from metalab.execution.inline import InlineExecutor
from metalab.execution.policy import FailurePolicy, Limits, Retry
from metalab.execution.process.executor import ProcessExecutor
from metalab.execution.thread import ThreadExecutor


def test_continue_never_stops():
    policy = FailurePolicy("continue")
    assert not any(policy.failed() for _ in range(100))


def test_stop_stops_at_the_first_failure():
    assert FailurePolicy("stop").failed()


def test_a_number_stops_at_that_many_failures():
    policy = FailurePolicy(3)
    assert [policy.failed() for _ in range(4)] == [False, False, True, True]


@pytest.mark.parametrize("wrong", ["never", 0, -1, True, None, 0.5])
def test_anything_else_is_refused_with_the_choices(wrong):
    with pytest.raises(ValueError, match="use 'continue', 'stop', or the number"):
        FailurePolicy(wrong)


class TestRetry:
    def test_by_default_deaths_are_tried_three_times_and_failures_once(self):
        policy = Retry.of(None)
        assert [policy.allows(WorkerDiedError, n) for n in (1, 2, 3)] == [True, True, False]
        assert not policy.allows(ValueError, 1)
        assert not policy.allows(RunTimeoutError, 1)

    def test_a_number_is_the_most_attempts_for_whatever_fails(self):
        policy = Retry.of(2)
        assert policy == Retry(2)
        for kind in (ValueError, RunTimeoutError, WorkerDiedError):
            assert [policy.allows(kind, n) for n in (1, 2)] == [True, False]
        assert not policy.allows(SystemExit, 1)

    def test_only_what_is_named_is_tried_again(self):
        policy = Retry(5, on=(OSError,))
        assert policy.allows(ConnectionError, 4)
        assert not policy.allows(ValueError, 1)
        assert Retry(5, on=OSError) == policy

    def test_the_pause_doubles_up_to_the_longest(self):
        policy = Retry(9, backoff=0.5, longest=3)
        assert [policy.delay(n) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
        assert policy.delay(5000) == 3.0
        assert Retry().delay(1) == 0.0

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"max_attempts": 0}, ValueError),
            ({"max_attempts": "3"}, TypeError),
            ({"on": ("OSError",)}, TypeError),
            ({"on": (int,)}, TypeError),
            ({"backoff": -1}, ValueError),
            ({"backoff": float("nan")}, ValueError),
            ({"backoff": "1"}, TypeError),
            ({"longest": None}, TypeError),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, fields, error):
        with pytest.raises(error, match=next(iter(fields))):
            Retry(**fields)

    @pytest.mark.parametrize("wrong", ["3", True, 1.5, [3]])
    def test_what_is_no_policy_is_refused(self, wrong):
        with pytest.raises(TypeError, match="retry="):
            Retry.of(wrong)

    def test_it_can_be_written_down(self):
        assert json.loads(json.dumps(Retry(2, on=(OSError,), backoff=1).to_dict())) == {
            "max_attempts": 2,
            "on": ["builtins.OSError"],
            "backoff": 1.0,
            "longest": 60.0,
        }


class TestLimits:
    def test_sizes_are_read_in_the_units_people_write(self):
        sizes = {"500M": 500 << 20, "4G": 4 << 30, "1.5 GiB": 3 << 29, "10kb": 10 << 10, "7": 7}
        assert {text: Limits(memory=text).memory for text in sizes} == sizes
        assert Limits(memory=1 << 20).memory == 1 << 20

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"timeout": 0}, ValueError),
            ({"timeout": -1}, ValueError),
            ({"timeout": float("nan")}, ValueError),
            ({"timeout": "5"}, TypeError),
            ({"timeout": True}, TypeError),
            ({"memory": "lots"}, TypeError),
            ({"memory": 0}, ValueError),
            ({"memory": "0G"}, ValueError),
            ({"memory": 1.5}, TypeError),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, fields, error):
        with pytest.raises(error, match=next(iter(fields))):
            Limits(**fields)

    def test_executors_that_cannot_end_a_run_refuse_limits(self):
        for limits in (Limits(timeout=3), Limits(memory="1G")):
            for executor in (InlineExecutor(), ThreadExecutor(1)):
                with pytest.raises(MetalabError, match="executor='process'"):
                    executor.check(limits)
            ProcessExecutor(1).check(limits)
        ThreadExecutor(1).check(Limits())
