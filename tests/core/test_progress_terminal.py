"""Progress on a terminal: what a person sees there, whatever else is written on it."""

from __future__ import annotations

import io
import re
import textwrap
import time

import pytest

from core.terminal_tools import Terminal
from metalab.progress.board import board_on

STYLES = pytest.mark.parametrize("style", ["plain", "rich"])

SCRIPT = """
import sys, threading, time
import metalab
from metalab.events import Event
from metalab.progress import *

style = sys.argv[1]

def tracker(title, total=4, **settings):
    made = create_progress_tracker(Progress(style=style, title=title, **settings))
    made.start(total, 0, title)
    return made

def pause():
    sys.stdin.readline()

"""


def launched(script, style, **options):
    if style == "rich":
        pytest.importorskip("rich")
    return Terminal(SCRIPT + textwrap.dedent(script), arguments=[style], **options)


def last_line(terminal, start):
    return re.sub("took .*", "took", next(x for x in terminal.screen.lines if x.startswith(start)))


@STYLES
class TestOneLaunch:
    def test_it_shows_counts_metrics_and_causes_and_leaves_a_last_line(self, style):
        script = """
            shown = tracker("alpha", metrics=["loss"])
            shown(Event.run_started("a"))
            shown(Event.run_finished("a", metrics={"loss": 0.25}))
            shown(Event.run_failed("b", error="ValueError: [bad] rate"))
            shown(Event.run_failed("c", error="ValueError: [bad] rate"))
            shown(Event.run_retried("d", error="OSError: x"))
            shown(Event.run_started("d"))
            pause()
            shown(Event.run_finished("d", metrics={"loss": 0.5}))
            shown.finish()
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: "3/4 runs, 2 failed, 1 retried, 1 running" in screen)
            waiting, head, cause = terminal.screen.lines
            assert not waiting
            assert head.startswith("alpha")
            assert "loss 0.25" in head
            assert cause == "  failed, 2 runs: ValueError: [bad] rate"
            terminal.type()
            assert terminal.finish().lines == [
                "failed, 2 runs: ValueError: [bad] rate",
                terminal.screen.lines[1],
                "",
            ]
            assert (
                last_line(terminal, "alpha")
                == "alpha: 4/4 runs, 2 failed, 1 retried, loss 0.5, took"
            )

    def test_what_is_printed_stays_above_it(self, style):
        script = """
            shown = tracker("alpha")
            time.sleep(0.3)
            print("one\\ntwo")
            print("three ", end="")
            pause()
            print("four", file=sys.stderr)
            sys.stdout.write("five")
            shown.finish()
            print(" six")
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: "three" in screen and "alpha" in screen)
            assert terminal.screen.lines[:3] == ["one", "two", "three"]
            assert terminal.screen.lines[3].startswith("alpha")
            terminal.type()
            lines = terminal.finish().lines
            assert lines[:3] == ["one", "two", "three four"]
            assert lines[3].startswith("alpha: 0/4 runs, took")
            assert lines[4:] == ["five six", ""]

    def test_what_another_process_prints_pushes_it_down(self, style):
        script = """
            import subprocess
            shown = tracker("alpha")
            shown(Event.run_failed("b", error="ValueError: x"))
            for turn in range(5):
                time.sleep(0.5)
                subprocess.run([sys.executable, "-c", f"print('child', {turn})"])
            pause()
            shown.finish()
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: "child 4" in screen and not screen.lines[5])
            lines = terminal.screen.lines
            assert lines[:6] == [*(f"child {turn}" for turn in range(5)), ""]
            assert lines[6].startswith("alpha")
            assert lines[7:] == ["  failed: ValueError: x"]
            terminal.type()
            assert len(terminal.finish().lines) == 8

    def test_no_line_is_wider_than_the_terminal(self, style):
        script = """
            shown = tracker("a_long_name_of_an_experiment")
            shown(Event.run_failed("b", error="ValueError: " + 60 * "long "))
            shown(Event.run_started("a"))
            pause()
        """
        with launched(script, style, columns=30) as terminal:
            terminal.until(lambda screen: "failed: ValueError" in screen)
            time.sleep(0.5)
            terminal.type()
            assert max(len(line) for line in terminal.finish().lines) == 29

    def test_ctrl_c_leaves_a_clean_terminal(self, style):
        script = """
            @metalab.operation
            def wait(runtime):
                while not runtime.should_stop:
                    time.sleep(0.01)
                runtime.check_cancelled()

            import tempfile
            with tempfile.TemporaryDirectory() as folder:
                metalab.run(metalab.Experiment(name="wait", version="1", context={},
                    operation=wait, params=metalab.grid(x=[1, 2]), seeds=metalab.seeds(base=0)),
                    folder, progress=Progress(style=style)).wait()
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: "1 running" in screen)
            terminal.interrupt()
            terminal.process.wait(30)
            while terminal.process.poll() is None or terminal._read(0.2):
                pass
            screen = terminal.screen
            assert screen.is_cursor_shown
            assert (screen.row, screen.column) == (len(screen.rows) - 1, 0)
            assert not any("left" in line or "running" in line for line in screen.lines)
            assert last_line(terminal, "wait:1: ") == "wait:1: 1/2 runs, 1 cancelled, took"

    def test_a_second_ctrl_c_wipes_what_is_drawn(self, style):
        script = """
            import tempfile

            @metalab.operation
            def deaf():
                time.sleep(60)

            metalab.run(metalab.Experiment(name="deaf", version="1", context={},
                operation=deaf, params=metalab.grid(x=[1]), seeds=metalab.seeds(base=0)),
                tempfile.mkdtemp(), progress=Progress(style=style)).wait()
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: "1 running" in screen)
            terminal.interrupt()
            terminal.until(lambda screen: "press Ctrl-C again" in screen)
            terminal.interrupt()
            screen = terminal.finish(status=130)
            assert screen.is_cursor_shown
            assert screen.column == 0
            assert "running" not in screen


@STYLES
class TestSeveralLaunches:
    def test_they_have_a_block_each_and_end_in_any_order(self, style):
        script = """
            first, second, third = tracker("first"), tracker("second", 1), tracker("third")
            second(Event.run_failed("a", error="ValueError: x"))
            pause()
            second.finish()
            print("between")
            pause()
            fourth = tracker("fourth")
            first.finish()
            third.finish()
            fourth.finish()
            print("after")
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: "third" in screen and "  failed: ValueError: x" in screen)
            starts = [line.split()[0].rstrip(":") for line in terminal.screen.lines[1:]]
            assert starts == ["first", "second", "failed", "third"]
            terminal.type()
            terminal.until(lambda screen: "between" in screen and "third" in screen)
            lines = [line for line in terminal.screen.lines if line]
            assert [line.split()[0].rstrip(":") for line in lines] == [
                *["failed", "second", "between", "first", "third"]
            ]
            terminal.type()
            lines = terminal.finish().lines
            assert [line.split(":")[0] for line in lines] == [
                *["failed", "second", "between", "first", "third", "fourth", "after", ""]
            ]

    def test_launches_on_many_threads_garble_nothing(self, style):
        script = """
            def work(name):
                for turn in range(5):
                    shown = tracker(f"{name}-{turn}", 50)
                    for number in range(50):
                        shown(Event.run_finished(str(number)))
                        if not number % 10:
                            print(f"said {name}-{turn} {number}\\n", end="")
                            time.sleep(0.01)
                    shown.finish()

            threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print(sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__)
        """
        with launched(script, style) as terminal:
            lines = terminal.finish().lines
            said = {
                f"said {n}-{t} {r}" for n in range(6) for t in range(5) for r in range(0, 50, 10)
            }
            ended = [line for line in lines if "50/50 runs, took" in line]
            assert said <= set(lines)
            assert len(ended) == 30
            assert len(lines) == len(said) + len(ended) + 2
            assert lines[-2:] == ["True True", ""]

    def test_real_launches_show_the_runs_that_take_long(self, style):
        script = """
            import tempfile
            from metalab.progress import tally
            tally._LONG = 0.3

            @metalab.operation
            def wait(params, runtime):
                while params["wait"] and not runtime.should_stop:
                    time.sleep(0.01)

            def launch(name, folder):
                return metalab.run(metalab.Experiment(name=name, version="1", context={},
                    operation=wait, params=metalab.grid(wait=[0, 1], other=[5]),
                    seeds=metalab.seeds(base=0)), folder, progress=Progress(style=style))

            with tempfile.TemporaryDirectory() as folder:
                handles = [launch(name, folder) for name in ("first", "second")]
                pause()
                for handle in handles:
                    handle.cancel()
                    handle.wait()
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: str(screen.lines).count("  wait=1: ") == 2)
            lines = [line for line in terminal.screen.lines if line]
            assert [line.split()[0].rstrip(":") for line in lines] == [
                *["first:1", "wait=1", "second:1", "wait=1"]
            ]
            terminal.type()
            terminal.finish()
            assert "wait=1" not in terminal.screen
            assert last_line(terminal, "second").startswith("second:1: 2/2 runs")


@STYLES
class TestOthersOnTheTerminal:
    def test_a_bar_of_someone_else_gets_the_terminal(self, style):
        script = """
            shown = tracker("alpha")
            time.sleep(0.5)
            for step in range(3):
                sys.stderr.write(f"\\rtheir bar {step}")
                time.sleep(0.3)
            sys.stderr.write("\\n")
            shown.finish()
        """
        with launched(script, style) as terminal:
            lines = terminal.finish().lines
            assert lines[0] == "their bar 2"
            assert lines[1].startswith("alpha: 0/4 runs, took")
            assert len(lines) == 3

    @pytest.mark.parametrize("first", ["theirs", "ours"])
    def test_a_live_display_of_rich_is_left_alone(self, style, first):
        pytest.importorskip("rich")
        script = f"""
            from rich.progress import Progress as Theirs, TextColumn
            theirs = Theirs(TextColumn("their display"))
            theirs.add_task("")
            if {first == "theirs"}:
                theirs.start()
            shown = tracker("alpha")
            time.sleep(0.5)
            if {first == "ours"}:
                theirs.start()
            shown(Event.run_failed("a", error="ValueError: x"))
            time.sleep(0.8)
            shown.finish()
            theirs.stop()
        """
        with launched(script, style) as terminal:
            lines = [line for line in terminal.finish().lines if line]
            assert lines[-1] == "their display"
            assert lines.count("their display") == 1
            assert "failed: ValueError: x" in lines
            assert lines[-2].startswith("alpha: 1/4 runs, 1 failed, took")

    def test_a_forked_child_draws_nothing_and_prints_as_ever(self, style):
        script = """
            import os
            shown = tracker("alpha")
            time.sleep(0.3)
            if not os.fork():
                print("", sys.stdout is sys.__stdout__)
                sys.stdout.flush()
                os._exit(0)
            os.wait()
            shown.finish()
        """
        with launched(script, style) as terminal:
            screen = terminal.finish()
            assert "True" in screen
            assert any(line.startswith("alpha: 0/4 runs, took") for line in screen.lines)


class TestSurroundings:
    SCRIPT = """
        shown = tracker("alpha")
        time.sleep(0.5)
        shown(Event.run_failed("b", error="ValueError: x"))
        time.sleep(0.5)
        shown.finish()
    """

    @pytest.mark.parametrize("environ", [{"CI": "1"}, {"TERM": "dumb"}])
    def test_nothing_is_drawn_where_that_makes_no_sense(self, environ):
        with launched(self.SCRIPT, "auto", **environ) as terminal:
            lines = terminal.finish().lines
            assert "\x1b" not in terminal.raw
            assert lines[:2] == ["alpha: 4 of 4 runs to do", "failed: ValueError: x"]
            assert lines[2].startswith("alpha: 1/4 runs, 1 failed, took")
            assert len(lines) == 4

    def test_no_color_takes_the_colours_away_and_nothing_else(self):
        pytest.importorskip("rich")
        for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            with launched(self.SCRIPT, "auto", **environ) as terminal:
                terminal.finish()
                assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.raw)) is coloured
                assert "\x1b[J" in terminal.raw

    def test_without_rich_it_is_drawn_without_colours(self):
        hidden = "import sys\nsys.modules['rich'] = None\n"
        script = hidden + SCRIPT + textwrap.dedent(self.SCRIPT)
        with Terminal(script, arguments=["auto"]) as terminal:
            screen = terminal.finish()
            assert screen.colours == 0
            assert "\x1b[J" in terminal.raw
            assert screen.lines[0] == "failed: ValueError: x"
            assert last_line(terminal, "alpha") == "alpha: 1/4 runs, 1 failed, took"

    def test_standard_output_keeps_to_the_script(self):
        script = """
            shown = tracker("alpha")
            print("result")
            shown.finish()
        """
        with launched(script, "auto", output=False) as terminal:
            terminal.finish()
            assert terminal.process.stdout.read() == "result\n"
            assert "result" not in terminal.screen

    def test_a_launch_that_is_over_in_a_moment_leaves_no_trace(self):
        script = """
            shown = create_progress_tracker(None)
            shown.start(1, 0, "alpha")
            shown(Event.run_finished("a"))
            shown.finish()
        """
        with launched(script, "auto") as terminal:
            assert terminal.finish().lines == [""]

    def test_more_launches_than_the_terminal_has_lines_are_told_as_so_many(self):
        script = """
            trackers = [tracker(f"number {n}") for n in range(40)]
            pause()
            for each in trackers: each.finish()
        """
        with launched(script, "plain") as terminal:
            terminal.until(lambda screen: "... and 19 more" in screen)
            assert len(terminal.screen.lines) == 23
            terminal.type()
            assert len(terminal.finish().lines) == 41


class TestFaults:
    def test_a_stream_that_fails_costs_the_others_nothing(self):
        class Failing(io.StringIO):
            broken = False

            def write(self, part):
                if self.broken:
                    raise BrokenPipeError("the pipe is closed")
                return super().write(part)

        stream = Failing()
        board = board_on(stream, "one")
        board.show("one", ["a line"])
        stream.broken = True
        with pytest.raises(BrokenPipeError):
            board.remove("one", ["the last"])
        assert not board.is_live
        stream.broken = False
        assert board_on(stream, "two") is not board
        board_on(stream, "two").remove("two")
