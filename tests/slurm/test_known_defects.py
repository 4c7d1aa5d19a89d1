"""What users of other systems have met on clusters, and the test of ours for each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent

DEFECTS = {
    "an operation of the script itself cannot be found by a job": (
        "test_a_script_as_in_the_readme_with_one_changed_line"
    ),
    "contexts, resolvers and sources of one's own are lost on the way": (
        "test_closures_contexts_resolvers_and_sources_of_ones_own"
    ),
    "tuples arrive as lists": "test_tuples_and_the_like_arrive_as_they_were",
    "runs done elsewhere are executed again": (
        "test_what_is_done_is_left_out_and_nothing_left_submits_nothing"
    ),
    "one failure of squeue counts as the end of all jobs": "test_what_is_not_known_is_never_gone",
    "the waiting part of an array counts as one job": (
        "test_the_waiting_part_of_an_array_in_one_row_is_no_task"
    ),
    "what an earlier sweep finished counts for this one": (
        "test_states_of_a_handle_add_up_at_every_moment"
    ),
    "a job that dies takes the rest of its share along": (
        "test_a_run_that_kills_its_pilots_is_found_and_the_others_finish"
    ),
    "memory and time cannot be told apart as causes": (
        "test_without_more_it_fails_in_words_after_its_attempts"
    ),
    "result() waits for nothing at its end": "test_the_store_is_what_tells_of_the_end",
    "flags without a value cannot be given": (
        "test_flags_have_no_value_and_false_leaves_an_option_out"
    ),
    "names and paths are expanded by a shell": "test_nothing_is_expanded_by_a_shell",
    "python is looked for on the PATH": "test_the_interpreter_is_the_one_that_submits",
    "conda is activated without its hook": (
        "test_a_conda_environment_is_activated_by_condas_own_hook"
    ),
    "passwords stand in what is written for jobs": (
        "test_the_intent_is_written_before_sbatch_and_no_password_is"
    ),
    "a session that ends takes what was not submitted along": (
        "test_a_script_ends_at_once_and_another_process_reads_the_results"
    ),
    "handles cannot be had back": "test_a_copy_of_the_store_is_followed_from_its_files",
    "an array over the site's limit is refused": (
        "test_an_array_larger_than_the_site_allows_is_cut"
    ),
    "a limit of jobs for each user ends the sweep": (
        "test_an_array_is_halved_until_a_tight_qos_takes_it"
    ),
    "many short runs cannot share a job": "test_several_workers_share_an_allocation",
    "accounting is asked once for each job": (
        "test_where_nothing_changes_the_queue_is_asked_ever_less_up_to_a_most"
    ),
    "without accounting nothing works": "test_without_accounting_for_a_while_nothing_is_noticed",
    "a busy scheduler ends the tool, or leaves jobs that nobody knows": (
        "test_an_sbatch_that_hangs_after_it_was_heard_submits_once"
    ),
    "preemption and time limits lose the work done": (
        "test_a_run_that_saves_itself_goes_on_in_the_same_job"
    ),
    "nothing is retried with more memory": (
        "test_a_run_killed_for_its_memory_gets_more_and_the_others_do_not_wait"
    ),
    "runs that are alive are declared dead": (
        "test_a_pilot_is_gone_once_its_job_is_and_never_before"
    ),
    "a job imports code that was edited since": "test_code_edited_before_a_job_begins",
    "a broken node ends the whole sweep": "test_one_bad_node_does_not_end_the_sweep",
    "jobs are submitted for ever": ("test_it_is_given_up_once_nothing_has_come_of_it_too_often"),
    "a job cannot submit another": "test_from_inside_a_job_another_is_submitted",
    "who launches twice executes twice": (
        "test_the_same_script_again_attaches_to_the_jobs_there_are"
    ),
}


@pytest.fixture(scope="module")
def tests_there():
    text = "\n".join(path.read_text() for path in HERE.glob("test_*.py"))
    return set(re.findall(r"def (test_\w+)\(", text))


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_has_a_test_of_ours(defect, tests_there):
    assert DEFECTS[defect] in tests_there
