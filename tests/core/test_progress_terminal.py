"""Progress on a terminal: what a person sees there of one launch."""

from __future__ import annotations

import re
import signal
import textwrap
import time

import pytest

from core.terminal_tools import STYLES, last_line, launched


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
                pause()
                subprocess.run([sys.executable, "-c", f"print('child', {turn})"])
            pause()
            shown.finish()
        """

        def drawn_below(turns):
            """The block is where it was pushed to: the next line goes where it stood before."""

            def holds(screen):
                above, block = screen.lines[: turns + 1], screen.lines[turns + 1 :]
                return (
                    above == [*(f"child {turn}" for turn in range(turns)), ""]
                    and block[1:] == ["  failed: ValueError: x"]
                    and block[0].startswith("alpha")
                )

            return holds

        with launched(script, style) as terminal:
            for turns in range(6):
                terminal.until(drawn_below(turns))
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
                handle = metalab.run(metalab.Experiment(name="wait", version="1", context={},
                    operation=wait, params=metalab.grid(x=[1, 2]), seeds=metalab.seeds(base=0)),
                    folder, progress=Progress(style=style))
                print("launched")
                handle.wait()
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: "1 running" in screen and "launched" in screen)
            terminal.interrupt()
            screen = terminal.finish(status=-signal.SIGINT)
            assert screen.is_cursor_shown
            assert (screen.row, screen.column) == (len(screen.rows) - 1, 0)
            assert not any("left" in line or "running" in line for line in screen.lines)
            assert last_line(terminal, "wait:1: ") == "wait:1: 1/2 runs, 1 cancelled, took"

    def test_a_second_ctrl_c_wipes_what_is_drawn(self, style):
        script = """
            import tempfile

            @metalab.operation
            def deaf():
                time.sleep(600)

            handle = metalab.run(metalab.Experiment(name="deaf", version="1", context={},
                operation=deaf, params=metalab.grid(x=[1]), seeds=metalab.seeds(base=0)),
                tempfile.mkdtemp(), progress=Progress(style=style))
            print("launched")
            handle.wait()
        """
        with launched(script, style) as terminal:
            terminal.until(lambda screen: "1 running" in screen and "launched" in screen)
            terminal.interrupt()
            terminal.until(lambda screen: "press Ctrl-C again" in screen)
            terminal.interrupt()
            screen = terminal.finish(status=130)
            assert screen.is_cursor_shown
            assert screen.column == 0
            assert "running" not in screen


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
        hidden = "sys.modules['rich'] = None\n"
        with launched(hidden + textwrap.dedent(self.SCRIPT), "auto") as terminal:
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
            from metalab.progress import surroundings
            surroundings._PATIENCE_DRAWN = 600.0  # whatever a moment is on a busy machine
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
