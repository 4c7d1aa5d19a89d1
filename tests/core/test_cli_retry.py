"""``metalab retry``: which runs of which experiment, and what is said about them."""

from __future__ import annotations

import json

import pytest

import metalab
from metalab.cli import main
from metalab.cli.launching import launch
from metalab.errors import RebuildError
from metalab.records import Status

BROKEN = set()


@metalab.operation
def fragile(params):
    if params["x"] in BROKEN:
        raise OSError(f"{params['x']} is broken")
    return {"y": params["x"]}


def launched(name="fragile", broken=(1, 2)):
    BROKEN.clear()
    BROKEN.update(broken)
    experiment = metalab.Experiment(
        name=name,
        version="1",
        context={"name": name},
        operation=fragile,
        params=metalab.grid(x=[0, 1, 2]),
        seeds=metalab.seeds(base=1),
    )
    metalab.run(experiment, executor="inline", progress=False)
    BROKEN.clear()
    return experiment


@pytest.fixture
def retry(in_tmp, capsys):
    """Call the command in a folder whose store it finds by itself; return its code and output."""
    capsys.readouterr()

    def run(*words):
        code = main(["retry", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def statuses(experiment="fragile:1"):
    return [str(run.status) for run in metalab.load_results("experiments", experiment)]


def scoped():
    return metalab.FileStore("experiments").scoped("fragile:1")


class TestSummary:
    def test_the_counts_are_told_and_0_is_success(self, retry, in_tmp):
        launched()
        place = in_tmp / "experiments"
        assert retry() == (0, f"fragile:1: 3 runs: 2 done, 1 done before, in {place}\n", "")
        assert statuses() == ["success"] * 3

    def test_failures_are_grouped_and_end_with_1(self, retry):
        launched()
        BROKEN.update([1])
        code, out, _ = retry("experiments", "--quiet", "--json")
        said = json.loads(out)
        assert code == 1
        assert (said["total"], said["completed"], said["failed"]) == (3, 1, 1)
        assert [(each["cause"], each["runs"]) for each in said["failures"]] == [
            ("OSError: 1 is broken", 1)
        ]

    def test_nothing_to_retry_is_said_and_is_0(self, retry):
        launched(broken=())
        code, out, _ = retry("experiments")
        assert code == 0
        assert out.startswith("fragile:1: nothing to retry; 3 runs: 3 done before, in ")
        assert len(scoped().launches()) == 1

    def test_quiet_says_nothing(self, retry):
        launched()
        assert retry("experiments", "--quiet", "--on-failure", "stop", "-j", "2") == (0, "", "")


class TestChoice:
    def test_only_failed_runs_of_a_filter(self, retry):
        launched()
        code, out, _ = retry("experiments", "--failed", "--where", "x < 2", "--json", "--quiet")
        assert (code, json.loads(out)["completed"]) == (0, 1)
        assert statuses() == ["success", "success", "failed"]
        code, out, _ = retry("experiments", "--where", "status = cancelled", "--json", "--quiet")
        assert (code, json.loads(out)["completed"]) == (0, 0)

    def test_a_filter_that_cannot_be_understood_is_2(self, retry):
        launched()
        code, _, err = retry("experiments", "--where", "x <")
        assert code == 2
        assert err.startswith("metalab: error: ")

    def test_runs_by_their_ids_choose_the_experiment(self, retry):
        launched("one")
        launched("other")
        run = metalab.load_results("experiments", "other:1")[2]
        assert retry("experiments", run.run_id[:9], "--quiet")[0] == 0
        assert statuses("one:1") == ["success", "failed", "failed"]
        assert statuses("other:1") == ["success", "failed", "success"]

    def test_of_several_experiments_one_is_chosen(self, retry):
        launched("one")
        launched("other")
        code, _, err = retry("experiments")
        assert code == 2
        assert "holds one:1, other:1; choose one with --experiment" in err
        assert retry("experiments", "--experiment", "ot", "--quiet")[0] == 0
        assert statuses("other:1") == ["success"] * 3

    def test_runs_of_two_experiments_are_refused(self, retry):
        launched("one")
        launched("other")
        ids = [metalab.load_results("experiments", e)[1].run_id for e in ("one:1", "other:1")]
        code, _, err = retry("experiments", *ids)
        assert (code, "these are runs of one:1, other:1" in err) == (2, True)

    def test_an_id_that_no_run_has_lists_those_there_are(self, retry):
        launched()
        code, _, err = retry("experiments", "nosuch")
        assert (code, "no run's id begins with 'nosuch' (runs: " in err) == (1, True)

    def test_a_store_that_is_missing_or_empty_is_refused(self, retry, in_tmp):
        assert "there is no store at" in retry("experiments")[2]
        metalab.FileStoreConfig(root=str(in_tmp / "experiments")).connect()
        assert "holds no experiment yet" in retry("experiments")[2]

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--executor", "nosuch"], "nosuch"),
            (["--executor", "inline", "-j", "2"], "the inline executor runs one at a time"),
        ],
    )
    def test_executors_are_those_of_run(self, retry, words, why):
        launched()
        code, _, err = retry("experiments", *words)
        assert (code, why in err) == (2, True)


class TestFunction:
    def test_results_are_those_of_the_whole_plan(self, in_tmp):
        launched()
        seen = []
        handle = metalab.retry(
            "experiments",
            "fragile:1",
            where="x = 1",
            executor="inline",
            progress=False,
            on_event=lambda event: seen.append(event.kind.value),
        )
        assert [run.params["x"] for run in handle.result()] == [0, 1, 2]
        assert (handle.status.total, handle.status.skipped, handle.status.completed) == (2, 1, 1)
        assert [run.status for run in handle.as_completed()] == [Status.SUCCESS] * 2
        assert seen.count("run_skipped") == seen.count("run_finished") == 1

    def test_the_launch_says_that_it_retried_and_from_which_script(self, in_tmp):
        launched()
        store = scoped()
        (first,) = store.launches()
        handle = metalab.retry(store, executor="inline", progress=False)
        assert not store.launches()[first]["is_retry"]
        assert store.launches()[handle.job_id]["is_retry"]
        assert "main" in store.launches()[first]

    def test_a_name_in_place_of_a_list_is_refused(self, in_tmp):
        launched()
        with pytest.raises(TypeError, match=r"run_ids is a list of ids; did you mean \['abc'\]\?"):
            metalab.retry("experiments", run_ids="abc")

    def test_arguments_are_checked_as_those_of_run(self, in_tmp):
        launched()
        with pytest.raises(ValueError, match="on_failure="):
            metalab.retry("experiments", on_failure="never")
        with pytest.raises(ValueError, match="on_code_change="):
            metalab.retry("experiments", on_code_change="never")
        with pytest.raises(TypeError, match="on_event="):
            metalab.retry("experiments", on_event=1)
        with pytest.raises(metalab.StoreError, match="there are fragile:1"):
            metalab.retry("experiments", "other:1")

    def test_several_experiments_are_told_with_what_to_write(self, in_tmp):
        launched("one")
        launched("other")
        with pytest.raises(metalab.StoreError, match=r"retry\('.*', experiment_id='one:1'\)"):
            metalab.retry("experiments")

    def test_an_operation_inside_a_function_is_refused(self, in_tmp):
        @metalab.operation
        def inner(params):
            raise ValueError

        experiment = metalab.Experiment(
            name="inner",
            version="1",
            context={},
            operation=inner,
            params=metalab.grid(x=[1]),
            seeds=metalab.seeds(base=1),
        )
        metalab.run(experiment, executor="inline", progress=False)
        with pytest.raises(RebuildError, match="it is defined inside a function"):
            metalab.retry("experiments")


def test_options_of_both_commands_are_declared_once():
    """What run and retry share is one function, so that their exit codes cannot differ."""
    from metalab.cli import retry as retry_command, run as run_command

    assert run_command.launch is retry_command.launch is launch
