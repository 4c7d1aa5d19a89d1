"""Progress: what is counted of a launch's events, and who shows it."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from metalab.events import Event
from metalab.progress import (
    MetricDisplay,
    Progress,
    SimpleProgressTracker,
    create_progress_tracker,
    surroundings,
    text,
)
from metalab.progress.surroundings import Surroundings
from metalab.progress.tally import Tally


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def tally_of(*events, total=10, skipped=0, metrics=()):
    tally = Tally(metrics)
    tally.begin(total, skipped)
    for event in events:
        tally.add(event)
    return tally.snapshot()


class TestTally:
    def test_counts_each_way_a_run_can_end(self):
        snapshot = tally_of(
            Event.run_started("a"),
            Event.run_started("b"),
            Event.run_started("c"),
            Event.run_started("d"),
            Event.run_finished("a"),
            Event.run_failed("b", error="ValueError: x"),
            Event.run_cancelled("c"),
            Event.log("d", "a line"),
        )
        assert (snapshot.completed, snapshot.failed, snapshot.cancelled) == (1, 1, 1)
        assert (snapshot.running, snapshot.done) == (1, 3)

    def test_skipped_runs_announced_as_a_number_and_one_by_one_are_counted_once(self):
        events = [Event.run_skipped(name) for name in "abc"]
        assert tally_of(*events, total=3, skipped=3).skipped == 3
        assert tally_of(*events, total=3, skipped=0).skipped == 3
        assert tally_of(total=3, skipped=3).skipped == 3

    def test_a_run_nobody_expected_does_not_overrun_the_total(self):
        snapshot = tally_of(Event.run_finished("a"), Event.run_finished("b"), total=1)
        assert snapshot.total == snapshot.done == 2

    def test_counts_made_elsewhere_are_taken_over(self):
        clock = Clock()
        tally = Tally(clock=clock)
        tally.begin(10, 0)
        clock.now = 6.0
        tally.add(Event.progress(completed=2, failed=1, running=4, skipped=1))
        snapshot = tally.snapshot()
        assert (snapshot.done, snapshot.running) == (4, 4)
        assert snapshot.left == pytest.approx(12.0)

    def test_retries_are_counted_and_a_run_that_waits_for_one_is_not_running(self):
        snapshot = tally_of(
            Event.run_started("a"), Event.run_retried("a", error="OSError: x"), total=1
        )
        assert (snapshot.retried, snapshot.running, snapshot.done) == (1, 0, 0)
        assert text.counts(snapshot) == "0/1 runs, 1 retried"

    def test_events_of_unknown_kinds_change_nothing(self):
        assert tally_of(Event("run_dreamt", "a")).done == 0

    def test_what_a_terminal_would_obey_is_no_part_of_a_cause(self):
        assert tally_of(Event.run_failed("a", error="E: \x1b[2Jgone")).causes == {"E:  [2Jgone": 1}

    def test_a_runs_own_progress_changes_no_count(self):
        assert tally_of(Event.progress("a", completed=5)).done == 0

    def test_causes_are_counted_by_their_first_line_and_their_number_is_bounded(self):
        failures = [Event.run_failed(str(n), error=f"ValueError: {n}\nmore") for n in range(50)]
        causes = tally_of(*failures, total=50).causes
        assert causes["ValueError: 0"] == 1
        assert causes["other causes"] == 30
        assert sum(causes.values()) == 50

    @pytest.mark.parametrize("error", ["", "  \n "])
    def test_a_failure_without_a_cause_says_so(self, error):
        assert tally_of(Event.run_failed("a", error=error)).causes == {"no cause given": 1}

    @pytest.mark.parametrize(
        ("show", "shown"),
        [
            ("last", "loss 2"),
            ("min", "loss min 1"),
            ("max", "loss max 4"),
            ("mean", "loss mean 2.5"),
        ],
    )
    def test_chosen_metrics_are_reduced_over_the_finished_runs(self, show, shown):
        values = [3, 1.0, 4, 2]
        events = [Event.run_finished(str(v), metrics={"loss": v}) for v in values]
        assert tally_of(*events, metrics=[MetricDisplay("loss", show)]).metrics == [shown]

    @pytest.mark.parametrize("order", [[float("nan"), 2.0], [2.0, float("nan")]])
    @pytest.mark.parametrize("show", ["min", "max"])
    def test_nan_never_hides_the_best_value(self, order, show):
        events = [Event.run_finished(str(v), metrics={"loss": v}) for v in order]
        assert tally_of(*events, metrics=[MetricDisplay("loss", show)]).metrics == [
            f"loss {show} 2"
        ]

    def test_metrics_that_are_no_numbers_or_absent_are_left_out(self):
        events = [
            Event.run_finished("a", metrics={"loss": "high"}),
            Event.run_finished("b", metrics={"loss": True}),
            Event.run_finished("c"),
        ]
        assert tally_of(*events, metrics=[MetricDisplay("loss")]).metrics == []

    def test_events_from_many_threads_are_all_counted(self):
        tally = Tally()
        tally.begin(4_000, 0)

        def work(thread):
            for number in range(1_000):
                tally.add(Event.run_finished(f"{thread}-{number}"))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tally.snapshot().completed == 4_000


class TestText:
    @pytest.mark.parametrize(
        ("seconds", "written"),
        [
            (-1, "0.0 s"),
            (0.0046, "4.6 ms"),
            (0.0946, "95 ms"),
            (0.42, "0.4 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (187_200, "2 d 4 h"),
        ],
    )
    def test_durations(self, seconds, written):
        assert text.duration(seconds) == written

    def test_the_status_names_only_what_there_is(self):
        assert text.status_line("e:1", tally_of(total=3)) == "e:1: 0/3 runs"
        line = text.status_line("e:1", tally_of(Event.run_started("a"), total=1_000, skipped=2))
        assert line == "e:1: 2/1,000 runs, 2 skipped, 1 running"

    @pytest.mark.parametrize(
        ("rate", "written"),
        [(0.05, "20 s a run"), (1.25, "1.2 runs/s"), (9.4, "9.4 runs/s"), (2345.6, "2,346 runs/s")],
    )
    def test_paces(self, rate, written):
        assert text.pace(rate) == written

    @pytest.mark.parametrize(
        ("line", "shown"), [("abcdef", "abcd"), ("日本語", "日本"), ("e\u0301tude", "e\u0301tud")]
    )
    def test_lines_are_cut_to_what_a_terminal_can_show(self, line, shown):
        assert text.cut(line, 4) == shown

    def test_lines_name_the_run_that_takes_longest(self):
        clock = Clock()
        tally = Tally(clock=clock)
        tally.begin(2, 0)
        tally.add(Event.run_started("0123456789abcdef"))
        clock.now = 75.0
        line = text.status_line("e:1", tally.snapshot(), longest=True)
        assert line == "e:1: 0/2 runs, 1 running (01234567: 1 min 15 s so far)"


class TestSettings:
    def test_metrics_may_be_names_or_displays(self):
        settings = Progress(metrics=["loss", MetricDisplay("acc", "max", label="best")])
        assert [display.name for display in settings.metrics] == ["loss", "acc"]
        assert settings.metrics[1].text(0.5) == "best max 0.5"
        assert Progress(metrics="loss").metrics == (MetricDisplay("loss"),)

    def test_a_bad_format_is_refused_by_name(self):
        with pytest.raises(ValueError, match=r"MetricDisplay\('loss'\): '.2q' is no format"):
            MetricDisplay("loss", format=".2q")

    @pytest.mark.parametrize("bad", [{"style": "fancy"}])
    def test_an_unknown_style_is_refused(self, bad):
        with pytest.raises(ValueError, match="must be in"):
            Progress(**bad)

    def test_an_unknown_reduction_is_refused(self):
        with pytest.raises(ValueError, match="must be in"):
            MetricDisplay("loss", "median")


class TestChoice:
    def test_false_shows_nothing(self):
        stream = io.StringIO()
        tracker = create_progress_tracker(False, stream=stream)
        tracker.start(1, 0, "e:1")
        tracker(Event.run_failed("a", error="x"))
        tracker.finish()
        assert not stream.getvalue()

    def test_a_stream_that_is_no_terminal_gets_plain_lines(self):
        tracker = create_progress_tracker(True, stream=io.StringIO())
        assert isinstance(tracker, SimpleProgressTracker)

    def test_none_is_patient_and_true_is_not(self, monkeypatch):
        monkeypatch.setattr(surroundings, "_PATIENCE_WRITTEN", 600.0)
        for progress, lines in ((None, 0), (True, 2)):
            stream = io.StringIO()
            tracker = create_progress_tracker(progress, stream=stream)
            tracker.start(1, 0, "e:1")
            tracker.finish()
            assert stream.getvalue().count("\n") == lines

    def test_a_terminal_gets_a_bar_where_nothing_speaks_against_it(self, monkeypatch):
        rich = pytest.importorskip("metalab.progress.rich")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("CI", raising=False)
        tracker = create_progress_tracker(None, stream=Terminal())
        assert isinstance(tracker, rich.RichProgressTracker)

    def test_a_launch_in_a_test_shows_nothing_unless_it_is_asked_to(self, capsys):
        for progress, shows in ((None, False), (True, True)):
            tracker = create_progress_tracker(progress)
            tracker.start(1, 0, "e:1")
            tracker(Event.run_failed("a", error="x"))
            tracker.finish()
            assert bool(capsys.readouterr().err) is shows

    @pytest.mark.parametrize("progress", [None, True, Progress(style="plain")])
    def test_a_program_without_an_error_stream_shows_nothing(self, monkeypatch, progress):
        closed = io.StringIO()
        closed.close()
        for stream in (None, closed):
            monkeypatch.setattr("sys.stderr", stream)
            tracker = create_progress_tracker(progress)
            tracker.start(1, 0, "e:1")
            tracker.finish()

    def test_the_plain_style_is_plain_on_a_terminal(self):
        tracker = create_progress_tracker(Progress(style="plain"), stream=Terminal())
        assert isinstance(tracker, SimpleProgressTracker)


class TestSurroundings:
    @pytest.mark.parametrize(
        ("environ", "live"),
        [
            ({}, True),
            ({"TERM": "dumb"}, False),
            ({"CI": "true"}, False),
            ({"CI": "false"}, True),
            ({"NO_COLOR": "1"}, True),
        ],
    )
    def test_a_terminal_is_drawn_on_unless_it_cannot_be(self, environ, live):
        assert Surroundings.of(Terminal(), environ=environ).live is live
        assert not Surroundings.of(io.StringIO(), environ=environ).live

    def test_who_asks_for_rich_gets_it_under_ci_too(self):
        assert Surroundings.of(Terminal(), insist=True, environ={"CI": "1"}).live

    def test_an_error_stream_that_somebody_stands_in_for_is_not_drawn_on(self, monkeypatch):
        for stream in ("stderr", "__stderr__"):
            monkeypatch.setattr(sys, stream, terminal := Terminal())
        assert sys.stderr is not sys.__stderr__
        assert not Surroundings.of(None, environ={}).live
        monkeypatch.setattr(sys, "stderr", terminal)
        assert Surroundings.of(None, environ={}).live

    def test_patience_is_half_a_second_on_a_terminal_and_two_elsewhere(self):
        assert Surroundings.of(Terminal(), environ={}).patience == 0.5
        assert Surroundings.of(io.StringIO(), environ={}).patience == 2.0

    def test_lines_come_less_often_the_longer_a_launch_lasts_and_seldom_under_ci(self):
        quick = Surroundings.of(io.StringIO(), environ={})
        assert [quick.pause_after(seconds) for seconds in (0, 60, 600)] == [10, 10, 60]
        assert Surroundings.of(io.StringIO(), environ={"CI": "1"}).pause_after(0) == 60


class TestRefusals:
    @pytest.mark.parametrize("bad", [1, "yes", print, ["loss"]])
    def test_anything_else_is_refused_in_words(self, bad):
        with pytest.raises(TypeError, match=r"give True, False, None, a metalab\.Progress"):
            create_progress_tracker(bad)
