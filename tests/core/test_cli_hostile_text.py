"""Texts of runs that would command a terminal, in the tables that commands print."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import metalab
from core.terminal_tools import Terminal, read_to_end
from metalab.cli import main

COMMANDING = {"\x1b", "\x9b", "\x07", "\u202e", "\x08"}
LOGGED = "a\x1b[2Jb\x08\x9b2Jc"
HOSTILE = ["\x1b[31mred", "\x9b2J", "\x07bell", "\u202etxt", "[red]", "[/]"]


@metalab.operation
def echo(params, capture):
    capture.log(LOGGED)
    if params["text"] == "[/]":
        raise ValueError("\x1b[2Jwiped")
    capture.metric("y", 1.0)
    capture.metric("\x1b[3Jname", "\x1b]0;title\x07")


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
    assert not COMMANDING & set(out)
    assert all(shown in out for shown in (r"\x1b[31mred", r"\x9b2J", r"\u202etxt", "[red]", "[/]"))


def test_a_run_is_shown_without_commands_to_a_terminal(hostile, capsys):
    red, *_, failed = metalab.load_results(hostile)
    for run in (red, failed):
        assert main(["show", run.run_id, "--store", str(hostile)]) == 0
    # As diff does: 1 says that they differ.
    assert main(["diff", red.run_id, failed.run_id, "--store", str(hostile)]) == 1
    out = capsys.readouterr().out
    assert not COMMANDING & set(out)
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
    shown = read_to_end(leader)
    assert "\x1b[31mred" not in shown
    assert r"\x1b[31mred" in shown
    assert "[/]" in shown
    # rich rules a line below the header, plain text has none.
    assert ("─" in shown) == (term == "xterm")


COMMAND = "import sys; from metalab.cli import main; sys.exit(main(sys.argv[1:]))"
# What a run, its folder and its launch are called is filled in.
READING = {
    "ls": (r"\x1b[31mred", ["ls", "{store}", "-e", "hostile:1"]),
    "columns": (r"\x07bell", ["ls", "{store}", "-e", "hostile:1", "--columns", "text"]),
    "status": (r"ValueError: \x1b[2Jwiped", ["status", "{store}"]),
    "show": (r"\x1b[3Jname", ["show", "{run}", "--store", "{store}"]),
    "provenance": ("checkout", ["show", "{run}", "--provenance", "--store", "{store}"]),
    "diff": (r"\x1b[31mred", ["diff", "{run}", "{failed}", "--store", "{store}"]),
    "logs": (r"a\x1b[2Jb\x08\x9b2Jc", ["logs", "{run}", "--store", "{store}"]),
    "watch": (r"failed: ValueError: \x1b[2Jwiped", ["watch", "{store}"]),
}


@pytest.mark.parametrize("name", READING)
def test_no_command_lets_a_text_command_a_terminal(name, hostile):
    red, *_, failed = metalab.load_results(hostile)
    told, words = READING[name]
    given = {"store": str(hostile), "run": red.run_id, "failed": failed.run_id}
    # A dumb terminal is drawn on by nobody: whatever commands it comes from a text.
    terminal = Terminal(
        COMMAND, arguments=[w.format(**given) for w in words], TERM="dumb", columns=400
    )
    with terminal:
        terminal.finish(status=int(name == "diff"))
    assert not COMMANDING & set(terminal.raw)
    assert told in terminal.raw.replace("\r\n", "")


@pytest.mark.parametrize("name", ["ls", "status", "watch"])
def test_what_is_drawn_on_a_terminal_holds_no_command_of_a_text(name, hostile):
    told, words = READING[name]
    with Terminal(
        COMMAND, arguments=[w.format(store=hostile) for w in words], columns=200
    ) as terminal:
        terminal.finish()
    assert not [text for text in ("\x1b[2J", "\x1b[3J", "\x9b", "\u202e") if text in terminal.raw]
    assert told in terminal.screen


def test_a_log_is_exact_where_no_terminal_reads_it(hostile):
    run, *_ = metalab.load_results(hostile)
    words = [sys.executable, "-m", "metalab", "logs", run.run_id, "--store", str(hostile)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    assert done.stdout.endswith(LOGGED.encode() + b"\n")


def test_warnings_and_errors_command_no_terminal(hostile, tmp_path, capsys):
    place = tmp_path / "\x1b[2Jgone"
    assert main(["ls", str(place)]) == 1
    place.mkdir()
    assert main(["ls", str(place), "--debug"]) == 1
    assert main(["export", str(hostile), str(place / "copy")]) == 0
    assert main(["fsck", str(place / "copy")]) == 0
    out, err = capsys.readouterr()
    assert not COMMANDING & set(out + err)
    assert r"\x1b[2Jgone" in err
    assert "Traceback" in err


STUDY = """
import metalab

@metalab.operation
def echo(params, capture):
    capture.metric("\\x1b[3Jname", 1.0)
    if params["\\x1b[2Jx"] == 2:
        raise ValueError("\\x1b[2Jwiped\\u202e")

experiment = metalab.Experiment(
    name="hostile", version="1", context={}, operation=echo,
    params=metalab.manual([{"\\x1b[2Jx": 1}, {"\\x1b[2Jx": 2}]), seeds=metalab.seeds(base=1),
)
"""


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_launch_and_what_is_shown_of_it_command_no_terminal(term, in_tmp):
    (in_tmp / "study.py").write_text(STUDY)
    command = "import metalab; metalab.load_results('experiments').display()"
    with Terminal(COMMAND, arguments=["run", "study.py"], TERM=term, columns=300) as terminal:
        terminal.finish(1)
    assert "wiped" in terminal.raw
    with Terminal(command, TERM=term, columns=300) as shown:
        shown.finish()
    assert r"\x1b[2Jx" in shown.raw
    for text in ("\x1b[2J", "\x1b[3J", "\u202e"):
        assert text not in terminal.raw + shown.raw
