"""A run is given up after a few losses in a row that it may have caused, and many it did not."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from metalab.errors import RunTimeoutError, WorkerDiedError
from metalab.execution.doom import Doom, lost_in_a_row
from metalab.store.causes import BLAMEABLE, INTERRUPTIONS, Cause, cause_of
from metalab.store.reading import Loss

KILLED, TIMEOUT, MEMORY, PAUSED = Cause.KILLED, Cause.TIMEOUT, Cause.MEMORY, Cause.PAUSED


def row(causes, ended=(), attempts=3):
    """Return what is in the row of attempts 1, 2, ... lost to these causes; None if it is short."""
    losses = [Loss(0, n, "w", cause) for n, cause in enumerate(causes, 1) if cause]
    found = lost_in_a_row(losses, lambda: ended, attempts)
    return None if found is None else list(found.values())


class TestRule:
    def test_every_cause_but_two_counts_for_one_budget(self):
        assert BLAMEABLE.isdisjoint(INTERRUPTIONS)
        assert set(Cause) - BLAMEABLE - INTERRUPTIONS == {PAUSED, Cause.BROKEN}

    @pytest.mark.parametrize("cause", sorted(BLAMEABLE))
    def test_three_that_it_may_have_caused_are_too_many(self, cause):
        assert row([cause] * 2) is None
        assert row([cause] * 3) == [cause] * 3

    @pytest.mark.parametrize("cause", sorted(INTERRUPTIONS))
    def test_sixteen_that_happen_to_any_run_are_too_many(self, cause):
        assert row([cause] * 15) is None
        assert row([cause] * 16) == [cause] * 16

    @pytest.mark.parametrize("cause", [PAUSED, Cause.BROKEN])
    def test_what_has_saved_its_state_or_shared_its_fate_is_never_counted(self, cause):
        assert row([cause] * 100) is None
        assert row([cause, KILLED, cause, KILLED, cause, KILLED]) == [KILLED] * 3

    def test_the_budgets_do_not_add_up(self):
        assert row([KILLED, KILLED, *["preempted"] * 15]) is None

    def test_the_number_is_the_caller_s(self):
        assert row([KILLED], attempts=1) == [KILLED]
        assert row([KILLED] * 4, attempts=5) is None

    def test_an_attempt_that_came_to_an_end_begins_the_row_anew(self):
        assert row([KILLED, KILLED, None, KILLED, KILLED], ended={3}) is None
        assert row([KILLED, KILLED, None, *[KILLED] * 3], ended={3}) == [KILLED] * 3

    def test_one_that_has_a_record_of_its_death_did_not_come_to_an_end(self):
        assert row([KILLED, TIMEOUT, MEMORY], ended={1, 2, 3}) == [KILLED, TIMEOUT, MEMORY]

    def test_an_attempt_that_several_tell_of_counts_once_by_what_is_known_best(self):
        def told(*causes):
            losses = [Loss(0, 1, "w", cause) for cause in causes]
            found = lost_in_a_row(losses, set, 1)
            return None if found is None else list(found.values())

        assert told("silent", "killed", "silent") == [KILLED]
        assert told("killed", "paused") is None
        assert told("gone", "silent") is None

    def test_a_word_of_a_later_version_is_no_fault_of_the_run(self):
        assert cause_of("evicted by aliens") is Cause.GONE
        assert row(["evicted by aliens"] * 15) is None

    def test_records_are_not_asked_for_where_it_does_not_matter(self):
        def ended():
            raise AssertionError("nobody needs to know")

        assert lost_in_a_row([Loss(0, 1, "w", KILLED)] * 9, ended, 3) is None

    @given(
        st.lists(st.sampled_from([None, *Cause]), max_size=60),
        st.sets(st.integers(1, 60)),
        st.integers(1, 6),
    )
    def test_it_agrees_with_a_count_by_hand(self, causes, ended, attempts):
        """Attempt by attempt, as whoever writes it down on paper would."""
        blamed, interrupted, seen = 0, 0, []
        for number in range(1, 61):
            cause = causes[number - 1] if number <= len(causes) else None
            if cause is None and number in ended:
                blamed, interrupted, seen = 0, 0, []
            if cause in {"killed", "memory", "timeout"}:
                blamed += 1
                seen.append(cause)
            elif cause in {"gone", "preempted", "node_fail", "cancelled", "silent"}:
                interrupted += 1
                seen.append(cause)
        expected = seen if blamed >= attempts or interrupted >= 16 else None
        assert row(causes, ended, attempts) == expected


class TestWords:
    def test_it_says_how_often_by_what_and_where_the_last_log_is(self):
        error = Doom.of((KILLED, TIMEOUT, KILLED), "/store/logs/w.log").error()
        assert type(error) is WorkerDiedError
        assert str(error) == (
            "it was lost 3 times in a row (its process died, twice; the time of its job was up "
            "before it had ended or kept a checkpoint, once); the last log is /store/logs/w.log; "
            "run the experiment again to try once more"
        )

    def test_one_whose_time_was_up_last_has_timed_out(self):
        error = Doom.of((KILLED, KILLED, TIMEOUT)).error()
        assert type(error) is RunTimeoutError
        assert "log" not in str(error)

    @pytest.mark.parametrize("cause", sorted(BLAMEABLE | INTERRUPTIONS))
    def test_every_cause_that_counts_has_words(self, cause):
        assert "once" in str(Doom.of((cause,)).error())
