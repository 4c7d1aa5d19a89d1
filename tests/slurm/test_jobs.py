"""Slurm's queue is read as it is printed, by each version that we know."""

from __future__ import annotations

import pytest

from metalab_slurm.jobs import Job, read_jobs, warnings_of
from metalab_slurm.site import Site

ROWS = """\
1|1|2|PENDING|JobArrayTaskLimit||0|metalab-x.y|
2|1|0|RUNNING|None|n1|0|metalab-x.y|
8|8|N/A|PENDING|BeginTime||1|metalab-x.y|
9|9|N/A|COMPLETING|None|n1|1|metalab-x.y|
"""


def job(**fields):
    return Job(
        **{"job_id": "7", "array_id": "7", "task": 0, "name": "a", "state": "PENDING"} | fields
    )


def test_a_row_is_a_task():
    waiting, running, requeued, ending = read_jobs(ROWS)
    assert waiting == Job("1", "1", 2, "metalab-x.y", "PENDING", "JobArrayTaskLimit")
    assert running == Job("2", "1", 0, "metalab-x.y", "RUNNING", "None", "n1")
    assert (requeued.task, requeued.restarts, requeued.label) == (None, 1, "8")
    assert (waiting.label, running.label) == ("1_2", "1_0")
    assert [each.is_pending for each in (waiting, running, requeued, ending)] == [1, 0, 1, 0]
    assert [each.is_running for each in (waiting, running, requeued, ending)] == [0, 1, 0, 1]


@pytest.mark.parametrize("tasks", ["2-9%2", "2,9,22,26,29,31,35,64,88,96,", "2,9,22,26,29,31,..."])
def test_the_waiting_part_of_an_array_in_one_row_is_no_task(tasks):
    (waiting,) = read_jobs(f"9|9|{tasks}|PENDING|Resources||0|metalab-a|\n")
    assert (waiting.task, waiting.label, waiting.is_pending) == (None, "9", True)


def test_nothing_is_no_job():
    assert read_jobs("") == []


def test_a_state_may_name_who_brought_it_about():
    (cancelled,) = read_jobs("6|6|N/A|CANCELLED by 0|None|n1|0|a|")
    assert cancelled.state == "CANCELLED"
    assert not cancelled.is_alive


def test_a_name_may_hold_a_bar_and_a_reason_blanks():
    (held,) = read_jobs("6|6|1|PENDING|launch failed requeued held||2|a|b|\n")
    assert (held.name, held.reason) == ("a|b", "launch failed requeued held")


@pytest.mark.parametrize(
    "state",
    ["BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
     "PREEMPTED", "TIMEOUT"],
)  # fmt: skip
def test_a_job_in_a_final_state_is_neither_alive_nor_waiting(state):
    ended = job(state=state)
    assert (ended.is_alive, ended.is_pending, ended.is_running) == (False, False, False)


def test_a_state_of_a_later_version_is_no_end():
    assert job(state="EXPEDITING").is_alive
    assert job(state="REQUEUE_HOLD").is_pending


@pytest.mark.parametrize(
    "text", ["slurm_load_jobs error: ...", "1|2|3", "x|1|1|RUNNING|None|n1|0|a|", "Cluster: a"]
)
def test_other_text_is_no_empty_queue(text):
    with pytest.raises(ValueError, match="is no row of its queue"):
        read_jobs(text)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("PartitionTimeLimit", "give a shorter time="),
        ("PartitionNodeLimit", "another partition="),
        ("PartitionDown", "starts no jobs at present"),
        ("DependencyNeverSatisfied", "depends on a job that failed"),
        ("launch failed requeued held", "scontrol release"),
        ("launch_failed_requeued_held", "scontrol release"),
        ("JobHeldAdmin", "scontrol release"),
        ("JobHoldMaxRequeue", "scontrol release"),
        ("BadConstraints", "what no node has"),
        ("PartitionConfig", "what no node has"),
        ("InvalidQOS", "give account= or qos="),
        ("AssocMaxJobsLimit", "a limit of your account or QOS"),
        ("QOSMaxCpuPerUserLimit", "a limit of your account or QOS"),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "down, drained or reserved"),
    ],
)
def test_a_job_that_may_wait_for_ever_is_told_of_with_what_to_do(reason, words):
    (told,) = warnings_of([job(reason=reason)])
    assert told.startswith("job 7_0 ")
    assert words in told
    assert told.endswith(f"({reason})")


def test_jobs_that_wait_for_the_same_are_told_of_once():
    jobs = [job(task=task, reason="PartitionTimeLimit") for task in range(3)]
    (told,) = warnings_of([*jobs, job(state="RUNNING", reason="JobHeldUser")])
    assert told.startswith("job 7_0, as 2 more, asks for more time")


@pytest.mark.parametrize(
    "reason", ["Resources", "Priority", "JobArrayTaskLimit", "BeginTime", "None", "", "Dependency"]
)
def test_ordinary_waiting_is_not_worth_a_word(reason):
    assert warnings_of([job(reason=reason)]) == []


CONFIG = """\
Configuration data as of 2026-11-27T22:14:16
AccountingStorageType   = accounting_storage/slurmdbd
ClusterName             = scratch
JobRequeue              = 0
KillWait                = 2 sec
MaxArraySize            = 40001
MinJobAge               = 60 sec
SLURM_VERSION           = 22.05.8

Slurmctld(primary) at host is UP
"""


def test_a_sites_settings_are_read_from_its_configuration():
    assert Site.of(CONFIG) == Site("scratch", 40001, 60, 2, job_requeue=False, has_accounting=True)


def test_settings_that_are_not_told_are_slurms_own():
    assert Site.of("AccountingStorageType = accounting_storage/none\n") == Site()
    assert Site.of("MaxArraySize = (null)\nAccountingStorageType = (null)\n") == Site()
