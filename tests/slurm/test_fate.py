"""Why a job ended is told from what Slurm printed, also where its state says less."""

from __future__ import annotations

import time

import pytest

from metalab_slurm.fate import (
    Ending,
    Fate,
    accounted_endings,
    fate_of,
    recorded_ending,
    words_in_log,
)

NOW = time.mktime((2026, 11, 27, 22, 15, 0, 0, 0, -1))

RECORD = (
    "JobId={0} ArrayJobId=17 ArrayTaskId={1} JobName=metalab-x UserId=root(0) JobState={2} "
    "Reason={3} Dependency=(null) Requeue=1 Restarts={4} BatchFlag=1 Reboot=0 ExitCode={5} "
    "Command=/a JobState=COMPLETED JobId=3/script.sh\n"
)
OOM_LOG = """\
slurmstepd-n1: error: StepId=5.batch exceeded memory limit (213569536 > 62914560), being killed
slurmstepd-n1: error: Exceeded job memory limit
slurmstepd-n1: error: *** JOB 5 ON n1 CANCELLED AT 2026-11-27T22:15:37 ***
"""


@pytest.fixture
def log(tmp_path):
    return tmp_path / "17_3.log"


def test_a_record_is_found_among_those_of_its_array():
    text = RECORD.format(18, 2, "RUNNING", "None", 0, "0:0") + RECORD.format(
        17, 3, "FAILED", "JobLaunchFailure", 1, "0:9"
    )
    assert recorded_ending(text, "17") == Ending("FAILED", "0:9", "17_3", 1)
    assert recorded_ending(text, "3") is None
    assert recorded_ending("", "17") is None


def test_a_job_without_an_array_is_called_by_its_number():
    text = "JobId=4 JobName=killed JobState=FAILED Reason=x Restarts=0 ExitCode=0:9\n"
    assert recorded_ending(text, "4") == Ending("FAILED", "0:9", "4", 0)


def test_accounting_is_read_by_a_jobs_own_number():
    text = "19|17_2|COMPLETED|0:0\n17|17_3|CANCELLED by 0|0:15\n9|9_[2-9%2]|PENDING|0:0\n\nx\n"
    assert accounted_endings(text, "17") == [Ending("CANCELLED", "0:15", "17_3")]
    assert accounted_endings("Slurm accounting storage is disabled\n", "17") == []


@pytest.mark.parametrize(
    ("state", "code", "cause"),
    [
        ("OUT_OF_MEMORY", "0:125", "memory"),
        ("TIMEOUT", "0:0", "timeout"),
        ("DEADLINE", "0:0", "timeout"),
        ("PREEMPTED", "0:0", "preempted"),
        ("NODE_FAIL", "0:0", "node_fail"),
        ("CANCELLED", "0:15", "cancelled"),
        ("FAILED", "0:9", "killed"),
        ("COMPLETED", "0:0", "unknown"),
        ("RUNNING", "0:0", "unknown"),
    ],
)
def test_a_state_is_a_cause(state, code, cause):
    fate = fate_of("17", 0, [Ending(state, code, "17_3", 0)], None)
    assert fate == Fate(cause, f"{state} (exit {code}), job 17_3")


@pytest.mark.parametrize(
    ("text", "cause", "words"),
    [
        (OOM_LOG, "memory", "Exceeded job memory limit"),
        (
            (
                "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=5.batch. Some of your "
                "processes may have been killed by the cgroup out-of-memory handler.\n"
            ),
            "memory",
            "Detected 1 oom-kill event(s)",
        ),
        (
            (
                "slurmstepd: error: Detected 1 oom_kill event in StepId=26.batch. Some of the step "
                "tasks have been OOM Killed.\n"
            ),
            "memory",
            "Detected 1 oom_kill event",
        ),
        (
            (
                "slurmstepd-n2: error: *** JOB 7 ON n2 CANCELLED AT 2026-11-27T22:15:41 DUE TO "
                "TIME LIMIT ***\n"
            ),
            "timeout",
            "JOB 7 ON n2 CANCELLED AT 2026-11-27T22:15:41 DUE TO TIME LIMIT",
        ),
        (
            (
                "slurmstepd-n2: error: *** JOB 7 ON n2 CANCELLED AT 2026-11-27T22:15:41 DUE TO "
                "PREEMPTION ***\n"
            ),
            "preempted",
            "DUE TO PREEMPTION",
        ),
        (
            (
                "slurmstepd-n1: error: *** JOB 9 ON n1 CANCELLED AT 2026-11-27T22:15:38 DUE TO JOB "
                "REQUEUE ***\n"
            ),
            "preempted",
            "DUE TO JOB REQUEUE",
        ),
        (
            (
                "slurmstepd-n1: error: *** JOB 8 ON n1 CANCELLED AT 2026-11-27T22:15:44 DUE TO "
                "NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***\n"
            ),
            "node_fail",
            "DUE TO NODE FAILURE",
        ),
        (
            "slurmstepd-n1: error: *** JOB 6 ON n1 CANCELLED AT 2026-11-27T22:15:38 ***\n",
            "cancelled",
            "JOB 6 ON n1 CANCELLED AT 2026-11-27T22:15:38",
        ),
    ],
)
def test_a_log_tells_what_slurm_did(log, text, cause, words):
    log.write_text(f"loss 0.3\n{text}")
    said = words_in_log(log, NOW)
    assert said[0] == cause
    assert words in said[1]


def test_what_a_run_prints_is_not_slurms_word(log):
    log.write_text("CANCELLED AT 2026-11-27T22:15:38 DUE TO TIME LIMIT\noom-kill\n")
    assert words_in_log(log, NOW) is None


def test_what_befell_an_earlier_start_is_not_told_of_this_one(log):
    line = "slurmstepd-n1: error: *** JOB 9 ON n1 CANCELLED AT {} DUE TO {} ***\n"
    log.write_text(line.format("2026-11-27T22:14:30", "PREEMPTION"))
    assert words_in_log(log, NOW) is None
    with log.open("a") as file:
        file.write(line.format("2026-11-27T22:15:30", "TIME LIMIT"))
    assert words_in_log(log, NOW)[0] == "timeout"


def test_only_the_end_of_a_large_log_is_read(log):
    log.write_bytes(b"\xff" * (1 << 20) + b"\n" + OOM_LOG.encode())
    assert words_in_log(log, NOW)[0] == "memory"


def test_a_log_that_is_not_there_says_nothing(tmp_path):
    assert words_in_log(tmp_path / "none", NOW) is None
    assert words_in_log(tmp_path, NOW) is None


def test_a_log_knows_better_than_a_failure_without_a_reason():
    ending = Ending("FAILED", "0:9", "17_3", 0)
    fate = fate_of("17", 0, [ending], ("memory", "Exceeded job memory limit"))
    assert fate == Fate("memory", "FAILED (exit 0:9), job 17_3: Exceeded job memory limit")


def test_a_state_knows_better_than_a_plain_end_in_the_log():
    ending = Ending("TIMEOUT", "0:0", "17_3", 0)
    assert fate_of("17", 0, [ending], ("cancelled", "CANCELLED AT")).cause == "timeout"


def test_a_job_that_runs_again_was_preempted_or_lost_its_node():
    ending = Ending("PENDING", "0:0", "17_3", 1)
    fate = fate_of("17", 0, [ending], ("preempted", "DUE TO PREEMPTION"))
    assert fate == Fate("preempted", "job 17_3 was put back into the queue: DUE TO PREEMPTION")
    fate = fate_of("17", 0, [ending], ("cancelled", "CANCELLED AT"))
    assert fate == Fate("preempted", "job 17_3 was put back into the queue: CANCELLED AT")
    fate = fate_of("17", 0, [ending], None)
    assert fate == Fate("node_fail", "job 17_3 was put back into the queue")


def test_a_forgotten_job_is_unknown_unless_its_log_speaks():
    assert fate_of("17", 0, [], None) == Fate("unknown", "Slurm no longer knows job 17")
    assert fate_of("17", 0, [], ("timeout", "DUE TO TIME LIMIT")).cause == "timeout"


def test_accounting_numbers_starts_by_their_order():
    endings = [Ending("PREEMPTED", "0:0", "17"), Ending("FAILED", "0:9", "17")]
    assert fate_of("17", 0, endings, None).cause == "preempted"
    assert fate_of("17", 1, endings, None).cause == "killed"
    assert fate_of("17", 1, endings[1:], None).cause == "killed"
