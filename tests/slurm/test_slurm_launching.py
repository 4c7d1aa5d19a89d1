"""Submitting, walking away, coming back: from scripts, from other processes, after the end."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
from pathlib import Path

import attrs
import pytest

import metalab
from metalab.errors import MetalabError
from metalab_slurm import SlurmConfig, SlurmExecutor, SlurmRunHandle
from slurm.slurm_cluster import wait_for
from slurm.slurm_operations import held, quick, short, together
from slurm.slurm_tools import (
    QUICK,
    experiment,
    lines_of,
    output,
    pilots_of,
    run,
    script,
    store_of,
    successes,
    until_there,
)

pytestmark = pytest.mark.slurm


class TestSubmitting:
    def test_a_sweep_is_submitted_executed_and_read(self, cluster, store):
        events = []
        exp = experiment(quick, x=range(30), replicates=2)
        handle = run(exp, store, pilots=3, on_event=events.append)
        assert isinstance(handle, SlurmRunHandle)
        assert handle.is_detached
        assert len(handle.job_ids) == 1
        results = handle.result(timeout=60)
        assert [r.metrics["y"] for r in results] == [x**2 for x in range(30) for _ in range(2)]
        assert handle.status.completed == 60
        assert sum(e.kind is metalab.EventKind.RUN_FINISHED for e in events) == 60
        workers = {r.provenance.executor_id for r in results}
        assert all(w.startswith(f"slurm:{handle.job_ids[0]}_") for w in workers)

    def test_what_is_done_is_left_out_and_nothing_left_submits_nothing(self, cluster, store):
        metalab.run(experiment(quick, x=[0, 1, 2]), store, executor="inline").result()
        handle = run(experiment(quick, x=range(6)), store, pilots=1)
        assert handle.result(timeout=60)
        status = handle.status
        assert (status.skipped, status.completed) == (3, 3)
        again = run(experiment(quick, x=range(6)), store)
        assert again.job_ids == []
        assert again.is_complete
        assert "nothing was left" in again.describe()["words"][0]

    def test_results_are_those_of_every_other_executor(self, cluster, store, tmp_path):
        exp = experiment(quick, x=[1, 2.5, -3], replicates=2)
        here = metalab.run(exp, tmp_path / "here", executor="inline").result()
        there = run(exp, store, pilots=2).result(timeout=60)
        kept = ("run_id", "params_resolved", "seed_fingerprint", "seed", "replicate", "metrics")
        assert [[getattr(r.record, k) for k in kept] for r in here] == [
            [getattr(r.record, k) for k in kept] for r in there
        ]

    def test_fields_by_name_or_as_a_config_or_alone(self):
        options = {"partition": "main", "cpus": 2}
        by_name = SlurmExecutor(**options)
        assert by_name.config == SlurmExecutor(SlurmConfig(**options)).config
        with pytest.raises(TypeError, match="not both"):
            SlurmExecutor(SlurmConfig(), cpus=2)
        with pytest.raises(ValueError, match="'cpu' is no option of SlurmConfig"):
            SlurmExecutor(cpu=2)

    def test_a_refusal_is_told_in_sbatchs_own_words_before_anything_runs(self, cluster, store):
        with pytest.raises(MetalabError, match=r"(?s)invalid partition.*script\.sh"):
            run(experiment(quick, x=[1]), store, partition="nowhere")

    def test_without_sbatch_nothing_is_written(self, store, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MetalabError, match="no sbatch"):
            run(experiment(quick, x=[1]), store)
        assert not Path(store).exists()

    def test_an_array_larger_than_the_site_allows_is_cut(self, make_cluster, store):
        make_cluster(max_array_size=5)
        handle = run(experiment(quick, x=range(40)), store, pilots=20)
        assert len(handle.result(timeout=60).successful) == 40
        assert len(pilots_of(store)) <= 5

    def test_one_run_a_job_where_that_is_asked_for(self, cluster, store):
        handle = run(experiment(quick, x=range(6)), store, runs_per_pilot=1)
        results = handle.result(timeout=60)
        assert len({r.provenance.executor_id for r in results}) == 6

    def test_several_workers_share_an_allocation(self, cluster, store, tmp_path):
        exp = experiment(together, x=range(12), begun=[4], folder=[str(tmp_path)])
        handle = run(exp, store, pilots=1, workers_per_pilot=4, cpus=4)
        results = handle.result(timeout=60)
        assert len({r.provenance.executor_id for r in results}) == 4

    def test_a_run_that_raises_fails_once_and_its_job_does_not(self, cluster, store, tmp_path):
        @metalab.operation
        def broken(params):
            raise ValueError("no such rate")

        handle = run(experiment(broken, x=[1, 2]), store, pilots=1)
        results = handle.result(timeout=60)
        assert [r.record.error["message"] for r in results.failed] == ["no such rate"] * 2
        wait_for(lambda: not any(job.is_alive for job in handle._submission.launch.jobs()))
        assert {job.state for job in handle._submission.launch.jobs()} == {"COMPLETED"}

    def test_failures_stop_all_pilots_where_that_is_asked_for(self, cluster, store):
        @metalab.operation
        def broken(params):
            time.sleep(0.1)
            raise ValueError("always")

        handle = run(experiment(broken, x=range(400)), store, pilots=2, on_failure=3)
        handle.wait(60)
        assert 3 <= handle.status.failed < 400

    def test_retries_of_a_run_that_raises_are_made_in_the_jobs(self, cluster, store, tmp_path):
        @metalab.operation
        def flaky(params):
            note = Path(params["folder"], "tried")
            if not note.exists():
                note.touch()
                raise ConnectionError("away for a moment")
            return {"y": 1}

        exp = experiment(flaky, folder=[str(tmp_path)])
        (result,) = run(exp, store, pilots=1, retry=3).result(timeout=60)
        assert result.status is metalab.Status.SUCCESS
        assert result.record.attempt == 2

    def test_time_limits_of_runs_are_kept(self, cluster, store):
        exp = experiment(short, x=[1], seconds=[60])
        (result,) = run(exp, store, pilots=1, timeout=1.0).result(timeout=60)
        assert result.record.error["type"] == "RunTimeoutError"


@metalab.context_spec
class Study:
    scale: float
    data: metalab.FilePath


class Squares:
    """A source of params that only its own file knows."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return metalab.ParamCase({"x": index**2}, f"square-{index}", [])

    def __iter__(self):
        return (self[i] for i in range(3))

    def to_manifest_dict(self):
        return {"type": "Squares"}


class TestWhatIsSent:
    def test_a_script_as_in_the_readme_with_one_changed_line(self, cluster, tmp_path):
        text = f"""
            import metalab

            class Grid:
                def __init__(self, x): self.x = x

            def helper(x):
                return x + 1

            @metalab.context_spec
            class Spec:
                offset: int

            @metalab.operation
            def op(context, params, seeds, capture):
                capture.metric("y", helper(params["x"]) + context.offset)
                capture.metric("r", seeds.rng("a").random())

            exp = metalab.Experiment(name="own", version="1", context=Spec(offset=10),
                operation=op, params=metalab.grid(x=[1, 2]), seeds=metalab.seeds(base=3))
            result = metalab.run(exp, "store", executor={{"slurm": {QUICK!r}}}).result(timeout=60)
            print([r.metrics["y"] for r in result])
        """
        assert script(tmp_path / "own.py", text).strip() == "[12, 13]"

    def test_closures_contexts_resolvers_and_sources_of_ones_own(self, cluster, store, tmp_path):
        (tmp_path / "data.txt").write_text("7")
        factor = 3

        @metalab.operation
        def op(context, params):
            return {"y": params["z"] * factor + int(Path(context.data).read_text())}

        def resolver(context, params):
            return {"z": params["x"] * context.scale}

        exp = metalab.Experiment(
            name="e",
            version="1",
            context=Study(scale=2.0, data=metalab.FilePath(tmp_path / "data.txt")),
            operation=op,
            params=Squares(),
            seeds=metalab.seeds(base=1),
            param_resolver=resolver,
        )
        results = run(exp, store, pilots=1).result(timeout=60)
        assert [r.metrics["y"] for r in results] == [7, 13, 31], output(store)

    def test_tuples_and_the_like_arrive_as_they_were(self, cluster, store):
        @metalab.operation
        def op(params):
            return {"is_tuple": isinstance(params["shape"], tuple), "n": params["shape"][1]}

        (result,) = run(experiment(op, shape=[(3, 4)]), store, pilots=1).result(timeout=60)
        assert result.metrics == {"is_tuple": True, "n": 4}

    def test_the_same_script_with_edited_code_is_told_that_the_old_one_runs(
        self, cluster, store, tmp_path, monkeypatch
    ):
        module = tmp_path / "slow_model.py"
        text = (
            "import metalab, pathlib, time\n@metalab.operation\ndef op(params):\n"
            "    while not pathlib.Path(params['folder'], 'go').exists(): time.sleep(0.02)\n"
        )
        module.write_text(text)
        params = {"x": [1], "folder": [str(tmp_path)]}
        monkeypatch.syspath_prepend(str(tmp_path))
        slow = __import__("slow_model").op
        first = run(experiment(slow, **params), store, pilots=1, snapshot=True)
        module.write_text(text + "    return {'y': 2}\n")
        del sys.modules["slow_model"]
        edited = __import__("slow_model").op
        with pytest.warns(metalab.CodeChangedWarning, match="is under way with other code"):
            second = run(experiment(edited, **params), store, pilots=1)
        assert second.job_id == first.job_id
        (tmp_path / "go").touch()
        second.result(timeout=60)

    @pytest.mark.parametrize("snapshot", [True, False])
    def test_code_edited_before_a_job_begins(self, cluster, store, tmp_path, monkeypatch, snapshot):
        module = tmp_path / f"model_{snapshot}.py"
        text = "import metalab\n@metalab.operation\ndef op(params):\n    return {'y': 1}\n"
        module.write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        op = __import__(module.stem).op
        gate = tmp_path / "gate"
        exp = experiment(op, x=[1])
        handle = run(exp, store, pilots=1, snapshot=snapshot, **until_there(gate))
        # Of another size: Python takes a file of the same second and size for the same.
        module.write_text(text.replace("1}", "22}"))
        gate.touch()
        (result,) = handle.result(timeout=60)
        assert result.metrics["y"] == (1 if snapshot else 22), output(store)
        assert bool(result.record.warnings) is not snapshot
        is_same = result.provenance.code_hash == handle._plan.code.hash
        assert is_same is snapshot

    def test_from_inside_a_job_another_is_submitted(self, cluster, tmp_path):
        text = f"""
            import metalab

            @metalab.operation
            def inner(params):
                return {{"y": params["x"]}}

            exp = metalab.Experiment(name="inner", version="1", context=None, operation=inner,
                params=metalab.grid(x=[1, 2]), seeds=metalab.seeds(base=1))
            results = metalab.run(exp, "store", executor={{"slurm": {QUICK!r}}}).result(timeout=60)
            print(len(results.successful), "inner runs")
        """
        (tmp_path / "outer.py").write_text(textwrap.dedent(text))
        job = f"#!/bin/bash\nexec {sys.executable} outer.py\n"
        (tmp_path / "job.sh").write_text(job)
        cluster.command(
            "sbatch",
            "--wait",
            "--mem=500M",
            "--time=5",
            f"--chdir={tmp_path}",
            f"--output={tmp_path}/outer.log",
            str(tmp_path / "job.sh"),
        )
        assert "2 inner runs" in (tmp_path / "outer.log").read_text()


class TestWalkingAway:
    def test_a_script_ends_at_once_and_another_process_reads_the_results(self, cluster, tmp_path):
        text = f"""
            import metalab, pathlib, time

            @metalab.operation
            def op(params):
                while not pathlib.Path(params["folder"], "go").exists():
                    time.sleep(0.02)
                return {{"y": params["x"]}}

            exp = metalab.Experiment(name="away", version="1", context=None, operation=op,
                params=metalab.grid(x=[1, 2, 3], folder=[{str(tmp_path)!r}]),
                seeds=metalab.seeds(base=1))
            handle = metalab.run(exp, "store", executor={{"slurm": {QUICK!r}}})
            print(handle.status.completed)
        """
        assert script(tmp_path / "away.py", text).strip() == "0"
        (tmp_path / "go").touch()
        handle = metalab.reconnect(tmp_path / "store")
        assert isinstance(handle, SlurmRunHandle)
        results = handle.result(timeout=60)
        assert [r.metrics["y"] for r in results] == [1, 2, 3]
        assert metalab.reconnect(tmp_path / "store").status.completed in {0, 3}
        assert metalab.reconnect(tmp_path / "store").result(timeout=60)

    def test_the_same_script_again_attaches_to_the_jobs_there_are(self, cluster, store, tmp_path):
        exp = experiment(held, x=[1, 2], folder=[str(tmp_path)])
        first = run(exp, store, pilots=2)
        wait_for(lambda: first.status.running == 2)
        second = run(exp, store, pilots=2)
        assert second.job_id == first.job_id
        assert second.job_ids == first.job_ids
        (tmp_path / "go").touch()
        assert len(second.result(timeout=60).successful) == 2
        assert set(successes(store).values()) == {1}

    def test_an_answer_of_sbatch_that_was_lost_costs_nothing(
        self, cluster, store, tmp_path, monkeypatch
    ):
        from metalab_slurm.cluster import Cluster
        from metalab_slurm.commands import SlurmUnavailable

        submit = Cluster.submit

        def lost(self, path):
            submit(self, path)
            raise SlurmUnavailable("sbatch: error: Batch job submission failed: Socket timed out")

        monkeypatch.setattr(Cluster, "submit", lost)
        handle = run(experiment(quick, x=range(5)), store, pilots=2)
        monkeypatch.undo()
        monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
        assert len(handle.job_ids) == 1
        assert len(handle.result(timeout=60).successful) == 5
        assert len(metalab.reconnect(store).job_ids) == 1

    def test_a_launch_whose_submitter_died_before_sbatch_answered_is_found_by_name(
        self, cluster, store, monkeypatch
    ):
        from metalab_slurm.journal import Journal

        monkeypatch.setattr(Journal, "submitted", lambda *_: None)
        run(experiment(quick, x=range(5)), store, pilots=2)
        handle = metalab.reconnect(store)
        assert handle.job_ids == []
        assert len(handle.result(timeout=60).successful) == 5

    def test_where_slurm_is_not_the_files_are_told(self, cluster, store, monkeypatch, tmp_path):
        handle = run(experiment(quick, x=range(5)), store, pilots=1)
        handle.result(timeout=60)
        monkeypatch.setenv("PATH", str(tmp_path))
        again = metalab.reconnect(store)
        assert len(again.result(timeout=60).successful) == 5
        assert "cannot be asked" in again.describe()["words"][0]

    def test_a_copy_of_the_store_is_followed_from_its_files(self, cluster, store, tmp_path):
        run(experiment(quick, x=range(5)), store, pilots=1).result(timeout=60)
        shutil.copytree(store, tmp_path / "copy")
        assert len(metalab.reconnect(tmp_path / "copy").result(timeout=60).successful) == 5

    def test_without_a_launch_that_goes_on_reconnecting_says_what_there_is(self, store):
        metalab.run(experiment(quick, x=[1]), store, executor="inline").result()
        with pytest.raises(MetalabError, match="was executed by 'inline', and nothing of it goes"):
            metalab.reconnect(store)
        with pytest.raises(MetalabError, match="has no launch 'abc'"):
            metalab.reconnect(store, launch="abc")

    def test_three_experiments_at_once_in_one_store(self, cluster, store):
        handles = [run(experiment(short, name, x=range(20)), store, pilots=2) for name in "abc"]
        for handle, name in zip(handles, "abc", strict=True):
            assert len(handle.result(timeout=90).successful) == 20
            assert handle.store.experiment_id == f"{name}:1"
        assert set(successes(store).values()) == {1}


class TestOnDisk:
    def test_the_intent_is_written_before_sbatch_and_no_password_is(self, cluster, store):
        handle = run(experiment(quick, x=[1]), store, pilots=1)
        entries = [
            json.loads(line) for line in (handle.folder / "submit.jsonl").read_text().splitlines()
        ]
        assert [entry["what"] for entry in entries] == ["intend", "submitted"]
        handle.result(timeout=60)
        dispatch = json.loads((handle.folder.parent / "dispatch.json").read_text())
        assert dispatch["options"]["config"]["memory"] == "300M"
        assert (handle.folder.parent / "runs.bin").stat().st_mode & 0o444

    def test_pilots_end_their_segments(self, cluster, store):
        handle = run(experiment(quick, x=range(10)), store, pilots=2)
        handle.result(timeout=60)
        wait_for(lambda: not any(job.is_alive for job in handle._submission.launch.jobs()))
        lines = lines_of(store)
        begun = {line["writer"] for line in lines if line["t"] == "open"}
        assert begun == {line["writer"] for line in lines if line["t"] == "close"}


def doubled(run):
    return 2 * run.metrics["y"]


def doubled_in_a_while(run):
    time.sleep(1.5)
    return 2 * run.metrics["y"]


def doubled_in_vain(run):
    raise ValueError(f"no twice {run.metrics['y']}")


class TestDerivedMetrics:
    def test_jobs_compute_them_for_new_runs_and_for_those_done_before(self, cluster, store):
        metalab.run(experiment(quick, x=[1, 2]), store, executor="inline").result()
        handle = run(experiment(quick, x=[1, 2, 3]), store, pilots=2, derived_metrics=[doubled])
        results = handle.result(timeout=60)
        assert [each.derived for each in results] == [{"doubled": y} for y in (2, 8, 18)]

    def test_where_no_run_is_pending_they_are_waited_for_as_well(self, cluster, store):
        exp = experiment(quick, x=[1, 2])
        metalab.run(exp, store, executor="inline").result()
        handle = run(exp, store, pilots=1, derived_metrics=[doubled_in_a_while])
        results = handle.result(timeout=60)
        assert [each.derived for each in results] == [{"doubled_in_a_while": y} for y in (2, 8)]

    def test_from_another_process_they_are_waited_for_as_well(self, cluster, store, tmp_path):
        run(experiment(quick, x=[1, 2]), store, pilots=1, derived_metrics=[doubled_in_a_while])
        text = """
            import sys
            import metalab

            results = metalab.reconnect(sys.argv[1]).result(timeout=60)
            print([each.derived for each in results])
        """
        said = script(tmp_path / "other.py", text, store)
        assert said.strip() == str([{"doubled_in_a_while": y} for y in (2, 8)])

    def test_what_cannot_be_computed_is_waited_for_no_longer_than_jobs_are_there(
        self, cluster, store
    ):
        exp = experiment(quick, x=[1, 2])
        handle = run(exp, store, pilots=1, derived_metrics=[doubled_in_vain])
        assert [each.derived for each in handle.result(timeout=60)] == [{}, {}]
        assert not any(job.is_alive for job in handle._submission.launch.jobs())


def test_states_of_a_handle_add_up_at_every_moment(cluster, store):
    handle = run(experiment(short, x=range(60)), store, pilots=2)
    while not handle.is_complete:
        status = handle.status
        parts = attrs.asdict(status)
        total = parts.pop("total")
        assert sum(parts.values()) == total
        assert all(part >= 0 for part in parts.values())
    assert handle.status.completed == 60
    assert store_of(store).read()
