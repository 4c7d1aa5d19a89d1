"""The reading commands: ls, show, logs and status, as text and as strict JSON."""

from __future__ import annotations

import json
import math
import time

import pytest

import metalab
from metalab.cli import main
from metalab.cli.collection import short_ids


@metalab.operation
def measure(params, seeds, capture):
    capture.log(f"x is {params['x']}")
    if params["x"] == 3:
        raise ValueError("three is\ntoo many")
    capture.metric("y", params["x"] * 2)
    capture.artifact("note", "a note")
    capture.metric("loss", 0.5, step=0)


@metalab.operation
def strange(params):
    return {"nan": math.nan, "big": 2**70}


def experiment(name="first", operation=measure, **params):
    return metalab.Experiment(
        name=name,
        version="1",
        context={},
        operation=operation,
        params=metalab.grid(**(params or {"x": [1, 2, 3]})),
        seeds=metalab.seeds(base=1),
        tags=["demo"],
    )


@pytest.fixture
def full(store):
    """A store with two experiments: one of three runs, of which one failed, and one of two."""
    metalab.run(experiment(), store, progress=False).wait()
    metalab.run(experiment("second", x=[1, 4]), store, progress=False).wait()
    return store


@pytest.fixture
def said(capsys):
    """Run a command that succeeds and return what it printed."""

    def said(*words):
        assert main([*words]) == 0, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return said


@pytest.fixture
def refused(capsys):
    """Run a command that fails with 1 and return its one line."""

    def refused(*words):
        assert main([*words]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("metalab: error: ")
        return err.removeprefix("metalab: error: ").strip()

    return refused


def strict(text):
    """Parse JSON that any other program reads the same."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def only(store, experiment_id="first:1", **fields):
    (run,) = metalab.load_results(store, experiment_id).filter(**fields)
    return run


class TestLs:
    def test_experiments_with_their_runs_by_status(self, full, said):
        header, first, second = (line.split() for line in said("ls", full).splitlines())
        assert header[:4] == ["experiment", "runs", "success", "failed"]
        assert first[:4] == ["first:1", "3", "2", "1"]
        assert second[:3] == ["second:1", "2", "2"]

    def test_experiments_as_json(self, full, said):
        first, second = strict(said("ls", full, "--json"))
        assert {key: first[key] for key in ("experiment_id", "runs", "success", "failed")} == {
            "experiment_id": "first:1",
            "runs": 3,
            "success": 2,
            "failed": 1,
        }
        assert first["changed"] <= second["changed"]

    def test_the_last_change_is_when_a_run_ended_last(self, full, said):
        (first, _) = strict(said("ls", full, "--json"))
        runs = metalab.load_results(full, "first:1")
        assert first["changed"] == max(run.finished_at.isoformat() for run in runs)

    def test_the_default_store_is_that_of_run(self, in_tmp, said, refused):
        assert refused("ls") == f"there is no store at {in_tmp / 'experiments'}"
        metalab.run(experiment(x=[1]), progress=False).wait()
        assert "first:1" in said("ls")

    def test_an_empty_store_is_said(self, store, said):
        metalab.FileStore(store).make()
        assert said("ls", store) == f"{store} holds no experiment yet\n"
        assert strict(said("ls", store, "--json")) == []

    def test_looking_makes_no_store(self, store, refused, tmp_path):
        refused("ls", store)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("chosen", [["-e", "first:1"], ["--experiment", "fi"]])
    def test_runs_of_one_experiment_in_plan_order(self, full, said, chosen):
        header, *rows = (line.split() for line in said("ls", full, *chosen).splitlines())
        assert header == ["run", "status", "x", "replicate", "y", "loss", "error"]
        runs = metalab.load_results(full, "first:1")
        assert [row[0] for row in rows] == [run.run_id[:8] for run in runs]
        assert [row[1] for row in rows] == ["success", "success", "failed"]
        assert rows[2][-3:] == ["is", "too", "many"]

    def test_the_folder_of_an_experiment_is_its_runs(self, full, said):
        assert said("ls", f"{full}/second_1").split()[:2] == ["run", "status"]

    def test_runs_as_json_hold_every_value_exactly(self, store, said):
        metalab.run(experiment(operation=strange, x=[(1, 2)]), store, progress=False).wait()
        (run,) = strict(said("ls", store, "-e", "first", "--json"))
        assert run["metrics"] == {"nan": {"$float": "nan"}, "big": {"$int": str(2**70)}}
        assert run["params"] == {"x": {"$tuple": [1, 2]}}
        assert run["tags"] == ["demo"]
        assert run["seed"] == 1
        assert len(run["run_id"]) == 32

    def test_status_chooses(self, full, said):
        (run,) = strict(said("ls", full, "-e", "first", "--status", "failed", "--json"))
        assert (run["params"], run["error"]) == ({"x": 3}, "ValueError: three is too many")
        assert said("ls", full, "-e", "first", "--status", "running") == "no runs\n"

    def test_a_query_chooses_and_sorts_runs(self, full, said):
        runs = strict(said("ls", full, "-e", "first", "--where", "x < 3", "--sort=-x", "--json"))
        assert [run["params"]["x"] for run in runs] == [2, 1]
        assert said("ls", full, "-e", "first", "--where", "x > 99") == "no runs\n"

    def test_a_query_and_a_status_must_both_hold(self, full, said):
        words = ("--status", "failed", "--where", "x < 3 or x = 3", "--columns", "x,status")
        assert strict(said("ls", full, "-e", "first", *words, "--json")) == [
            {"x": 3, "status": "failed"}
        ]

    def test_columns_are_shown_and_no_others(self, full, said):
        words = ("ls", full, "-e", "first", "--columns", "x,error.type", "--sort=-x")
        assert said(*words).split() == ["x", "error.type", "3", "ValueError", "2", "1"]
        assert said(*words, "-n", "1").splitlines()[-1] == "and 2 more; --limit 0 shows all"
        assert len(strict(said(*words, "-n", "2", "--json"))) == 2

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (("-e", "first", "--where", "x <"), "query 'x <', column 4: the end was found"),
            (("--where", "x < 1"), "--where, --sort and --columns need --experiment"),
        ],
    )
    def test_a_query_that_cannot_be_meant_ends_with_2(self, full, capsys, words, expected):
        assert main(["ls", full, *words]) == 2
        assert capsys.readouterr().err.startswith(f"metalab: error: {expected}")

    def test_a_name_that_no_run_has_is_said_with_those_there_are(self, full, refused):
        text = refused("ls", full, "-e", "first", "--where", "speed < 1")
        assert text == "no run has a param or metric 'speed'; there is loss, x, y"

    def test_a_limit_says_what_it_left_out(self, full, said):
        text = said("ls", full, "-e", "first", "-n", "1")
        assert text.splitlines()[-1] == "and 2 more; --limit 0 shows all"
        assert len(said("ls", full, "-e", "first", "-n", "0").splitlines()) == 4
        assert len(strict(said("ls", full, "-e", "first", "-n", "2", "--json"))) == 2

    def test_experiments_that_may_be_meant_are_listed(self, full, refused, said):
        metalab.run(experiment("fir", x=[1]), full, progress=False).wait()
        assert refused("ls", full, "-e", "fi") == (
            "'fi' may mean fir:1, first:1; write more of the id"
        )
        assert refused("ls", full, "-e", "third") == (
            f"{full} has no experiment 'third'; there is fir:1, first:1, second:1"
        )
        assert said("ls", full, "-e", "fir:1")


class TestShow:
    def test_a_run_by_the_beginning_of_its_id_in_any_experiment(self, full, said):
        for name in ("first:1", "second:1"):
            run = only(full, name, x=1)
            lines = said("show", run.run_id[:6], "--store", full).splitlines()
            assert lines[0].split() == ["run", run.run_id]
            assert lines[1].split() == ["experiment", name]

    def test_what_it_left(self, full, said):
        text = said("show", only(full, x=2).run_id, "--store", full)
        assert "\nparams:\n  x  2\n" in text
        assert "\n  y     4\n" in text
        assert "note  builtins/text  6 bytes  packs/" in text
        assert "\ndata:\n  loss\n" in text
        assert "\nlogs:\n  run\n" in text
        assert "attempts" not in text
        assert "error" not in text

    def test_a_failed_run_with_its_traceback_and_attempts(self, full, said):
        metalab.run(experiment(), full, progress=False).wait()
        text = said("show", only(full, x=3).run_id, "--store", full)
        assert "Traceback (most recent call last):" in text
        assert 'raise ValueError("three is\\ntoo many")' in text
        assert [line.split()[:2] for line in text.partition("attempts:")[2].splitlines()[1:3]] == [
            ["1", "failed"],
            ["2", "failed"],
        ]

    def test_json_has_all_of_it(self, full, said):
        run = only(full, x=3)
        shown = strict(said("show", run.run_id[:8], "--store", full, "--json"))
        assert shown["run_id"] == run.run_id
        assert shown["status"] == "failed"
        assert shown["params"] == {"x": 3}
        assert shown["error"]["type"] == "ValueError"
        assert shown["logs"] == ["run"]
        assert [attempt["status"] for attempt in shown["attempts"]] == ["failed"]
        assert shown["provenance"]["code_hash"] == run.provenance.code_hash
        assert shown["started_at"] == run.started_at.isoformat(timespec="microseconds")

    def test_notes_warnings_and_derived_values_are_shown(self, store, said):
        record = metalab.RunRecord.success(
            run_id="ab" * 16, experiment_id="kept:1", notes="by hand", warnings=["be careful"]
        )
        with metalab.FileStore(store).scoped("kept:1") as kept:
            kept.put_run_record(record)
            kept.put_derived("ab" * 16, "ratio", {"ratio": 0.25})
        text = said("show", "ab", "--store", store)
        assert "\nwarnings:\n  be careful\n" in text
        assert "\nnotes:\n  by hand\n" in text
        assert "\nderived:\n  ratio  0.25\n" in text

    def test_an_id_that_nothing_or_several_begin_with_is_refused(self, full, refused):
        assert refused("show", "zz", "--store", full).startswith("no run's id begins with 'zz' (")
        assert "runs' ids begin with ''" in refused("show", "", "--store", full)


class TestLogs:
    def test_the_log_is_printed_as_it_is(self, full, said):
        run = only(full, x=2)
        assert said("logs", run.run_id[:8], "--store", full) == run.log()
        assert said("logs", run.run_id[:8], "--store", full).endswith("x is 2\n")

    def test_json_names_the_other_logs(self, full, said):
        run = only(full, x=2)
        assert strict(said("logs", run.run_id, "--store", full, "--json")) == {
            "run_id": run.run_id,
            "name": "run",
            "text": run.log(),
            "logs": ["run"],
        }

    def test_a_run_that_logged_nothing_says_so_beside_the_output(self, store, capsys):
        metalab.run(experiment(operation=strange, x=[1]), store, progress=False).wait()
        run = only(store)
        assert main(["logs", run.run_id, "--store", store]) == 0
        out, err = capsys.readouterr()
        assert (out, err) == ("", f"metalab: the run {run.run_id} logged nothing\n")

    def test_a_run_without_this_log_names_those_it_has(self, store, capsys):
        record = metalab.RunRecord.success(run_id="ab" * 16, experiment_id="kept:1")
        kept = metalab.FileStore(store).scoped("kept:1")
        with kept.writer("hand") as writer:
            writer.append_log(record, "text", name="stdout")
            writer.put(record)
        assert main(["logs", "ab", "--store", store]) == 0
        assert "logged nothing; it has the logs stdout: choose with --name" in (
            capsys.readouterr().err
        )
        assert main(["logs", "ab", "--store", store, "--name", "stdout"]) == 0
        assert capsys.readouterr().out == "text\n"

    def test_a_log_that_is_not_there_is_refused(self, full, refused):
        run = only(full, x=2)
        told = refused("logs", run.run_id, "--store", full, "--name", "nothing")
        assert "no log named 'nothing' (there are: run)" in told


class TestStatus:
    def test_counts_the_launch_and_the_causes(self, full, said):
        text = said("status", full)
        assert text.splitlines()[1].split()[:4] == ["first:1", "3", "2", "1"]
        assert "first:1: last launched " in text
        assert "executor thread: 3 runs, 0 done before" in text
        assert [line.split()[:4] for line in text.partition(": failed")[2].splitlines()[1:3]] == [
            ["runs", "cause", "example"],
            ["1", "ValueError:", "three", "is"],
        ]

    def test_equal_causes_are_one(self, store, said):
        failing = experiment(x=[3], z=[1, 2, 3])
        metalab.run(failing, store, progress=False).wait()
        (found,) = strict(said("status", store, "--json"))
        example = metalab.load_results(store)[0].run_id
        assert found["failures"] == [
            {"cause": "ValueError: three is too many", "runs": 3, "example": example}
        ]
        assert found["launch"]["runs"] == 3
        assert found["running"] == []

    def test_one_experiment_can_be_chosen(self, full, said):
        assert [each["experiment_id"] for each in strict(said("status", full, "--json"))] == [
            "first:1",
            "second:1",
        ]
        (one,) = strict(said("status", full, "-e", "sec", "--json"))
        assert one["experiment_id"] == "second:1"

    def test_a_run_under_way_is_listed_with_what_it_was_given(self, store, said):
        handle = metalab.run(experiment(operation=waiting, x=[7]), store, progress=False)
        deadline = time.monotonic() + 60
        while not (found := _running(store, said)) and time.monotonic() < deadline:
            time.sleep(0.02)
        text = said("status", store)
        handle.cancel()
        handle.wait()
        assert found[0]["params"] == {"x": 7}
        assert found[0]["worker"] == "thread:0"
        assert "x=7 replicate=0" in text.splitlines()[-1]
        assert _running(store, said) == []

    def test_an_empty_store_is_said(self, store, said):
        metalab.FileStore(store).make()
        assert said("status", store) == f"{store} holds no experiment yet\n"


@metalab.operation
def waiting(runtime):
    while not runtime.should_stop:
        time.sleep(0.01)
    runtime.check_cancelled()


def _running(store, said):
    try:
        (found,) = strict(said("status", store, "--json"))
    except (AssertionError, ValueError):  # nothing is stored yet
        return []
    return found["running"]


class TestShortIds:
    def test_eight_digits_where_they_differ(self):
        assert short_ids(["a" * 32, "b" * 32]) == ["a" * 8, "b" * 8]

    def test_as_many_as_tell_them_apart(self):
        ids = ["0123456789ab" + "0" * 20, "0123456789ac" + "0" * 20, "f" * 32]
        assert short_ids(ids) == ["0123456789ab", "0123456789ac", "f" * 12]

    def test_equal_ids_and_none_are_no_reason_for_more(self):
        assert short_ids(["a" * 32, "a" * 32]) == ["a" * 8, "a" * 8]
        assert short_ids([]) == []
