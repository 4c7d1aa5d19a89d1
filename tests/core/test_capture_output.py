"""Output: what a run prints is kept beside its log, and still shown."""

# ruff: noqa: T201 - printing is under test

from __future__ import annotations

import sys
import threading

import pytest

from metalab.capture import Capture, MemoryWriter
from metalab.errors import StoreError
from metalab.records import RunRecord

RUN = "ab" * 16


class FullWriter(MemoryWriter):
    def append_log(self, record, text, name="run"):
        raise StoreError("no space left on device")


def capture_of(run, writer=None):
    return Capture(RunRecord.running(run_id=run), writer or MemoryWriter())


def printed(capture, stream="stdout"):
    return capture.writer.logs.get((capture._run.run_id, stream), [])


def test_is_kept_and_shown(capsys):
    with capture_of(RUN) as capture:
        capture.subscribe_output()
        print("one")
        print("two", "three", sep="\n")
        sys.stderr.write("oh\n")
        sys.stdout.writelines(["four\n", "five\n"])
    assert printed(capture) == ["one", "two", "three", "four", "five"]
    assert printed(capture, "stderr") == ["oh"]
    assert capsys.readouterr() == ("one\ntwo\nthree\nfour\nfive\n", "oh\n")


def test_is_not_kept_unless_asked_for(capsys):
    with capture_of(RUN) as capture:
        print("one")
    assert capture.warnings == []
    assert printed(capture) == []


def test_streams_are_restored_at_the_end():
    before = sys.stdout, sys.stderr
    with capture_of(RUN) as capture:
        capture.subscribe_output()
        capture.subscribe_output()
        assert sys.stdout is not before[0]
        assert sys.stdout.encoding == before[0].encoding
    assert (sys.stdout, sys.stderr) == before


def test_can_be_taken_back(capsys):
    with capture_of(RUN) as capture:
        capture.subscribe_output()
        print("one")
        capture.unsubscribe_output()
        print("two")
        capture.unsubscribe_output()
    assert printed(capture) == ["one"]


def test_a_line_without_an_end_is_kept_at_the_end(capsys):
    with capture_of(RUN) as capture:
        capture.subscribe_output()
        print("half", end="")
        assert printed(capture) == []
    assert printed(capture) == ["half"]


def test_a_progress_bar_is_kept_as_last_drawn(capsys):
    with capture_of(RUN) as capture:
        capture.subscribe_output()
        sys.stdout.write("\r 10 %\r 50 %")
        sys.stdout.write("\r100 %\nnext\r\n")
    assert printed(capture) == ["100 %", "next"]


def test_text_that_no_file_can_hold_is_kept_readable(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with capture_of(RUN) as capture:
        capture.subscribe_output()
        sys.stdout.write("\ud800\n")
    assert sys.stdout is None
    assert printed(capture) == [r"\ud800"]


def test_of_runs_in_threads_never_mixes(capsys):
    barrier = threading.Barrier(3)
    captures = {}

    def work(mark, listens):
        with capture_of(mark * 32) as capture:
            captures[mark] = capture
            if listens:
                capture.subscribe_output()
            barrier.wait()
            for _ in range(100):
                print(mark)
            barrier.wait()

    threads = [threading.Thread(target=work, args=args) for args in (("a", 1), ("b", 1), ("c", 0))]
    before = sys.stdout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert printed(captures["a"]) == ["a"] * 100
    assert printed(captures["b"]) == ["b"] * 100
    assert printed(captures["c"]) == []
    assert sys.stdout is before


def test_a_stream_that_somebody_else_put_in_place_stays(monkeypatch, capsys):
    mine = object()
    before = sys.stdout
    with capture_of(RUN) as capture:
        capture.subscribe_output()
        monkeypatch.setattr(sys, "stdout", mine)
    assert sys.stdout is mine
    monkeypatch.setattr(sys, "stdout", before)


def test_trouble_with_the_store_becomes_a_warning(capsys):
    with capture_of(RUN, FullWriter()) as capture:
        capture.subscribe_output()
        print("one")
        print("two")
    assert capture.warnings == ["the log of stdout lacks lines: no space left on device"]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_is_of_the_stream_it_was_printed_to(stream, capsys):
    with capture_of(RUN) as capture:
        capture.subscribe_output()
        print("x", file=getattr(sys, stream))
    assert printed(capture, stream) == ["x"]
    assert set(capture.writer.logs) == {(RUN, stream)}
