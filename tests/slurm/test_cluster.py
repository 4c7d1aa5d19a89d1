"""A real cluster answers as the executor is told it does."""

from __future__ import annotations

import json
import time

import pytest

from metalab_slurm.cluster import Cluster
from metalab_slurm.commands import Commands, SlurmRefused, SlurmUnavailable
from metalab_slurm.jobs import warnings_of
from metalab_slurm.quantities import read_time
from slurm.pilots import SLEEP, Pilots
from slurm.slurm_cluster import SECONDS, wait_for

pytestmark = pytest.mark.slurm


def refused(tmp_path, **config):
    with pytest.raises(SlurmRefused) as caught:
        Pilots(tmp_path, **config)
    return str(caught.value)


def test_the_site_is_asked_once(cluster):
    client = Cluster()
    assert client.is_there()
    site = client.site()
    assert (site.cluster, site.max_array_size, site.kill_wait) == ("scratch", 1001, 30)
    assert (site.min_job_age, site.job_requeue, site.has_accounting) == (60, True, False)
    assert client.site() is site
    assert client.commands.calls == {"scontrol": 1}


def test_pilots_wait_run_and_end_under_their_name(cluster, tmp_path):
    pilots = Pilots(tmp_path, "print('here')", array=3)
    assert pilots.placed.pilots == 3
    assert {job.label for job in pilots.jobs()} == {f"{pilots.array_id}_{n}" for n in range(3)}
    wait_for(lambda: all(job.state == "COMPLETED" for job in pilots.jobs()))
    assert [pilots.log(task).read_text() for task in range(3)] == ["here\n"] * 3
    assert pilots.cluster.jobs(["metalab-other"]) == []
    assert pilots.cluster.commands.calls["sbatch"] == 1


def test_a_folder_may_have_any_name(cluster, tmp_path):
    folder = tmp_path / "a b'c\"$(touch x)é%A#h;*"
    pilots = Pilots(folder, "print('here')", extra_sbatch={"comment": 'it\'s "q" \\ $(x) #1'})
    job = pilots.wait("COMPLETED")
    assert pilots.log().read_text() == "here\n"
    assert 'Comment=it\'s "q" \\ $(x) #1' in cluster.command("scontrol", "show", "job", job.job_id)


def test_times_mean_what_they_mean_to_slurm(cluster, tmp_path):
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\n")
    for text in ("90", "90:30", "1:00:00", "12:34:56", "2-12", "2-12:30", "1-06:30:05"):
        number = cluster.command("sbatch", "--parsable", "-H", f"--time={text}", script).strip()
        said = cluster.command("squeue", "-h", "-j", number, "-O", "TimeLimit").strip()
        assert read_time(said) == -(-read_time(text) // 60) * 60, text


def test_one_question_serves_many_names(cluster, tmp_path):
    names = [f"metalab-names-{number}" for number in range(3)]
    for name in names:
        Pilots(tmp_path / name, array=2, name=name)
    client = Cluster()
    assert sorted({job.name for job in client.jobs(names)}) == names
    assert client.commands.calls == {"squeue": 1}


@pytest.fixture
def lasting_look(monkeypatch):
    """Let a look at the queue serve for as long as a slow machine takes to ask what it showed."""
    monkeypatch.setattr("metalab_slurm.cluster._FRESH", 600.0)


def test_a_pilot_is_alive_while_it_has_processes(cluster, tmp_path, lasting_look):
    # The last of them is done with its end once a file is there.
    code = (
        "import os, pathlib, signal, time\n"
        "is_last = os.environ['SLURM_ARRAY_TASK_ID'] == '2'\n"
        "if is_last: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('begun', flush=True)\n"
        f"go = pathlib.Path({str(tmp_path / 'go')!r})\n"
        "while not (is_last and go.exists()): time.sleep(0.05)\n"
    )
    pilots = Pilots(tmp_path, code, array=3)
    jobs = [pilots.wait("RUNNING", task=task) for task in range(3)]
    pilots.wait_for_log("begun", task=2)
    client = Cluster()
    assert [client.alive(job.job_id, 0) for job in jobs] == [True] * 3
    assert client.commands.calls == {"squeue": 1}
    # The array's number is that of its last task alone.
    pilots.cluster.requeue(pilots.array_id)
    ending = pilots.wait("COMPLETING", task=2)
    assert ending.restarts == 1
    assert Cluster().alive(ending.job_id, 0) is True
    (tmp_path / "go").touch()
    pilots.wait("PENDING", task=2)
    (tmp_path / "go").unlink()
    assert Cluster().alive(ending.job_id, 0) is False
    assert [pilots.job(task).state for task in (0, 1)] == ["RUNNING"] * 2
    cluster.skip_requeue_wait(f"{pilots.array_id}_2")
    pilots.wait("RUNNING", task=2)
    client = Cluster()
    assert client.alive(ending.job_id, 0) is False
    assert client.alive(ending.job_id, 1) is True
    assert client.alive("4000000", 0) is False
    (tmp_path / "go").touch()


def test_death_is_told_only_by_a_look_at_the_queue_that_came_after_life(
    cluster, tmp_path, lasting_look
):
    client = Cluster()
    assert client.alive("4000000", 0) is False
    job = Pilots(tmp_path).wait("RUNNING")
    assert client.alive(job.job_id, 0) is True
    calls = client.commands.calls["squeue"]
    seen = time.monotonic()
    assert client.alive("4000000", 0, seen) is False
    assert [client.alive(str(number), 0, seen) for number in range(4000000, 4000050)] == [
        False
    ] * 50
    assert client.commands.calls["squeue"] == calls + 1


def test_names_are_cancelled_whatever_state_their_jobs_are_in(cluster, tmp_path):
    mine = Pilots(tmp_path / "a", array=2, max_concurrent=1)
    other = Pilots(tmp_path / "b", name="metalab-spared")
    mine.wait("RUNNING")
    other.wait("RUNNING")
    mine.cluster.cancel([mine.name, "metalab-no-such"])
    wait_for(lambda: not any(job.is_alive for job in mine.jobs()))
    assert other.job().is_running
    assert mine.cluster.fate(mine.array_id, 0, time.time() - 60).cause == "cancelled"


def test_a_pilot_puts_itself_back_into_the_queue(cluster, tmp_path):
    code = (
        "import os, time; from metalab_slurm.cluster import Cluster; "
        "print('start', os.environ.get('SLURM_RESTART_COUNT', 0), flush=True); "
        "'SLURM_RESTART_COUNT' in os.environ or Cluster().requeue(os.environ['SLURM_JOB_ID']); "
        "time.sleep(300)"
    )
    pilots = Pilots(tmp_path, code, array=2)
    pilots.wait("PENDING")
    pilots.wait_for_log("start 0")
    wait_for(lambda: (pilots.job().restarts, pilots.job().reason) == (1, "BeginTime"))
    cluster.skip_requeue_wait(f"{pilots.array_id}_0")
    pilots.wait_for_log("start 1")
    assert pilots.job().restarts == 1


def test_a_job_that_slurm_does_not_know_cannot_be_requeued(cluster):
    with pytest.raises(SlurmRefused, match="4000000"):
        Cluster().requeue("4000000")


def test_the_end_of_a_jobs_time_is_known_inside_and_outside(cluster, tmp_path, monkeypatch):
    code = (
        "import json, os, time; from metalab_slurm.cluster import Cluster; "
        "end = Cluster().end_of(os.environ['SLURM_JOB_ID']); "
        "print(json.dumps([end, time.time()]), flush=True); " + SLEEP
    )
    pilots = Pilots(tmp_path, code, array=2, time=10)
    job = pilots.wait("RUNNING", task=1)
    pilots.wait_for_log("]", task=1)
    inside, now = json.loads(pilots.log(1).read_text())
    assert 500 < inside - now <= 601
    assert abs(pilots.cluster.end_of(job.job_id) - inside) < 2
    assert pilots.cluster.end_of("4000000") is None
    monkeypatch.setenv("SLURM_JOB_END_TIME", "5")
    assert abs(pilots.cluster.end_of(job.job_id) - inside) < 2  # another job's
    monkeypatch.setenv("SLURM_JOB_ID", job.job_id)
    assert pilots.cluster.end_of(job.job_id) == 5.0


def test_a_refusal_is_in_slurms_own_words_and_names_the_script(cluster, tmp_path):
    said = refused(tmp_path, partition="nowhere")
    assert "invalid partition specified: nowhere" in said
    assert said.endswith(f"\nThe script is {tmp_path / 'script.sh'}")
    assert "Memory specification can not be satisfied" in refused(tmp_path, memory="9T")
    assert "script-2.sh" in str(sorted(tmp_path.iterdir()))
    assert "Invalid feature specification" in refused(tmp_path, constraint="no-such")
    assert "Invalid generic resource (gres) specification" in refused(tmp_path, gpus=1)


def test_a_time_over_the_partitions_is_told_of(cluster, tmp_path):
    pilots = Pilots(tmp_path, partition="short", time=5, array=2)
    wait_for(lambda: pilots.job().reason == "PartitionTimeLimit")
    (told,) = wait_for(lambda: warnings_of(pilots.jobs()))
    assert told.endswith("(PartitionTimeLimit)")
    assert "give a shorter time=" in told


def test_more_cpus_than_any_node_has_are_refused_or_told_of(cluster, tmp_path):
    try:
        pilots = Pilots(tmp_path, cpus=500)
    except SlurmRefused as refused:  # Slurm 24.11
        said = str(refused)
    else:  # Slurm 22.05
        (said,) = wait_for(lambda: warnings_of(pilots.jobs()))
    assert "CPU count per node can not be" in said or "change cpus=" in said


def test_a_submission_from_inside_a_job_is_a_job_of_its_own(cluster, tmp_path, monkeypatch):
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "7", "SBATCH_ARRAY_INX": "0-9",
                        "SBATCH_JOB_NAME": "habit", "SBATCH_TIMELIMIT": "1"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    pilots = Pilots(tmp_path, "import os; print(os.environ.get('SLURM_MEM_PER_NODE'))")
    (job,) = pilots.jobs()
    assert "TimeLimit=00:10:00" in cluster.command("scontrol", "show", "job", job.job_id)
    pilots.wait("COMPLETED")
    assert pilots.log().read_text() == "100\n"


def test_a_controller_that_is_away_leaves_all_unknown(make_cluster, tmp_path):
    cluster = make_cluster(nodes=1)
    pilots = Pilots(tmp_path)
    job = pilots.wait("RUNNING")
    cluster.stop_controller()
    client = Cluster(Commands(timeout=0.5))
    began = time.monotonic()
    for question in (
        lambda: client.jobs([pilots.name]),
        client.site,
        lambda: client.cancel([pilots.name]),
    ):
        with pytest.raises(SlurmUnavailable):
            question()
    with pytest.raises(SlurmUnavailable):
        client.submit(tmp_path / "script.sh")
    assert client.alive(job.job_id, 0) is None
    assert client.end_of(job.job_id) is None
    assert client.fate(job.job_id, 0, time.time()).cause == "unknown"
    assert time.monotonic() - began < 30
    client.commands.timeout = SECONDS
    cluster.start_controller()
    assert client.jobs([pilots.name])[0].is_running
    wait_for(lambda: client.alive(job.job_id, 0))


@pytest.mark.slow
def test_jobs_that_are_forgotten_are_not_there(make_cluster, tmp_path):
    make_cluster(nodes=1, min_job_age=2)
    pilots = Pilots(tmp_path, "pass")
    wait_for(lambda: not pilots.jobs(), 180)
    assert pilots.cluster.alive(pilots.array_id, 0) is False
    fate = pilots.cluster.fate(pilots.array_id, 0, time.time() - 60, pilots.log())
    assert fate.cause == "unknown"
