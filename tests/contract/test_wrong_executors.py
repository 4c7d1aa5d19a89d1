"""The executor contract catches executors that are wrong in one respect, by the test for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parent.parent
_WRONG = _TESTS / "contract" / "wrong" / "executors"
_SECONDS = 120

CAUGHT = {
    "answers_dead_for_running": (
        "test_an_owner_at_work_is_never_said_to_have_ended",
        r"alive\('worker-1'\) is False, though its runs are under way",
    ),
    "answers_running_for_dead": (
        "test_an_owner_that_has_ended_is_never_said_to_run",
        "is True, though there never was such a worker",
    ),
    "cancels_once": (
        "test_a_launch_that_is_cancelled_can_be_cancelled_again",
        r"cancel\(\) of a launch that was cancelled raises RuntimeError",
    ),
    "closes_too_early": (
        "test_one_that_is_shut_down_ends_what_it_was_given",
        r"shutdown\(\) returned while a launch was under way",
    ),
    "counts_for_another": (
        "test_two_launches_do_not_mix",
        "a launch of 5 runs of which 0 fail is counted as",
    ),
    "derives_of_new_runs_alone": (
        "test_a_new_derived_metric_is_computed_of_runs_done_before",
        "runs whose metrics are to be computed",
    ),
    "drops_derived_metrics": (
        "test_derived_metrics_are_stored_beside_the_runs",
        "derived metrics are missing",
    ),
    "drops_the_last_run": ("test_every_run_has_a_result", "runs of the plan have no result"),
    "executes_twice": ("test_each_run_is_executed_once", "were not executed exactly once"),
    "executes_what_is_done": (
        "test_only_pending_runs_are_executed",
        "runs with a stored success were run again",
    ),
    "forgets_what_was_cancelled": (
        "test_nothing_is_lost_or_half_recorded_by_cancelling",
        "have no success stored, or others have one",
    ),
    "forgets_what_it_follows": (
        "test_a_launch_under_way_is_followed_and_not_repeated",
        "to whoever follows a launch under way it says: over",
    ),
    "goes_on_after_failures": (
        "test_no_run_begins_after_the_failure_that_stops",
        "all runs were executed, though the first failed",
    ),
    "ignores_cancel": ("test_cancel_ends_a_launch", r"was not over 8 s later"),
    "ignores_options": (
        "test_an_unknown_option_is_refused_by_its_name",
        "the option 'no_such_option' was taken",
    ),
    "is_always_under_way": (
        "test_it_knows_whether_a_launch_is_under_way",
        "no longer True, since the launch is over",
    ),
    "is_done_too_early": (
        "test_a_wait_that_is_over_has_every_record",
        "before the records of all runs were stored",
    ),
    "leaves_processes_behind": (
        "test_nobody_is_left_once_it_is_shut_down",
        r"left behind after shutdown: the process \d+ sleep",
    ),
    "leaves_zombies_behind": (
        "test_nobody_is_left_once_it_is_shut_down",
        r"the process \d+ true, which nobody has waited for",
    ),
    "lets_runs_exit": (
        "test_sys_exit_fails_its_run_and_no_other",
        r"sys.exit\(\) fails its run alone",
    ),
    "misnames_its_jobs": (
        "test_its_jobs_option_is_one_that_it_takes",
        r"which is worker=2 by WrongExecutor.jobs_option, raises TypeError",
    ),
    "mixes_launches": ("test_two_launches_do_not_mix", "runs of one launch went to another"),
    "never_closes": (
        "test_one_that_is_shut_down_takes_no_launch",
        "a launch was taken after shutdown",
    ),
    "refuses_too_late": (
        "test_what_cannot_be_sent_is_refused_before_anything_is_written",
        "a launch that was refused left something",
    ),
    "reorders_seeds": (
        "test_results_are_those_of_the_inline_executor",
        "are not those that the inline executor gives them",
    ),
    "says_it_can_kill": (
        "test_a_run_that_exceeds_its_time_is_ended",
        "with timeout=2 was still under way after 8 s",
    ),
    "says_it_outlives_its_workers": (
        "test_a_run_that_ends_its_process_costs_itself_alone[kill]",
        "terminated abruptly",
    ),
    "submits_again": (
        "test_a_launch_under_way_is_followed_and_not_repeated",
        "a launch under way was submitted once more",
    ),
    "swallows_failures": (
        "test_a_run_that_raises_is_recorded_and_the_others_finish",
        "'success'",
    ),
    "takes_limits": (
        "test_limits_are_refused_before_anything_is_written[time]",
        "the limit timeout=5 was taken",
    ),
    "takes_what_it_cannot_import": (
        "test_an_operation_of_a_function_is_refused_before_anything_is_written",
        "an operation was taken that workers cannot import",
    ),
    "tells_nobody": ("test_the_counts_are_those_of_the_runs", "are counted"),
    "tries_once": (
        "test_a_run_is_tried_as_often_as_agreed",
        "more or less often than retry=3 says",
    ),
    "waits_for_ever": (
        "test_a_launch_is_waited_for_as_long_as_asked",
        r"wait\(0.05\) has not returned after 8 s",
    ),
    "writes_into_logs": (
        "test_a_run_s_log_holds_its_own_lines_alone",
        r"the log of run \d holds lines of others",
    ),
}


def ask(installed, *words):
    """Ask an executor what the contract asks, as its author would; returns what pytest says."""
    path = os.pathsep.join(map(str, (installed, _WRONG, _TESTS)))
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *words],
        cwd=_TESTS.parent,
        env={
            **os.environ,
            "PYTHONPATH": path,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # half of the time is theirs
            "COLUMNS": "300",
        },
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def installed(tmp_path):
    """A folder where executors are installed that plugins make by name."""
    info = tmp_path / "wrong-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong\nVersion: 1.0\n")
    names = {"right": "right", "lone": "detached_executor"}
    names |= {name: name for name in ("ignores_options", "misnames_its_jobs")}
    points = "".join(f"{name} = {module}\n" for name, module in names.items())
    (info / "entry_points.txt").write_text(f"[metalab.executors]\n{points}")
    return tmp_path


def test_the_right_one_passes(installed):
    said = ask(installed, str(_WRONG / "itself.py"))
    found = re.search(r"^(\d+) passed, \d+ skipped in", said, re.MULTILINE)
    assert found, said
    assert int(found[1]) > 30


def test_one_that_imports_operations_is_asked_to_refuse_others(installed):
    said = ask(installed, f"{_WRONG / 'importing.py'}::TestRight", "-k", "operation or result")
    assert re.search(r"^\d+ passed", said, re.MULTILINE), said
    assert "failed" not in said


@pytest.mark.parametrize("name", CAUGHT)
def test_a_wrong_one_is_caught_in_words(name, installed):
    test, words = CAUGHT[name]
    said = ask(installed, f"{_WRONG / name}.py::TestWrong::{test}")
    assert "\n1 failed" in said, said
    assert f"TestWrong::{test}" in said
    assert re.search(words, said), said


def test_without_an_executor_it_is_said_what_to_define(installed, tmp_path):
    file = tmp_path / "test_empty.py"
    file.write_text(
        "from metalab.testing.executor import ExecutorContract\n\n\n"
        "class TestEmpty(ExecutorContract): ...\n"
    )
    said = ask(installed, "--rootdir", str(tmp_path), "-k", "executed_once", str(file))
    assert "TestEmpty has no fixture `executor`: define one that yields a new executor" in said


def test_every_wrong_one_is_asked():
    right = {"importing", "itself", "lone", "right"}
    assert {path.stem for path in _WRONG.glob("*.py")} == {*CAUGHT, *right}
