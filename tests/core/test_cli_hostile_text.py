"""Texts of runs that would command a terminal, in the tables that commands print."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import metalab
from metalab.cli import main

HOSTILE = ["\x1b[31mred", "\x9b2J", "\x07bell", "\u202etxt", "[red]", "[/]"]


@metalab.operation
def echo(params):
    if params["text"] == "[/]":
        raise ValueError("\x1b[2Jwiped")
    return {"y": 1.0}


@pytest.fixture
def hostile(store):
    """A store with a run for each hostile text."""
    experiment = metalab.Experiment(
        name="hostile",
        version="1",
        context={},
        operation=echo,
        params=metalab.grid(text=HOSTILE),
        seeds=metalab.seeds(base=1),
    )
    metalab.run(experiment, store, progress=False).wait()
    return store


def test_no_text_of_a_run_commands_a_terminal(hostile, capsys):
    assert main(["ls", str(hostile), "-e", "hostile:1"]) == 0
    out = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(out)
    assert all(shown in out for shown in (r"\x1b[31mred", r"\x9b2J", r"\u202etxt", "[red]", "[/]"))


def test_a_run_is_shown_without_commands_to_a_terminal(hostile, capsys):
    red, *_, failed = metalab.load_results(hostile)
    for run in (red, failed):
        assert main(["show", run.run_id, "--store", str(hostile)]) == 0
    # As diff does: 1 says that they differ.
    assert main(["diff", red.run_id, failed.run_id, "--store", str(hostile)]) == 1
    out = capsys.readouterr().out
    assert not {"\x1b", "\x9b"} & set(out)
    assert r"\x1b[31mred" in out
    assert r"ValueError: \x1b[2Jwiped" in out


def test_programs_read_the_text_as_it_is(hostile, capsys):
    assert main(["ls", str(hostile), "-e", "hostile:1", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    assert [each["params"]["text"] for each in runs] == HOSTILE


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_terminal_shows_the_escapes_and_a_dumb_one_plain_text(hostile, term):
    leader, follower = os.openpty()
    words = [sys.executable, "-m", "metalab", "ls", str(hostile), "-e", "hostile:1"]
    environ = {**os.environ, "TERM": term, "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"}
    subprocess.run(words, stdout=follower, env=environ, check=True, timeout=60)
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert "\x1b[31mred" not in shown
    assert r"\x1b[31mred" in shown
    assert "[/]" in shown
    # rich rules a line below the header, plain text has none.
    assert ("─" in shown) == (term == "xterm")
