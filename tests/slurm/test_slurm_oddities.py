"""Names and paths that a shell would take apart, and two executors on one store."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

import metalab
from metalab_slurm import SlurmExecutor
from slurm.slurm_cluster import wait_for
from slurm.slurm_operations import held, quick, shared
from slurm.slurm_tools import (
    QUICK,
    experiment,
    losses,
    output,
    pilots_of,
    run,
    script,
    successes,
)

pytestmark = pytest.mark.slurm

ODD = """a 'b' "c" $(touch expanded) `touch expanded` \\ %A #; & é 𝄞"""


@metalab.operation
def echo(params):
    return {"said": params["what"], "length": len(params["what"])}


def test_nothing_is_expanded_by_a_shell(cluster, tmp_path, monkeypatch):
    place = tmp_path / ODD.replace("\\", "").replace("/", "")
    place.mkdir()
    monkeypatch.chdir(place)
    what = [ODD, f"{ODD}\n{ODD}", "-n", "--help", "\x1b[0m\t"]
    exp = experiment(echo, "e 'f' $(touch expanded)", what=what)
    handle = run(exp, place / "the store", pilots=2)
    results = handle.result(timeout=60)
    assert [r.metrics["said"] for r in results] == what, output(place)
    assert not list(tmp_path.rglob("expanded"))
    assert not list(Path.cwd().rglob("expanded"))
    again = metalab.reconnect(place / "the store")
    assert len(again.result(timeout=60).successful) == len(what)
    (log,) = handle.folder.glob("out/*_0.log")
    wait_for(lambda: "metalab: this pilot ends" in log.read_text())


def test_a_store_where_slurm_writes_no_logs_is_refused_in_words(cluster, tmp_path):
    with pytest.raises((metalab.MetalabError, ValueError), match="backslash or a line break"):
        run(experiment(quick, x=[1]), tmp_path / "a\\b", pilots=1)


@pytest.mark.parametrize("first", ["slurm", pytest.param("process", marks=pytest.mark.slow)])
def test_two_executors_share_the_runs_of_one_experiment(cluster, store, tmp_path, first):
    exp = experiment(shared, x=range(80), folder=[str(tmp_path)])
    local = {"process": {"max_workers": 2}}

    def begin(name):
        if name == "slurm":
            return run(exp, store, pilots=2)
        return metalab.run(exp, store, executor=local)

    handles = [begin(first)]
    wait_for((tmp_path / first).exists)
    handles.append(begin({"slurm": "process", "process": "slurm"}[first]))
    for handle in handles:
        results = handle.result(timeout=60)
        assert len(results.successful) == 80, output(store)
    assert len(successes(store)) == 80
    assert set(successes(store).values()) == {1}
    workers = {r.provenance.executor_id.partition(":")[0] for r in results}
    assert workers == {"slurm", "process"}
    assert not losses(store)


def test_an_sbatch_that_hangs_after_it_was_heard_submits_once(
    cluster, store, tmp_path, monkeypatch
):
    real = next(Path(p, "sbatch") for p in os.get_exec_path() if Path(p, "sbatch").exists())
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "sbatch"
    slow.write_text(f'#!/bin/sh\n{real} "$@" > /dev/null\nexec sleep 60\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    executor = SlurmExecutor(**QUICK, pilots=2)
    executor.cluster.site()
    executor.cluster.commands.timeout = 10.0  # what is heard later is submitted twice
    handle = metalab.run(experiment(quick, x=range(6)), store, executor=executor)
    assert len(handle.result(timeout=60).successful) == 6
    assert len(handle.job_ids) == 1
    assert cluster.command("squeue", "-h", "-t", "all", "-r", "-n", handle.folder.parent.name) == ""
    assert len(pilots_of(store)) <= 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_reads_and_can_do_nothing(cluster):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        store, gate = f"{folder}/store", Path(folder, "gate")
        gate.mkdir()
        exp = experiment(held, x=[1, 2], folder=[str(gate)])
        handle = run(exp, store, pilots=1)
        wait_for(lambda: handle.status.running == 1)
        text = """
            import os, sys
            import metalab, metalab_slurm.plugin
            from metalab.execution.dispatch import Dispatch
            from metalab.execution.parcel import fetch_parcel
            from metalab.results.loading import open_experiment

            # What is imported late is imported now, for another user may not reach it.
            metalab.reconnect(sys.argv[1])
            os.setgid(65534)
            os.setuid(65534)
            os.environ["PATH"] = "/nowhere"
            handle = metalab.reconnect(sys.argv[1])
            print(handle.status.total, handle.job_ids)
            try:
                handle.resubmit()
            except metalab.MetalabError as error:
                print(error)
            store = open_experiment(sys.argv[1], None, "read")
            dispatch = Dispatch.of(handle.folder.parent)
            try:
                fetch_parcel(store, dispatch.payload)
            except (metalab.MetalabError, OSError) as error:
                print(type(error).__name__, error)
            handle.cancel()
            print("over:", handle.wait(3), flush=True)
            os._exit(0)
        """
        said = script(Path(folder, "other.py"), text, store)
        assert f"2 {handle.job_ids}" in said
        assert "The user 0 has launched it, and this process is the user 65534's" in said
        assert "StoreError a payload cannot be read: Permission denied" in said
        assert "over: False" in said
        assert not handle.is_complete
        (gate / "go").touch()
        assert len(handle.result(timeout=60).successful) == 2
