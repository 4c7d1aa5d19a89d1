"""Progress: what a launch's events look like on a terminal, in a file, and with rich."""

from __future__ import annotations

import io
import logging
import os
import pty
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from metalab.errors import MissingExtraError
from metalab.events import Event
from metalab.progress import (
    MetricDisplay,
    Progress,
    ProgressTracker,
    SimpleProgressTracker,
    create_progress_tracker,
    text,
)
from metalab.progress import plain as plain_module
from metalab.progress.tally import Tally
from metalab.progress.tracker import LiveTracker

WITHOUT_RICH = """
import sys
class NoRich:
    def find_spec(self, name, path=None, target=None):
        if name == "rich" or name.startswith("rich."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NoRich())
"""

LAUNCH = """
from metalab.events import Event
from metalab.progress import *
tracker = create_progress_tracker(True)
tracker.start(4, 1, "mvp:1.0")
print("result on stdout")
tracker(Event.run_finished("a", metrics={}))
tracker(Event.run_finished("b", metrics={}))
tracker(Event.run_failed("c", error="ValueError: bad rate"))
tracker.finish()
"""


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


def eventually(holds, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


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

    def test_time_left_is_unknown_until_a_run_has_finished(self):
        assert tally_of(total=3).left is None
        assert tally_of(total=3, skipped=2).left is None
        assert tally_of(total=2, skipped=2).left == 0

    def test_time_left_is_learned_from_finished_runs_and_not_from_skipped_ones(self):
        clock = Clock()
        tally = Tally(clock=clock)
        clock.now = 100.0
        tally.begin(104, 100)
        clock.now = 110.0
        tally.add(Event.run_finished("a"))
        assert tally.snapshot().left == pytest.approx(30.0)
        clock.now = 114.0
        assert tally.snapshot().left == pytest.approx(26.0)
        clock.now = 300.0
        assert tally.snapshot().left == pytest.approx(20.0)

    def test_time_left_follows_a_change_of_pace(self):
        clock = Clock()
        tally = Tally(clock=clock)
        tally.begin(2_000, 0)
        for number in range(1_000):
            clock.now += 10.0 if number < 500 else 1.0
            tally.add(Event.run_finished(str(number)))
        assert tally.snapshot().left == pytest.approx(1_000, rel=0.01)

    def test_counts_made_elsewhere_are_taken_over(self):
        clock = Clock()
        tally = Tally(clock=clock)
        tally.begin(10, 0)
        clock.now = 6.0
        tally.add(Event.progress(completed=2, failed=1, running=4, skipped=1))
        snapshot = tally.snapshot()
        assert (snapshot.done, snapshot.running) == (4, 4)
        assert snapshot.left == pytest.approx(12.0)

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


class TestPlainLines:
    def test_a_file_gets_a_first_and_a_last_line(self):
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream)
        tracker.start(3, 1, "mvp:1.0")
        tracker(Event.run_finished("a"))
        tracker(Event.run_finished("b"))
        tracker.finish()
        first, last = stream.getvalue().splitlines()
        assert first == "mvp:1.0: 2 of 3 runs to do, 1 done before"
        assert last.startswith("mvp:1.0: 3/3 runs, 1 skipped, took ")

    def test_a_patient_tracker_says_nothing_of_a_short_success(self):
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream, patient=True)
        tracker.start(1, 0, "mvp:1.0")
        tracker(Event.run_finished("a"))
        tracker.finish()
        assert not stream.getvalue()

    def test_a_patient_tracker_tells_failures_at_any_rate(self):
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream, patient=True)
        tracker.start(1, 0, "mvp:1.0")
        tracker(Event.run_failed("a", error="ValueError: bad rate"))
        tracker.finish()
        cause, last = stream.getvalue().splitlines()
        assert cause == "failed: ValueError: bad rate"
        assert last.startswith("mvp:1.0: 1/1 runs, 1 failed")

    def test_a_patient_tracker_speaks_up_when_a_launch_lasts_though_nothing_happens(
        self, monkeypatch
    ):
        monkeypatch.setattr(plain_module, "_QUIET", 0.05)
        monkeypatch.setattr(LiveTracker, "interval", 0.01)
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream, patient=True)
        tracker.start(1, 0, "slow:1")
        assert not stream.getvalue()
        eventually(lambda: stream.getvalue() == "slow:1: 1 of 1 runs to do\n")
        tracker.finish()

    def test_a_file_gets_a_line_now_and_then_and_not_with_each_event(self, monkeypatch):
        monkeypatch.setattr(plain_module, "_LINE_EVERY", 0.1)
        monkeypatch.setattr(LiveTracker, "interval", 0.01)
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream)
        began = time.monotonic()
        tracker.start(1_000, 0, "e:1")
        for number in range(1_000):
            tracker(Event.run_finished(str(number)))
        eventually(lambda: stream.getvalue().count("\n") >= 3)
        tracker.finish()
        passed = time.monotonic() - began
        assert 4 <= stream.getvalue().count("\n") <= passed / 0.1 + 2

    def test_each_cause_of_failure_is_told_once_and_five_at_most(self):
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream)
        tracker.start(100, 0, "e:1")
        for number in range(100):
            tracker(Event.run_failed(str(number), error=f"KeyError: {number % 8}"))
        tracker.finish()
        told = [line for line in stream.getvalue().splitlines() if line.startswith("failed")]
        assert told == [f"failed: KeyError: {number}" for number in range(5)]

    def test_a_status_line_replaces_the_counts_at_the_end(self):
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream)
        tracker.start(2, 0, "e:1")
        tracker.finish("e:1: interrupted, 2 runs to do")
        assert stream.getvalue().endswith("\ne:1: interrupted, 2 runs to do\n")

    def test_finish_is_without_effect_the_second_time_and_before_the_start(self):
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream)
        tracker.finish()
        assert not stream.getvalue()
        tracker.start(1, 0, "e:1")
        tracker.finish()
        written = stream.getvalue()
        tracker.finish()
        assert stream.getvalue() == written

    def test_the_settings_title_wins(self):
        stream = io.StringIO()
        tracker = SimpleProgressTracker(Progress(title="my sweep"), stream=stream)
        tracker.start(1, 0, "e:1")
        tracker.finish()
        assert stream.getvalue().startswith("my sweep: 1 of 1")

    def test_a_terminal_line_is_redrawn_and_cut_to_the_width(self, monkeypatch):
        monkeypatch.setattr(LiveTracker, "interval", 0.01)
        monkeypatch.setenv("COLUMNS", "20")
        stream = Terminal()
        tracker = SimpleProgressTracker(stream=stream)
        tracker.start(2, 0, "a_long_name:1.0")
        eventually(lambda: stream.getvalue().count("\r") >= 3)
        tracker(Event.run_finished("a"))
        tracker.finish()
        drawn = stream.getvalue()
        assert "\ra_long_name:1.0: 0/\x1b[K" in drawn
        assert drawn.count("\n") == 1
        assert drawn.rsplit("\x1b[K", 1)[1].startswith("a_long_name:1.0: 1/2 runs, took")


class TestFaults:
    def test_a_broken_stream_is_logged_once_and_stops_the_drawing_only(self, monkeypatch, caplog):
        class Broken(io.StringIO):
            def write(self, _):
                raise BrokenPipeError("the pipe is closed")

        monkeypatch.setattr(LiveTracker, "interval", 0.01)
        tracker = SimpleProgressTracker(stream=Broken())
        with caplog.at_level(logging.ERROR, "metalab.progress"):
            tracker.start(2, 0, "e:1")
            tracker(Event.run_failed("a", error="x"))
            time.sleep(0.05)
            tracker.finish()
        assert [record.message for record in caplog.records] == ["progress is no longer shown"]

    def test_what_a_users_tracker_raises_is_logged_once(self, caplog):
        class Mine(ProgressTracker):
            calls = 0

            def start(self, total, skipped=0, title=""):
                self.total = total

            def __call__(self, event):
                self.calls += 1
                raise KeyError("mine")

            def finish(self, status_line=None):
                raise AssertionError("told after it failed")

        mine = Mine()
        tracker = create_progress_tracker(mine)
        with caplog.at_level(logging.ERROR, "metalab.progress"):
            tracker.start(7, 0, "e:1")
            tracker(Event.run_finished("a"))
            tracker(Event.run_finished("b"))
            tracker.finish()
        assert (mine.total, mine.calls) == (7, 1)
        assert len(caplog.records) == 1
        assert "Mine" in caplog.text

    def test_drawing_goes_on_beside_a_launch_and_never_in_it(self, monkeypatch):
        class Slow(io.StringIO):
            def write(self, part):
                time.sleep(0.2)
                return super().write(part)

        monkeypatch.setattr(plain_module, "_LINE_EVERY", 0.0)
        monkeypatch.setattr(LiveTracker, "interval", 0.001)
        tracker = SimpleProgressTracker(stream=Slow())
        tracker.start(2, 0, "e:1")
        time.sleep(0.05)
        began = time.perf_counter()
        for number in range(500):
            tracker(Event.run_finished(str(number)))
        assert time.perf_counter() - began < 0.15
        tracker.finish()


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

    def test_none_is_patient_and_true_is_not(self):
        for progress, lines in ((None, 0), (True, 2)):
            stream = io.StringIO()
            tracker = create_progress_tracker(progress, stream=stream)
            tracker.start(1, 0, "e:1")
            tracker.finish()
            assert stream.getvalue().count("\n") == lines

    def test_a_terminal_gets_a_bar(self):
        rich = pytest.importorskip("metalab.progress.rich")
        tracker = create_progress_tracker(None, stream=Terminal())
        assert isinstance(tracker, rich.RichProgressTracker)

    def test_the_plain_style_is_plain_on_a_terminal(self):
        tracker = create_progress_tracker(Progress(style="plain"), stream=Terminal())
        assert isinstance(tracker, SimpleProgressTracker)

    @pytest.mark.parametrize("bad", [1, "yes", print, ["loss"]])
    def test_anything_else_is_refused_in_words(self, bad):
        with pytest.raises(TypeError, match=r"give True, False, None, a metalab\.Progress"):
            create_progress_tracker(bad)


class TestRich:
    def test_the_bar_makes_room_for_causes_and_a_last_line(self, monkeypatch):
        pytest.importorskip("rich")
        monkeypatch.setattr(LiveTracker, "interval", 0.01)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        stream = Terminal()
        tracker = create_progress_tracker(Progress(metrics=["loss"], title="[e]:1"), stream=stream)
        tracker.start(3, 1, "e:1")
        tracker(Event.run_started("a"))
        eventually(lambda: "1 running" in stream.getvalue())
        tracker(Event.run_finished("a", metrics={"loss": 0.25}))
        tracker(Event.run_failed("b", error="ValueError: [bad] rate"))
        tracker.finish()
        drawn = stream.getvalue()
        assert "failed: ValueError: [bad] rate" in drawn
        assert "[e]:1: 3/3 runs, 1 skipped, 1 failed, loss 0.25, took" in drawn

    def test_asking_for_rich_where_it_is_missing_names_the_extra(self):
        script = WITHOUT_RICH + textwrap.dedent("""
            from metalab.progress import Progress, create_progress_tracker
            try:
                create_progress_tracker(Progress(style="rich"))
            except ImportError as error:
                print(type(error).__name__, error)
        """)
        ran = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert ran.stdout.startswith("MissingExtraError")
        assert "pip install 'metalab[rich]'" in ran.stdout
        assert issubclass(MissingExtraError, ImportError)


def on_a_terminal(script):
    """Run a script with the error stream on a pseudo-terminal: its output and its drawings."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        text=True,
    ) as process:
        os.close(follower)
        drawn = b""
        # A pseudo-terminal whose other side is gone reads as an I/O error on Linux.
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:
                break
            if not part:
                break
            drawn += part
        out = process.stdout.read()
    os.close(leader)
    assert process.returncode == 0, drawn.decode()
    return out, drawn.decode()


class TestStreams:
    def test_standard_output_keeps_to_the_script_on_a_terminal(self):
        pytest.importorskip("rich")
        out, drawn = on_a_terminal(LAUNCH)
        assert out == "result on stdout\n"
        assert "failed: ValueError: bad rate" in drawn
        assert "mvp:1.0: 4/4 runs, 1 skipped, 1 failed" in drawn

    def test_a_terminal_without_rich_gets_plain_text(self):
        out, drawn = on_a_terminal(WITHOUT_RICH + LAUNCH)
        assert out == "result on stdout\n"
        assert "failed: ValueError: bad rate" in drawn
        assert "mvp:1.0: 4/4 runs, 1 skipped, 1 failed" in drawn

    def test_neither_rich_nor_pandas_is_imported_without_a_terminal(self):
        script = LAUNCH + textwrap.dedent("""
            import sys
            print([name for name in ("rich", "pandas", "numpy") if name in sys.modules])
        """)
        ran = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout == "result on stdout\n[]\n"
        assert ran.stderr.splitlines()[0] == "mvp:1.0: 3 of 4 runs to do, 1 done before"
