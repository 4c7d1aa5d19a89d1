"""How far a command is: drawn on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time

import pytest

from metalab.cli.meter import Meter


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_on_a_terminal_one_line_is_drawn_and_taken_away(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Meter("rebuilding") as meter:
        meter(1, 4096)
        assert capsys.readouterr().err == ""
        clock[0] += 0.2
        meter(1024, 4096)
        assert capsys.readouterr().err == "\r\x1b[Krebuilding: 25 % of 4.0 KiB"
    assert capsys.readouterr().err == "\r\x1b[K"


def test_elsewhere_a_line_is_written_now_and_then(clock, capsys):
    with Meter("rebuilding") as meter:
        clock[0] += 0.2
        meter(1024, 4096)
        clock[0] += 10
        meter(2048, 4096)
        meter(4096, 4096)
    assert capsys.readouterr().err == "rebuilding: 50 % of 4.0 KiB\n"


def test_nothing_to_do_is_no_error(clock, capsys):
    with Meter("rebuilding") as meter:
        clock[0] += 60
        meter(0, 0)
    assert "0 %" in capsys.readouterr().err
