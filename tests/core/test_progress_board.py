"""Progress of several launches, and of others, on one terminal."""

from __future__ import annotations

import io

import pytest

from core.terminal_tools import STYLES, last_line, launched
from metalab.progress.board import board_on


class Failing(io.StringIO):
    broken = False

    def write(self, part):
        if self.broken:
            raise BrokenPipeError("the pipe is closed")
        return super().write(part)


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
            # Those that wait for nothing may take long, too, and end.
            terminal.until(
                lambda screen: (
                    [line.split()[0].rstrip(":") for line in screen.lines if line]
                    == ["first:1", "wait=1", "second:1", "wait=1"]
                )
            )
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


class TestFaults:
    def test_a_stream_that_fails_costs_the_others_nothing(self):
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

    def test_who_prints_does_not_pay_for_a_terminal_that_is_gone(self):
        stream, output = Failing(), io.StringIO()
        board = board_on(stream, "one")
        board.show("one", ["a line"])
        stream.broken = True
        board.write(output, "printed\n")
        assert output.getvalue() == "printed\n"
        assert not board.is_live
