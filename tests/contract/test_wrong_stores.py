"""The contract of stores finds what is wrong with a store, and says it by a test's name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

TESTS = Path(__file__).parent.parent
KIT = TESTS / "contract" / "wrong" / "stores" / "kit.py"

# The tests by which each is found out.
FOUND_BY = {
    "AcknowledgesEarly": [
        "test_what_was_acknowledged_survives_a_killed_writer",
        "test_nothing_is_acknowledged_before_it_is_synced",
    ],
    "BelievesListings": ["test_what_was_read_stays_read_though_a_listing_lacks_it"],
    "ChecksBeforeItClaims": ["test_of_many_threads_that_claim_units_each_is_had_by_one"],
    "CompactsTooMuch": ["test_compacting_loses_nothing"],
    "CountsByArrival": [
        "test_a_success_is_not_displaced_by_a_later_failure",
        "test_lines_count_alike_in_whatever_order_they_arrive",
        "test_any_history_reads_as_a_dictionary_would",
    ],
    "CountsDeliveries": [
        "test_a_line_copied_twice_is_one_attempt",
        "test_lines_delivered_again_in_whatever_order_change_nothing",
    ],
    "CutsArtifacts": ["test_bytes_come_back", "test_a_file_is_copied"],
    "DropsNan": [
        "test_awkward_floats_come_back_exactly",
        "test_a_number_and_its_text_are_told_apart",
    ],
    "DumpsWhatIsBefore": ["test_what_is_dumped_comes_back_wherever_the_file_stands"],
    "GivesClaimsTwice": [
        "test_of_two_that_claim_a_unit_one_gets_it",
        "test_any_history_reads_as_a_dictionary_would",
    ],
    "IgnoresCase": ["test_whatever_its_name_an_experiment_stays_apart"],
    "LosesTheLastRecord": ["test_a_record_comes_back_equal", "test_threads_share_a_writer"],
    "MixesAttempts": ["test_runs_and_attempts_do_not_mix"],
    "NeverSyncs": ["test_nothing_is_acknowledged_before_it_is_synced"],
    "ReadsOnFromTheWrongPlace": ["test_reading_on_sees_what_other_writers_have_put_meanwhile"],
    "SaysTheDeadLive": ["test_a_killed_writer_is_over_and_one_at_work_is_not"],
    "ShowsOtherExperiments": [
        "test_experiments_do_not_see_each_other",
        "test_experiments_do_not_share_what_they_keep",
    ],
    "SortsNanFirst": ["test_sorting_and_cutting_give_what_plain_python_gives"],
    "StumblesOverTornLines": [
        "test_a_torn_line_costs_no_other",
        "test_a_damaged_line_is_told_and_costs_no_other",
    ],
    "TrustsClocks": ["test_no_clock_decides_which_record_counts"],
    "TrustsFileTimes": ["test_the_times_of_files_decide_nothing"],
}
# Of these everything is asked, and nothing else fails.
FOUND_BY_ONE_ALONE = {
    "ForgetsNegativeZero": "test_awkward_floats_come_back_exactly",
    "ListsInDiskOrder": "test_all_records_are_listed_in_the_order_of_the_plan",
    "MendsWhenItOpens": "test_a_writer_at_work_goes_on_after_the_torn_line_of_another",
    "SharesRecords": "test_what_a_reader_changes_is_its_own",
    "SwallowsABadId": "test_an_id_that_is_none_is_refused",
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """What the contract said: by store and test whether it passed, as any of its cases failed."""
    report = tmp_path_factory.mktemp("wrong") / "report.xml"
    named = [f"{KIT}::Test{wrong}::{test}" for wrong in FOUND_BY for test in FOUND_BY[wrong]]
    whole = [f"{KIT}::Test{wrong}" for wrong in FOUND_BY_ONE_ALONE]
    # Without this session's conftest, whose servers are its own.
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", "--tb=no", f"--junitxml={report}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *named, *whole],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS), "METALAB_REQUIRE_ALL": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return _verdicts(report)


def _verdicts(report):
    found = {}
    for case in ET.parse(report).iter("testcase"):
        wrong = case.get("classname").rpartition(".Test")[2]
        test = case.get("name").partition("[")[0]
        assert case.find("error") is None, f"{wrong} {test}: {case.find('error').get('message')}"
        if case.find("skipped") is None:
            passed = case.find("failure") is None
            tests = found.setdefault(wrong, {})
            tests[test] = tests.get(test, True) and passed
    return found


@pytest.mark.parametrize("wrong", FOUND_BY)
def test_a_wrong_store_is_found_out_by_name(verdicts, wrong):
    assert verdicts[wrong] == dict.fromkeys(FOUND_BY[wrong], False)


@pytest.mark.parametrize("wrong", FOUND_BY_ONE_ALONE)
def test_what_a_wrong_store_does_right_is_not_held_against_it(verdicts, wrong):
    failed = [test for test, passed in verdicts[wrong].items() if not passed]
    assert failed == [FOUND_BY_ONE_ALONE[wrong]]
    assert len(verdicts[wrong]) > 100


def test_every_wrong_store_is_asked():
    wrong = {path.stem for path in KIT.parent.glob("*.py")} - {"files", "kit"}
    told = {name.lower() for name in (*FOUND_BY, *FOUND_BY_ONE_ALONE)}
    assert {name.replace("_", "") for name in wrong} == told
