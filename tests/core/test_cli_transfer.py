"""``metalab export`` and ``metalab import``."""

from __future__ import annotations

import json
import sys

import pytest

import metalab
from metalab.cli import main


@metalab.operation
def measure(params, capture):
    capture.log(f"x is {params['x']}")
    capture.artifact("note", f"note {params['x']}")
    capture.metric("y", params["x"] * 2)


def experiment(name):
    return metalab.Experiment(
        name=name,
        version="1",
        context={},
        operation=measure,
        params=metalab.grid(x=[1, 2]),
        seeds=metalab.seeds(base=1),
    )


@pytest.fixture
def full(store):
    for name in ("first", "second"):
        metalab.run(experiment(name), store, progress=False).result()
    return store


@pytest.fixture
def other(tmp_path):
    return str(tmp_path / "other")


def test_a_store_is_exported_and_reads_as_before(full, other, capsys):
    assert main(["export", full, other]) == 0
    out, err = capsys.readouterr()
    assert out == f"copied 4 runs, 0 derived, 4 logs, 4 artifacts from {full} to {other}\n"
    assert err == ""
    for name in ("first:1", "second:1"):
        assert metalab.load_results(other, name).table() == metalab.load_results(full, name).table()


def test_the_counts_are_printed_as_json(full, other, capsys):
    words = ["export", full, other, "--experiment", "first:1", "--no-logs", "--no-artifacts"]
    assert main([*words, "--no-derived", "--json"]) == 0
    counts = {"runs": 2, "derived": 0, "logs": 0, "artifacts": 0, "problems": []}
    assert json.loads(capsys.readouterr().out) == counts


def test_importing_is_the_same_the_other_way_about(full, in_tmp, capsys):
    assert main(["import", full, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 4
    assert main(["import", full, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 0
    assert len(metalab.load_results(in_tmp / "experiments", "first:1")) == 2


def test_the_earlier_layout_is_imported_and_what_is_damaged_is_told(tmp_path, other, capsys):
    runs = tmp_path / "old" / "runs"
    runs.mkdir(parents=True)
    record = {"run_id": "ab", "experiment_id": "old:1", "status": "completed"}
    (runs / "ab.json").write_text(json.dumps(record))
    (runs / "cd.json").write_text("")
    assert main(["import", str(tmp_path / "old"), other]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("copied 1 runs")
    assert err == f"metalab: warning: {runs / 'cd.json'} is empty; it was skipped\n"
    assert metalab.load_results(other)[0].status == "success"


def test_many_problems_are_told_in_part(tmp_path, other, capsys):
    runs = tmp_path / "old" / "runs"
    runs.mkdir(parents=True)
    for number in range(25):
        (runs / f"{number:02}.json").write_text("")
    assert main(["import", str(tmp_path / "old"), other]) == 1
    assert capsys.readouterr().err.endswith("and 5 more; --json lists all\n")


@pytest.mark.parametrize("command", ["export", "import"])
def test_what_cannot_be_copied_is_one_line_and_1(command, full, other, tmp_path, capsys):
    for words, said in (
        ([full, full], "name another destination"),
        ([str(tmp_path / "none"), other], "there is no store at"),
        ([full, other, "--experiment", "x:1"], "no experiment 'x:1'"),
    ):
        assert main([command, *words]) == 1
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("metalab: error: ")
        assert said in err


def test_a_command_line_without_a_destination_is_no_export(full, capsys):
    assert main(["export", full]) == 2
    assert "DESTINATION" in capsys.readouterr().err


def test_progress_is_shown_on_a_terminal_and_removed(full, other, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["export", full, other]) == 0
    assert "2 of 2 runs" in capsys.readouterr().err
