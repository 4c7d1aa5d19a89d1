"""Progress: how fast runs end, and how long the rest will take."""

from __future__ import annotations

import heapq
import random

import pytest

from metalab.progress.pace import Pace


def executed(lengths, workers, *, until, look=0.2):
    """Execute runs of these lengths in order, in no time, and look now and then: the pace."""
    pace, now = Pace(0.0), 0.0
    free = [0.0] * workers
    spans = []
    for length in lengths:
        began = heapq.heappop(free)
        spans.append((began, began + length))
        heapq.heappush(free, began + length)
    while now < until:
        now = min(now + look, until)
        ended = sum(end <= now for _, end in spans)
        pace.note(now, ended, [now - began for began, end in spans if began <= now < end])
    return pace, len(spans) - ended, max(end for _, end in spans) - until


class TestTimeLeft:
    def test_it_is_unknown_until_a_run_has_ended_and_none_when_nothing_is_to_do(self):
        pace = Pace(0.0)
        pace.note(5.0, 0, [5.0])
        assert pace.left(3) is None
        assert pace.rate() is None
        assert pace.left(0) == 0.0

    @pytest.mark.parametrize("workers", [1, 3, 8])
    @pytest.mark.parametrize("until", [10.5, 15.0, 42.0, 73.0])
    def test_it_is_right_for_runs_of_one_length_from_the_first_on(self, workers, until):
        pace, to_do, left = executed([10.0] * 8 * workers, workers, until=until)
        assert pace.left(to_do) == pytest.approx(left, rel=0.1, abs=0.5)
        assert pace.rate() == pytest.approx(workers / 10, rel=0.1)

    def test_the_first_of_many_workers_to_be_done_does_not_speak_for_all(self):
        lengths = [9.0, *[10.0] * 79]
        pace, to_do, left = executed(lengths, 8, until=9.1)
        assert pace.left(to_do) == pytest.approx(left, rel=0.15)

    @pytest.mark.parametrize("until", [60.0, 200.0, 300.0])
    def test_it_errs_to_neither_side_for_runs_of_very_different_length(self, until):
        expected = happened = 0.0
        for seed in range(20):
            draw = random.Random(seed)
            lengths = [draw.choice([0.1, 1.0, 30.0]) for _ in range(200)]
            pace, to_do, left = executed(lengths, 4, until=until, look=1.0)
            expected += pace.left(to_do)
            happened += left
        assert expected == pytest.approx(happened, rel=0.15)

    def test_a_run_that_takes_far_longer_than_those_before_it_is_learned_from(self):
        pace = Pace(0.0)
        pace.note(10.0, 1, [0.0])
        assert pace.left(4) == pytest.approx(40.0, rel=0.01)
        for second in range(11, 200):
            pace.note(float(second), 1, [second - 10.0])
        assert pace.left(4) > 200.0

    def test_it_is_unknown_while_all_that_is_left_is_overdue(self):
        pace = Pace(0.0)
        for number in range(1, 101):
            pace.note(float(number), number, [0.0])
        pace.note(150.0, 100, [50.0])
        assert pace.left(1) is None

    def test_it_follows_a_change_of_pace(self):
        pace, to_do, left = executed([10.0] * 30 + [2.0] * 970, 1, until=1_400.0, look=1.0)
        assert pace.left(to_do) == pytest.approx(left, rel=0.02)

    def test_a_thousand_runs_a_second_are_counted_right_though_few_are_seen_under_way(self):
        pace = Pace(0.0)
        for look in range(1, 51):
            pace.note(0.2 * look, 200 * look, [0.001] if look % 3 else [])
        assert pace.rate() == pytest.approx(1_000, rel=0.01)
        assert pace.left(5_000) == pytest.approx(5.0, rel=0.01)


class TestWithoutRunsUnderWay:
    def test_a_pause_counts_as_one_run_once_it_is_overdue(self):
        pace = Pace(100.0)
        pace.note(110.0, 1, ())
        assert pace.left(3) == pytest.approx(30.0)
        pace.note(114.0, 1, ())
        assert pace.left(3) == pytest.approx(26.0)
        pace.note(300.0, 1, ())
        assert pace.left(3) == pytest.approx(200.0)

    def test_counts_alone_give_a_rate(self):
        pace = Pace(0.0)
        pace.note(6.0, 3, ())
        assert pace.rate() == pytest.approx(0.5)
