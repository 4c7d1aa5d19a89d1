"""Progress: what a launch's events look like on a terminal, in a file, and with rich."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import textwrap
import threading
import time

from metalab.errors import MissingExtraError
from metalab.events import Event, EventKind
from metalab.progress import (
    LaunchView,
    Progress,
    ProgressTracker,
    SimpleProgressTracker,
    create_progress_tracker,
    surroundings,
)
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


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now, asked = 0.0, 0

    def __call__(self):
        self.asked += 1
        return self.now


def eventually(holds, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


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

    def test_a_patient_tracker_says_nothing_of_a_short_success(self, monkeypatch):
        monkeypatch.setattr(surroundings, "_PATIENCE_WRITTEN", 600.0)
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream, patient=True)
        tracker.start(1, 0, "mvp:1.0")
        tracker(Event.run_finished("a"))
        tracker.finish()
        assert not stream.getvalue()

    def test_a_patient_tracker_tells_failures_at_any_rate(self, monkeypatch):
        monkeypatch.setattr(surroundings, "_PATIENCE_WRITTEN", 600.0)
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
        monkeypatch.setattr(LiveTracker, "interval", 0.01)
        clock = Clock()
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream, patient=True)
        monkeypatch.setattr(tracker._tally, "_clock", clock)
        tracker.start(1, 0, "slow:1")
        clock.now, asked = 1.9, clock.asked
        eventually(lambda: clock.asked > asked + 10)  # several drawings later
        assert not stream.getvalue()
        clock.now = 2.0
        eventually(lambda: stream.getvalue() == "slow:1: 1 of 1 runs to do\n")
        tracker.finish()

    def test_a_file_gets_a_line_now_and_then_and_not_with_each_event(self, monkeypatch):
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.setattr(surroundings, "_PAUSE", 0.1)
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

    def test_five_causes_are_told_as_they_happen_and_all_are_counted_at_the_end(self, monkeypatch):
        monkeypatch.setattr(LiveTracker, "interval", 0.01)
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream)
        tracker.start(100, 0, "e:1")
        for number in range(5):
            tracker(Event.run_failed(str(number), error=f"KeyError: {number}"))
        eventually(lambda: stream.getvalue().count("failed: KeyError") == 5)
        for number in range(5, 100):
            tracker(Event.run_failed(str(number), error=f"KeyError: {number % 8}"))
        tracker.finish()
        told = [line for line in stream.getvalue().splitlines() if line.startswith("failed")]
        assert told == [
            *[f"failed: KeyError: {number}" for number in range(5)],
            *[f"failed, 13 runs: KeyError: {number}" for number in range(4)],
            "failed, 12 runs: KeyError: 4",
            "failed, 3 more causes",
        ]

    def test_a_cause_is_told_once_if_it_came_once(self):
        stream = io.StringIO()
        tracker = SimpleProgressTracker(stream=stream)
        tracker.start(1, 0, "e:1")
        tracker(Event.run_failed("a", error="ValueError: x"))
        tracker.finish()
        assert stream.getvalue().count("ValueError: x") == 1

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


class TestFollowing:
    def test_counts_are_asked_for_at_each_drawing_and_no_run_that_goes_well_is_an_event(self):
        stream, counts = io.StringIO(), {"completed": 0, "failed": 0, "cancelled": 0, "running": 0}
        tracker = SimpleProgressTracker(stream=stream)
        kinds = tracker.follow(LaunchView(lambda: counts))
        assert {EventKind.RUN_STARTED, EventKind.RUN_FINISHED}.isdisjoint(kinds)
        assert EventKind.RUN_FAILED in kinds
        tracker.start(3, 0, "e:1")
        counts |= {"completed": 2, "failed": 1}
        tracker(Event.run_failed("c", error="ValueError: x"))
        tracker.finish()
        last = stream.getvalue().splitlines()[-1]
        assert last.startswith("e:1: 3/3 runs, 1 failed, took ")
        assert "failed: ValueError: x" in stream.getvalue()

    def test_who_shows_metrics_hears_of_every_success_and_counts_none_twice(self):
        stream, counts = io.StringIO(), {"completed": 0, "failed": 0, "cancelled": 0, "running": 0}
        tracker = SimpleProgressTracker(Progress(metrics=["loss"]), stream=stream)
        assert EventKind.RUN_FINISHED in tracker.follow(LaunchView(lambda: counts))
        tracker.start(3, 0, "e:1")
        counts |= {"completed": 1}
        tracker(Event.run_finished("a", metrics={"loss": 0.5}))
        tracker.finish()
        assert "e:1: 1/3 runs, loss 0.5, took" in stream.getvalue()

    def test_a_users_tracker_hears_of_everything_unless_it_chooses(self, caplog):
        class Mine(ProgressTracker):
            def start(self, total, skipped=0, title=""):
                raise AssertionError("told after it failed")

            __call__ = finish = start

        class Broken(Mine):
            def follow(self, counts):
                raise KeyError("mine")

        assert create_progress_tracker(Mine()).follow(LaunchView(dict)) == frozenset(EventKind)
        tracker = create_progress_tracker(Broken())
        with caplog.at_level(logging.ERROR, "metalab.progress"):
            assert tracker.follow(LaunchView(dict)) == frozenset()
            tracker.start(1, 0, "e:1")
        assert len(caplog.records) == 1


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
        entered, leave = threading.Event(), threading.Event()

        class Stuck(io.StringIO):
            def write(self, part):
                if threading.current_thread() is not threading.main_thread():
                    entered.set()
                    leave.wait()
                return super().write(part)

        monkeypatch.delenv("CI", raising=False)
        monkeypatch.setattr(surroundings, "_PAUSE", 0.0)
        monkeypatch.setattr(LiveTracker, "interval", 0.001)
        stream = Stuck()
        tracker = SimpleProgressTracker(stream=stream)
        tracker.start(500, 0, "e:1")
        assert entered.wait(60)
        launch = threading.Thread(
            target=lambda: [tracker(Event.run_finished(str(number))) for number in range(500)],
            daemon=True,
        )
        launch.start()
        launch.join(60)
        is_through = not launch.is_alive()  # though a line is still being written
        leave.set()
        assert is_through
        tracker.finish()
        assert "e:1: 500/500 runs" in stream.getvalue()


class TestRich:
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


class TestStreams:
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
