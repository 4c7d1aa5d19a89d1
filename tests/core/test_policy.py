"""When a launch stops taking runs because runs fail."""

from __future__ import annotations

import pytest

from metalab.execution.policy import FailurePolicy


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
