"""Runs are retried from the store alone: real scripts, real processes, another folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

import metalab
from metalab.records import Status
from retry_site import EXPERIMENT, GUARDED, LAUNCH, METALAB, OPERATION, STUDY, Site, counts, refusal


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


class TestScript:
    @pytest.mark.parametrize("launch", [LAUNCH, GUARDED], ids=["unguarded", "guarded"])
    def test_the_failed_runs_of_a_script_and_no_others_are_executed(self, site, launch):
        site.write(OPERATION + EXPERIMENT + launch)
        site.launch()
        first = metalab.load_results(site.store)
        site.get_ready()
        assert counts(site.retried()) == [3, 2, 1, 0]
        assert site.calls == ["1", "2"]
        results = metalab.load_results(site.store)
        assert [run.run_id for run in results] == [run.run_id for run in first]
        assert {run.provenance.code_hash for run in results} == {first[0].provenance.code_hash}
        assert [[a.status.value for a in run.attempts()] for run in results] == [
            ["success"],
            ["failed", "success"],
            ["failed", "success"],
        ]
        assert list(site.elsewhere.iterdir()) == []

    def test_a_file_that_the_command_ran_is_found_too(self, site):
        site.write(STUDY)
        subprocess.run([METALAB, "run", "study.py"], cwd=site.there, check=False)
        site.get_ready()
        assert counts(site.retried("-j", "2")) == [3, 2, 1, 0]

    def test_processes_do_not_run_the_script_once_more(self, site):
        site.write(OPERATION + EXPERIMENT + LAUNCH + "print('to the end')\n")
        site.launch()
        site.get_ready()
        done = site.retry("--executor", "process", "-j", "2")
        assert (done.returncode, "to the end" in done.stdout + done.stderr) == (0, False)
        assert sorted(site.calls) == ["1", "2"]
        assert list(site.elsewhere.iterdir()) == []

    def test_runs_that_fail_again_are_told_with_their_cause(self, site):
        site.write(STUDY)
        site.launch()
        done = site.retry("--where", "x = 2")
        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            f"study:1: 2 runs: 1 done before, 1 failed, in {site.store}",
            f"  1 failed: RuntimeError: out of memory at 2 (metalab show {self._id(site, 2)[:8]})",
        ]
        assert [len(run.attempts()) for run in metalab.load_results(site.store)] == [1, 1, 2]

    def test_a_second_retry_finds_what_the_first_did(self, site):
        site.write(STUDY)
        site.launch()
        assert counts(site.retried("--where", "x = 1")) == [2, 0, 1, 1]
        site.get_ready()
        assert counts(site.retried()) == [3, 2, 1, 0]
        done = site.retry()
        assert (done.returncode, done.stdout) == (
            0,
            f"study:1: nothing to retry; 3 runs: 3 done before, in {site.store}\n",
        )

    def test_runs_that_never_began_are_left_to_run(self, site):
        site.write(
            OPERATION + EXPERIMENT + LAUNCH.replace("progress", "on_failure='stop', progress")
        )
        site.launch()
        site.get_ready()
        assert counts(site.retried()) == [2, 1, 1, 0]
        assert site.calls == ["1"]
        assert len(metalab.load_results(site.store)) == 2

    def test_a_run_whose_process_died_is_retried(self, site):
        dying = """while '"running"' not in "".join(
            path.read_text() for path in (HERE / "experiments").rglob("runs/*.jsonl")
        ):
            pass
        os.kill(os.getpid(), 9)
        """
        site.write(STUDY.replace("raise RuntimeError", f"{dying}#"))
        with pytest.raises(AssertionError):
            site.launch()
        site.get_ready()
        assert counts(site.retried("--failed")) == [1, 0, 1, 0]
        assert counts(site.retried()) == [2, 1, 1, 0]
        (run,) = metalab.load_results(site.store).filter(x=1)
        assert [attempt.status for attempt in run.attempts()][-1] is Status.SUCCESS
        assert run.record.attempt == 2

    def test_a_store_is_retried_where_it_was_copied_to(self, site):
        """File times of the copy say nothing about which plan is the newest."""
        site.write(STUDY.replace("[0, 1, 2]", "[0, 1]"))
        site.launch()
        site.write(STUDY)
        site.launch()
        copy = site.elsewhere / "copy"
        shutil.copytree(site.store, copy)
        shutil.rmtree(site.store)
        for age, path in enumerate(sorted(copy.rglob("manifests/*.json"))):
            os.utime(path, (age, age))
        for age, path in enumerate(sorted(copy.rglob("launch.json"), key=os.path.getmtime)):
            os.utime(path, (1000 - age, 1000 - age))
        site.get_ready()
        assert counts(site.retried(store=copy)) == [3, 2, 1, 0]

    @staticmethod
    def _id(site, x):
        (run,) = metalab.load_results(site.store).filter(x=x)
        return run.run_id


class TestChoice:
    def test_filters_ask_for_errors_and_for_params(self, site):
        site.write(STUDY)
        site.launch()
        site.get_ready()
        assert counts(site.retried("--where", "error ~= 'disk'")) == [1, 0, 1, 0]
        assert counts(site.retried("--where", "error ~= 'memory' and x < 2")) == [2, 1, 1, 0]
        assert site.calls == ["1"]

    def test_runs_are_named_by_what_their_ids_begin_with(self, site):
        site.write(STUDY)
        site.launch()
        done, one, two = (run.run_id for run in metalab.load_results(site.store))
        site.get_ready()
        assert counts(site.retried(two[:10], done)) == [2, 1, 1, 0]
        assert site.calls == ["2"]
        assert counts(site.retried(one, "--where", "x = 2")) == [2, 0, 2, 0]

    def test_a_run_that_only_an_earlier_plan_had_is_refused(self, site):
        site.write(STUDY)
        site.launch()
        (earlier,) = metalab.load_results(site.store).filter(x=2)
        site.write(STUDY.replace("[0, 1, 2]", "[0, 1]"))
        site.launch()
        assert f"run {earlier.run_id} is of an earlier plan of study:1" in refusal(
            site, earlier.run_id
        )
        assert counts(site.retried()) == [2, 0, 1, 1]


class TestFunction:
    def test_a_script_retries_its_own_runs(self, site):
        """The module is at hand, as ``__main__``, and is not loaded once more."""
        site.write(
            OPERATION
            + EXPERIMENT
            + LAUNCH
            + "(HERE / 'ready').touch()\n"
            + "handle = metalab.retry('experiments', progress=False)\n"
            + "print(len(handle.result().successful), handle.status.skipped)\n"
        )
        site.launch()
        assert site.calls == ["0", "1", "2", "1", "2"]
        assert {run.status for run in metalab.load_results(site.store)} == {Status.SUCCESS}

    def test_runs_of_a_launch_that_goes_on_are_waited_for(self, site):
        waiting = "while not (HERE / 'ready').exists(): __import__('time').sleep(0.05) #"
        site.write(STUDY.replace("raise RuntimeError", waiting))
        first = subprocess.Popen([sys.executable, "study.py"], cwd=site.there)
        _wait(first, lambda: '"running"' in "".join(p.read_text() for p in site.segments()))
        command = [METALAB, "retry", str(site.store), "--json", "--quiet"]
        second = subprocess.Popen(command, cwd=site.elsewhere, stdout=subprocess.PIPE)
        _wait(second, lambda: len([*site.store.rglob("launch.json")]) == 2)
        (site.there / "ready").touch()
        said, _ = second.communicate(timeout=60)
        assert (first.wait(60), second.returncode) == (0, 0)
        assert counts(json.loads(said)) == [2, 1, 1, 0]
        assert site.calls == ["0", "1", "2"]


def _wait(process, has_happened):
    while not has_happened():
        assert process.poll() is None
        time.sleep(0.05)
