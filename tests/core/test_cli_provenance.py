"""Where a run comes from, on the command line: show --provenance, show --diff and diff."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

import metalab
from metalab.cli import main

STUDY = """
import metalab


@metalab.operation
def measure(params, capture):
    capture.metric("y", params["x"] * FACTOR)


FACTOR = 2
study = metalab.Experiment(
    name="study",
    version="1",
    context=None,
    operation=measure,
    params=metalab.grid(x=[1, 2]),
    seeds=metalab.seeds(base=1),
)
if __name__ == "__main__":
    import sys
    from metalab.surroundings import git

    git._SECONDS = 60.0  # on a busy machine, it may take longer than a launch waits for it
    metalab.run(study, sys.argv[1], progress=False).result()
"""


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)


def execute(folder, store, **variables):
    subprocess.run(
        [sys.executable, "study.py", str(store)],
        cwd=folder,
        check=True,
        env={**os.environ, "METALAB_NO_DIFF": "", **variables},
    )
    return metalab.load_results(store)


@pytest.fixture
def lab(tmp_path):
    """A checkout with a study in it."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "study.py").write_text(STUDY)
    git(folder, "init", "-b", "work")
    git(folder, "add", "study.py")
    git(folder, "commit", "-m", "one")
    return folder


@pytest.fixture
def said(capsys):
    """Run a command and return its exit code, and what it printed."""

    def said(*words):
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return said


needs_git = pytest.mark.skipif(
    shutil.which("git") is None, reason="git is not installed; apt-get install git"
)


@needs_git
class TestShow:
    def test_provenance_is_told_in_words(self, lab, tmp_path, said):
        (lab / "helper.py").write_text("")
        (lab / "study.py").write_text(f"import helper\n{STUDY}")
        run = execute(lab, tmp_path / "s", OMP_NUM_THREADS="3")[0]
        code, out, err = said("show", run.run_id, "--store", tmp_path / "s", "--provenance")
        assert (code, err) == (0, "")
        lines = [" ".join(line.split()) for line in out.splitlines()]
        extra = run.provenance.extra
        for line in (
            f"commit {extra['git']['commit']}",
            "branch work",
            "OMP_NUM_THREADS 3",
            f"cpus {os.cpu_count()}",
            f"launch {run.record.launch}",
            f"metalab-core {extra['packages']['metalab-core']}",
            f"command study.py {tmp_path / 's'}",
        ):
            assert line in lines
        assert any(line.startswith("untracked helper.py (e3b0c44298fc") for line in lines)

    def test_and_as_json_whole(self, lab, tmp_path, said):
        run = execute(lab, tmp_path / "s")[0]
        _, out, _ = said("show", run.run_id, "--store", tmp_path / "s", "--provenance", "--json")
        told = json.loads(out)
        assert told["extra"] == run.provenance.extra
        assert told["code_hash"] == run.provenance.code_hash

    def test_what_is_not_recorded_is_said_to_be_unknown(self, store, said):
        kept = metalab.FileStore(store).scoped("old:1")
        kept.put_run_record(metalab.RunRecord.success(run_id="0" * 32, experiment_id="old:1"))
        kept.close()
        code, out, _ = said("show", "0", "--store", store, "--provenance")
        assert code == 0
        assert "checkout: unknown" in out
        assert "packages: unknown" in out

    def test_the_changes_are_printed_as_git_says_them(self, lab, tmp_path):
        (lab / "study.py").write_text(STUDY.replace("FACTOR = 2", "FACTOR = 3 # \u00fc"))
        run = execute(lab, tmp_path / "s")[0]
        command = [sys.executable, "-m", "metalab", "show", run.run_id[:8], "--diff"]
        told = subprocess.run(
            [*command, "--store", tmp_path / "s"], check=True, capture_output=True
        ).stdout
        assert told == run.patch()
        (tmp_path / "it.diff").write_bytes(told)
        changed = (lab / "study.py").read_text()
        git(lab, "checkout", "study.py")
        git(lab, "apply", "../it.diff")
        assert (lab / "study.py").read_text() == changed

    def test_equal_changes_are_kept_once_for_all_launches(self, lab, tmp_path):
        (lab / "study.py").write_text(f"{STUDY}# changed\n")
        run = execute(lab, tmp_path / "s")[0]
        kept = metalab.FileStore(tmp_path / "s").scoped("study:1")
        kept.delete_run(run.run_id)
        kept.close()
        execute(lab, tmp_path / "s")
        again = metalab.FileStore(tmp_path / "s").scoped("study:1")
        one, other = (launch["git"]["diff"] for launch in again.launches().values())
        assert one == other
        assert len([*again.get_working_directory().glob("patches/*")]) == 1
        assert again.inspect().is_sound

    @pytest.mark.parametrize(
        ("edit", "variables", "reason"),
        [
            ("", {}, "its checkout was unchanged"),
            ("# x\n", {"METALAB_NO_DIFF": "1"}, "not what in it was kept"),
        ],
    )
    def test_where_there_are_none_it_is_said_why(
        self, lab, tmp_path, said, edit, variables, reason
    ):
        (lab / "study.py").write_text(STUDY + edit)
        run = execute(lab, tmp_path / "s", **variables)[0]
        code, out, err = said("show", run.run_id, "--store", tmp_path / "s", "--diff")
        assert (code, out) == (1, "")
        assert reason in err

    def test_they_are_no_json(self, store, said):
        assert said("show", "0", "--store", store, "--diff", "--json")[0] == 2


@needs_git
class TestDiff:
    def test_a_change_of_code_is_found_with_what_came_of_it(self, lab, tmp_path, said):
        one = execute(lab, tmp_path / "a", LANG="C")[0]
        (lab / "study.py").write_text(STUDY.replace("FACTOR = 2", "FACTOR = 3"))
        execute(lab, tmp_path / "b", LANG="C.UTF-8")
        words = ("diff", one.run_id, one.run_id, "--store", tmp_path / "a", "--other-store")
        code, out, err = said(*words, tmp_path / "b")
        assert (code, err) == (1, "")
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert "y 2 -> 3 (+1)" in lines
        assert "LANG C -> C.UTF-8" in lines
        assert any(line.startswith("dirty False -> True") for line in lines)
        assert any("FACTOR" in line for line in lines)
        assert "params" in lines[-1]
        _, out, _ = said(*words, tmp_path / "b", "--json")
        told = json.loads(out)
        assert told["are_different"] is True
        assert told["metrics"] == [
            {"name": "y", "kind": "changed", "before": 2, "after": 3, "by": 1}
        ]
        assert told["params"] == []

    def test_equal_runs_end_with_0(self, lab, tmp_path, said):
        one = execute(lab, tmp_path / "a")[0]
        execute(lab, tmp_path / "b")
        code, out, _ = said(
            *("diff", one.run_id, one.run_id),
            *("--store", tmp_path / "a", "--other-store", tmp_path / "b"),
        )
        assert code == 0, out
        assert "equal: params, context, seeds, code" in out

    def test_what_is_unknown_is_said_and_ends_with_1(self, lab, tmp_path, said):
        one = execute(lab, tmp_path / "a")[0]
        kept = metalab.FileStore(tmp_path / "b").scoped("study:1")
        kept.put_run_record(one.record)
        kept.close()
        code, out, _ = said(
            *("diff", one.run_id, one.run_id),
            *("--store", tmp_path / "a", "--other-store", tmp_path / "b"),
        )
        assert code == 1
        known, _, unknown = out.partition("unknown, for want of a record:")
        assert "packages: all" in unknown
        assert "packages:" not in known

    def test_what_cannot_be_compared_ends_with_2(self, lab, tmp_path, said):
        one = execute(lab, tmp_path / "a")[0]
        code, out, err = said("diff", one.run_id, "f" * 32, "--store", tmp_path / "a")
        assert (code, out) == (2, "")
        assert "metalab: error: " in err
        assert said("diff", one.run_id, one.run_id, "--store", tmp_path / "none")[0] == 2
