"""The command line on a real cluster: leave a launch there, look at it, end it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slurm.slurm_cluster import SECONDS, wait_for
from slurm.slurm_tools import kill, pilots_of

pytestmark = pytest.mark.slurm

# One run waits for nobody, the next one waits; before, the first one may be seen to run.
UNDER_WAY = {"pending": 2, "running": 1, "done": 1}
METALAB = str(Path(sys.executable).with_name("metalab"))

STUDY = """
import time
from pathlib import Path
import metalab

@metalab.operation
def work(params, capture, runtime):
    print("working on", params["x"])
    if params["x"] == 0 and Path("slow").exists():
        time.sleep(0.6)  # runs that take so long are claimed one by one
    while not Path("go").exists() and params["x"] > 0:
        runtime.check_cancelled()
        time.sleep(0.02)
    capture.metric("y", params["x"])

experiment = metalab.Experiment(
    name="study", version="1", context={}, operation=work,
    params=metalab.grid(x=[0, 1, 2, 3]), seeds=metalab.seeds(base=1),
)
"""


@pytest.fixture
def study(in_tmp):
    """A folder with the study; its runs wait until there is a file ``go``."""
    (in_tmp / "study.py").write_text(STUDY)
    return in_tmp


def command(*words, code=0):
    done = subprocess.run(
        [METALAB, *words], capture_output=True, text=True, check=False, timeout=2 * SECONDS
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def submit(*words, options=("memory=200",), code=0):
    chosen = [word for option in options for word in ("--executor-option", option)]
    return command("run", "study.py", "--executor", "slurm", *chosen, *words, code=code)


def status():
    return json.loads(command("status", "--json"))[0]


def jobs():
    return status()["jobs"][0]


def runs():
    return {name: count for name, count in jobs()["runs"].items() if count}


@pytest.fixture
def watching(study):
    """Start to watch, when called; that is ended with the test."""
    started = []

    def watch():
        started.append(
            subprocess.Popen(
                [METALAB, "watch", "--interval", "0.2"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield watch
    for process in started:
        process.kill()
        process.communicate()


def test_from_submitting_to_the_end(study, cluster, watching):
    (study / "slow").touch()
    told = submit("-j", "2")
    assert "study:1: 4 runs are with Slurm job " in told
    assert "(2 pilots)" in told
    place = f"{study / 'experiments'} -e study:1"
    assert f"`metalab watch {place}` follows, `metalab cancel {place}` ends" in told
    wait_for(lambda: runs() == {"pending": 1, "running": 2, "done": 1})
    assert "2 running" in command("status")
    watcher = watching()
    (study / "go").touch()
    said, _ = watcher.communicate(timeout=SECONDS)
    assert watcher.returncode == 0, said
    assert said.splitlines()[-1].startswith("study:1: 4/4 runs")
    assert runs() == {"done": 4}
    outputs = json.loads(command("logs", "experiments", "--launch", "--json"))["outputs"]
    wait_for(lambda: "this pilot ends" in command("logs", "--launch", "--tail", "1"))
    assert sorted(Path(each["path"]).name.partition("_")[2] for each in outputs) == [
        "0.log",
        "1.log",
    ]
    assert "4 runs: 4 done before" in submit("-j", "2")


def test_wait_waits_and_another_launch_finds_the_first(study, cluster):
    submit()
    # One of the four waits for nobody, and may be done.
    assert re.search(r"[34] runs are with Slurm job", submit())
    (study / "go").touch()
    assert "4 runs: 4 done" in submit("--wait")
    assert len(jobs()["job_ids"]) == 1


def test_what_slurm_refuses_is_said(study, cluster):
    told = submit(options=["partition=nowhere"], code=1)
    assert "invalid partition specified: nowhere" in told
    assert "'sise' is no option of SlurmConfig" in submit(options=["sise=2"], code=1)


def test_it_is_told_why_a_job_does_not_start(study, cluster, watching):
    told = submit(options=["memory=200", 'extra_sbatch={"begin": "now+1hour"}', "pilots=1"])
    assert "(1 pilot)" in told
    wait_for(lambda: "1 pending (BeginTime)" in jobs()["words"][0])
    watcher = watching()
    assert "1 pending (BeginTime)" in watcher.stdout.readline()
    assert watcher.stdout.readline() == "study:1: 0/4 runs\n"
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=SECONDS)
    assert watcher.returncode == 0
    assert runs() == {"pending": 4}
    assert jobs()["jobs"] == {"pending": 1}


def test_cancelling_ends_what_waits_and_what_runs(study, cluster):
    (study / "slow").touch()
    submit(options=["memory=200", "pilots=2"])
    wait_for(lambda: runs() == {"pending": 1, "running": 2, "done": 1})
    told = json.loads(command("cancel", "--json"))
    assert told["trouble"] is None
    wait_for(lambda: jobs()["under_way"] is False)
    assert runs() == {"pending": 1, "cancelled": 2, "done": 1}
    assert "it was cancelled" in command("status")
    assert "the launch is over" in command("watch", "--interval", "0.2", code=1)
    (study / "go").touch()
    assert "3 done, 1 done before" in submit("--wait")
    assert "is over: all of its runs have ended" in command("cancel", code=2)


@pytest.mark.slow
def test_where_the_controller_is_away_files_are_told_and_pilots_end(study, cluster):
    submit(options=["memory=200", "pilots=1"])
    wait_for(lambda: runs() == UNDER_WAY)
    cluster.stop_controller()
    try:
        told = jobs()
        assert (told["jobs"], told["under_way"]) == (None, None)
        assert told["words"][0].startswith("the queue cannot be asked: ")
        assert told["runs"]["running"] + told["runs"]["done"] == 2
        said = command("cancel")
        assert "is to end; 4 runs: " in said
        assert "Slurm cannot be asked to end the jobs" in said
        wait_for(
            lambda: json.loads(command("ls", "-e", "study", "--json", "--status", "cancelled"))
        )
    finally:
        cluster.start_controller()
    wait_for(lambda: jobs()["under_way"] is False)


def test_a_requeued_launch_is_watched_to_its_end(study, cluster, watching):
    submit(options=["memory=200", "pilots=1"])
    wait_for(lambda: runs() == UNDER_WAY)
    (number,) = jobs()["job_ids"]
    watcher = watching()
    cluster.command("scontrol", "requeue", f"{number}_0")
    assert any("1 pending" in line for line in watcher.stdout)
    assert jobs()["under_way"] is True
    (study / "go").touch()
    cluster.skip_requeue_wait(number)
    said, _ = watcher.communicate(timeout=2 * SECONDS)
    assert watcher.returncode == 0, said
    assert runs() == {"done": 4}


def test_runs_of_a_dead_pilot_are_lost(study, cluster):
    submit(options=["memory=200", "pilots=1"])
    wait_for(lambda: runs() == UNDER_WAY)
    place = study / "experiments"
    (job,) = pilots_of(place)
    kill(place, job)
    wait_for(lambda: runs() == {"pending": 2, "lost": 1, "done": 1})
    told = command("status")
    assert "study:1: lost; the next launch tries them again" in told
    assert "no pilot waits or runs" in told


def test_doctor_says_whether_slurm_answers(study, cluster, monkeypatch):
    def found():
        every = json.loads(command("doctor", "--json"))["findings"]
        return next(each for each in every if each["topic"] == "executor slurm")

    assert found()["text"] == "its commands are here, and its controller answers"
    monkeypatch.setenv("SLURM_CONF", str(study / "none.conf"))
    assert (found()["state"], found()["details"]) == ("note", {"ready": False})
    monkeypatch.setenv("PATH", str(Path(METALAB).parent))
    assert "submit from a login node" in found()["text"]
