"""``--csv``: what ls, status and show print for programs that read tables."""

from __future__ import annotations

import csv
import io
import os
import pty
import subprocess
import sys

import pytest

import metalab
from core.terminal_tools import read_to_end
from metalab.cli import main

FORMULA = "=1+1"
HOSTILE = 'two\nlines, "quoted"\r\x1b[2J\u202e'
PARAMS = [FORMULA, HOSTILE, "é"]


@metalab.operation
def measure(params, capture):
    capture.metric("y", 0.1 + 0.2)
    if params["text"] == "é":
        raise ValueError(HOSTILE)


def double(run):
    return {"twice": run.metrics["y"] * 2}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = str(tmp_path_factory.mktemp("store"))
    experiment = metalab.Experiment(
        name="told",
        version="1",
        context={},
        operation=measure,
        params=metalab.grid(text=PARAMS, shape=[[1, None]]),
        seeds=metalab.seeds(base=1),
    )
    metalab.run(experiment, place, progress=False).wait()
    return place


def printed(*words):
    """What a command writes into a pipe, byte for byte."""
    command = [sys.executable, "-m", "metalab", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_runs_are_written_as_the_file_of_their_results_is(place, tmp_path):
    file = metalab.load_results(place).to_csv(tmp_path / "runs.csv")
    assert printed("ls", place, "-e", "told", "--csv") == file.read_bytes()


def test_values_are_exact_formulas_and_controls_too(place, capsys):
    assert main(["ls", place, "-e", "told", "--csv"]) == 0
    found = rows(capsys.readouterr().out)
    assert [each["param_text"] for each in found] == PARAMS
    assert float(found[0]["y"]) == 0.1 + 0.2
    assert found[0]["param_shape"] == "[1,null]"
    assert found[0]["error"] == ""


def test_columns_are_those_that_are_named(place, capsys):
    words = ["ls", place, "-e", "told", "--columns", "text,y", "--sort=-text", "--csv"]
    assert main([*words, "--limit", "2"]) == 0
    found = rows(capsys.readouterr().out)
    assert [list(each) for each in found] == [["text", "y"]] * 2
    assert [each["text"] for each in found] == ["é", HOSTILE]
    assert main([*words, "--where", "y > 7"]) == 0
    assert capsys.readouterr().out == "text,y\n"


def test_experiments_are_lines_of_counts(place, capsys):
    for command in ("ls", "status"):
        assert main([command, place, "--csv"]) == 0
        (only,) = rows(capsys.readouterr().out)
        assert (only["experiment_id"], only["runs"], only["failed"]) == ("told:1", "3", "1")
        assert (only["lost"], only["changed"][-6:]) == ("0", "+00:00")


def test_a_run_is_one_line_with_what_was_derived_of_it(place, capsys):
    results = metalab.load_results(place)
    results.filter(status="success").compute_derived(double)
    assert main(["show", results[0].run_id[:12], "--store", place, "--csv"]) == 0
    (only,) = rows(capsys.readouterr().out)
    assert (only["run_id"], only["param_text"]) == (results[0].run_id, FORMULA)
    assert float(only["derived_twice"]) == (0.1 + 0.2) * 2


@pytest.mark.parametrize("command", [["ls"], ["status"], ["show", "0"]])
def test_two_formats_exclude_each_other(command, capsys):
    assert main([*command, "--json", "--csv"]) == 2
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--provenance", "--diff"])
def test_what_is_no_table_has_no_csv(place, option, capsys):
    assert main(["show", "0", "--store", place, option, "--csv"]) == 2
    assert "CSV" in capsys.readouterr().err.upper()


def test_a_terminal_is_shown_no_command_and_all_rows(place):
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "metalab", "ls", place, "-e", "told", "--csv"]
    subprocess.run(command, stdout=follower, check=True, timeout=60)
    os.close(follower)
    shown = read_to_end(leader)
    assert not {"\x1b", "\u202e"} & set(shown)
    assert r"\x1b[2J\u202e" in shown
