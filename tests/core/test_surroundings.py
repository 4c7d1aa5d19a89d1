"""What a launch says of its packages, machine, settings and command; and what it never says."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import pytest

import metalab
from metalab.surroundings import (
    describe_machine,
    imported_libraries,
    installed_packages,
    machine as machine_module,
    masked_words,
    telling_variables,
)


class TestPackages:
    def test_they_are_those_that_metadata_tells(self):
        told = installed_packages()
        for name in ("metalab-core", "attrs", "msgspec", "pluggy", "pytest"):
            assert told[name] == importlib.metadata.version(name)
        assert list(told) == sorted(told)

    def test_of_two_versions_the_one_that_is_imported_is_told(self, tmp_path, monkeypatch):
        for place, version in (("first", "2.0+cu121"), ("second", "1.0")):
            (tmp_path / place / f"Some_Thing.x-{version}.dist-info").mkdir(parents=True)
            monkeypatch.syspath_prepend(tmp_path / place)
        assert installed_packages()["some-thing-x"] == "1.0"

    @pytest.mark.parametrize(
        "name", ["old-1.2.egg-info", "old-1.2-py3.11.egg-info", "old-1.2-py3.11-linux.egg-info"]
    )
    def test_older_kinds_of_metadata_are_known(self, name, tmp_path, monkeypatch):
        (tmp_path / name).mkdir()
        monkeypatch.syspath_prepend(tmp_path)
        assert installed_packages()["old"] == "1.2"

    def test_strange_places_to_import_from_are_passed_over(self, tmp_path, monkeypatch):
        (tmp_path / "a.zip").write_bytes(b"")
        (tmp_path / "-info").mkdir()
        for place in (str(tmp_path / "a.zip"), str(tmp_path / "gone"), "nul\0", str(tmp_path)):
            monkeypatch.syspath_prepend(place)
        assert "attrs" in installed_packages()

    def test_imported_libraries_are_neither_python_s_nor_the_user_s(self):
        told = imported_libraries()
        assert {"attrs", "msgspec", "pytest", "metalab"} <= set(told)
        assert not {"json", "os", "core", "conftest", "test_surroundings"} & set(told)


class TestMachine:
    def test_it_is_described(self):
        told = describe_machine()
        assert told.keys() == {"cpu", "cpus", "usable_cpus", "memory", "gpus"}
        assert told["cpus"] == os.cpu_count()
        assert 1 <= told["usable_cpus"] <= told["cpus"]
        assert told["memory"] > 1 << 20
        json.dumps(told, allow_nan=False)

    def test_cards_are_read_from_the_driver(self, tmp_path, monkeypatch):
        for place, model in (("0000:02:00.0", "NVIDIA B"), ("0000:01:00.0", "NVIDIA A")):
            (tmp_path / place).mkdir()
            (tmp_path / place / "information").write_text(f"Model: \t\t {model}\nIRQ:   64\n")
        monkeypatch.setattr(machine_module, "_CARDS", tmp_path)
        assert describe_machine()["gpus"] == ["NVIDIA A", "NVIDIA B"]

    @pytest.mark.parametrize(
        ("script", "seconds", "told"),
        [
            ("echo NVIDIA A; echo NVIDIA B", 60, ["NVIDIA A", "NVIDIA B"]),
            ("echo it has failed; exit 9", 60, None),
            ("exec sleep 600", 0.5, None),
        ],
    )
    def test_without_that_its_program_is_asked_and_not_waited_for(
        self, script, seconds, told, tmp_path, monkeypatch
    ):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr(machine_module, "_CARDS", tmp_path / "gone")
        monkeypatch.setattr(machine_module, "_SECONDS", seconds)
        assert describe_machine()["gpus"] == told

    def test_without_both_there_are_none(self, tmp_path, monkeypatch):
        monkeypatch.setattr(machine_module, "_CARDS", tmp_path / "gone")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert describe_machine()["gpus"] == []


class TestVariables:
    def test_those_that_results_may_depend_on_are_kept(self):
        kept = {
            "CUDA_VISIBLE_DEVICES": "0,1",
            "OMP_NUM_THREADS": "4",
            "MKL_NUM_THREADS": "2",
            "SLURM_JOB_ID": "17",
            "PYTHONHASHSEED": "0",
        }
        assert telling_variables({**kept, "HOME": "/home/x", "EDITOR": "vi"}) == kept

    @pytest.mark.parametrize(
        "name",
        [
            *("SLURM_JWT", "METALAB_TOKEN", "OMP_API_KEY", "JAX_SECRET", "METALAB_Password"),
            *("SLURM_CREDENTIALS", "XLA_AUTH", "METALAB_PGPASSWORD", "SLURM_COOKIE"),
        ],
    )
    def test_one_whose_name_hints_at_a_secret_never_is(self, name):
        assert telling_variables({name: "hunter2", "LANG": "C"}) == {"LANG": "C"}

    def test_passwords_in_addresses_are_masked(self):
        told = telling_variables({"METALAB_STORE": "postgresql://me:hunter2@db/x?password=hunter2"})
        assert told == {"METALAB_STORE": "postgresql://me:***@db/x?password=***"}

    def test_long_ones_are_cut_and_all_can_be_written(self):
        told = telling_variables({"PYTHONPATH": "x" * 10_000, "LANG": "\udcff"})
        assert len(told["PYTHONPATH"]) == 4096
        json.dumps(told, ensure_ascii=False).encode()


class TestCommand:
    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["--password=hunter2"], ["--password=***"]),
            (["--password=hun ter,2"], ["--password=***"]),
            (["--api-key", "hunter2", "x"], ["--api-key", "***", "x"]),
            (["--token", "--lr", "1"], ["--token", "--lr", "1"]),
            (["WANDB_API_KEY=hunter2"], ["WANDB_API_KEY=***"]),
            (["db.password=hunter2"], ["db.password=***"]),
            (["https://me:hunter2@host/x"], ["https://me:***@host/x"]),
            (["https://me:hun@ter2@host/x"], ["https://me:***@host/x"]),
            (["https://ghp_0123@host/x"], ["https://***@host/x"]),
            (["postgresql://me@host/x"], ["postgresql://me@host/x"]),
            (["https://h/x?a=1&access_token=ab&b=2"], ["https://h/x?a=1&access_token=***&b=2"]),
            (["Authorization: Bearer hunter2"], ["Authorization: Bearer ***"]),
            (["hf_0123456789abcdefghij"], ["***"]),
            (["--lr=0.1", "model=tree", "a@b"], ["--lr=0.1", "model=tree", "a@b"]),
        ],
    )
    def test_what_is_secret_is_masked_and_nothing_else(self, words, told):
        assert masked_words(["train.py", *words]) == ["train.py", *told]


SCRIPT = """
import metalab
from metalab.surroundings import git

git._SECONDS = 60.0  # on a busy machine, it may take longer than a launch waits for it

@metalab.operation
def op(capture):
    capture.metric("x", 1)

study = metalab.Experiment(
    name="study", version="1", context=None, operation=op, params=metalab.grid(a=[1]),
    seeds=metalab.seeds(base=1),
)
metalab.run(study, progress=False).result()
"""


class TestLaunch:
    def test_it_keeps_all_of_this_and_no_secret(self, tmp_path):
        (tmp_path / "study.py").write_text(SCRIPT)
        secrets = {"METALAB_TOKEN": "hunter2", "SLURM_JWT": "hunter2", "OMP_NUM_THREADS": "3"}
        subprocess.run(
            [sys.executable, "study.py", "--password=hunter2", "https://hunter2@host"],
            cwd=tmp_path,
            env={**os.environ, **secrets, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
            check=True,
        )
        for path in (tmp_path / "experiments").rglob("*"):
            assert path.is_dir() or b"hunter2" not in path.read_bytes()
        (run,) = metalab.load_results(tmp_path / "experiments")
        extra = run.provenance.extra
        assert extra["command"] == ["study.py", "--password=***", "https://***@host"]
        assert extra["variables"]["OMP_NUM_THREADS"] == "3"
        assert extra["packages"]["metalab-core"] == importlib.metadata.version("metalab-core")
        assert extra["machine"]["cpus"] == os.cpu_count()
        assert extra["implementation"] == sys.implementation.name
        assert extra["executable"] == sys.executable
        assert extra["git"] is None
        assert "torch" not in extra["imported"]

    @pytest.mark.skipif(
        shutil.which("git") is None, reason="git is not installed; apt-get install git"
    )
    def test_code_that_is_started_from_elsewhere_has_its_own_checkout(self, tmp_path):
        lab, scratch = tmp_path / "lab", tmp_path / "scratch"
        for folder in (lab, scratch):
            folder.mkdir()
        (lab / "study.py").write_text(SCRIPT)
        subprocess.run(["git", "init", "-b", "mine"], cwd=lab, check=True, capture_output=True)
        command = [sys.executable, str(lab / "study.py")]
        beyond = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
        subprocess.run(command, cwd=scratch, env=beyond, check=True)
        (run,) = metalab.load_results(scratch / "experiments")
        assert run.provenance.extra["git"]["branch"] == "mine"
        assert list(run.provenance.extra["git"]["untracked"]) == ["study.py"]

    def test_a_command_of_bytes_that_are_no_text_is_kept_readable(self, tmp_path):
        (tmp_path / "study.py").write_text(SCRIPT)
        command = [os.fsencode(sys.executable), b"study.py", b"\xff"]
        subprocess.run(command, cwd=tmp_path, check=True)
        (run,) = metalab.load_results(tmp_path / "experiments")
        assert run.provenance.extra["command"] == ["study.py", "\\udcff"]
