"""Plugins of earlier contracts go on working.

``v0_1`` is a distribution as it was written for metalab-core 0.1. It is never edited: that it
works with the core of today is what the ranges of other plugins rely on.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from plugin_tools import install

HERE = Path(__file__).parent
FROZEN = HERE / "v0_1"
PROJECT = tomllib.loads((FROZEN / "pyproject.toml").read_text())["project"]

SWEEP = """
import metalab
from frozen_v0_1.line import Line

@metalab.operation
def operation(params, capture):
    capture.metric("area", params["square"].side ** 2)
    capture.artifact("square", params["square"])
    capture.log("done")

experiment = metalab.Experiment(
    name="frozen", version="1", context={}, operation=operation,
    params=Line(4, 0.5), seeds=metalab.seeds(base=1, replicates=2),
)
handle = metalab.run(experiment, STORE, executor=EXECUTOR, progress=False)
results = handle.result(50)
"""


def frozen_path(folder):
    """Install the frozen distribution as its own pyproject says; return what PYTHONPATH is."""
    site = install(
        folder,
        PROJECT["name"],
        PROJECT["entry-points"],
        version=PROJECT["version"],
        requires=PROJECT["dependencies"],
    )
    return os.pathsep.join([str(site), str(FROZEN / "src")])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return frozen_path(tmp_path_factory.mktemp("site"))


def executed(site, *words, cwd):
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": site},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def said(site, script, cwd, executor="frozen"):
    """Execute the script in a process that finds the frozen plugins, and read what it prints."""
    names = f"STORE, EXECUTOR = 'frozen://{cwd}/store', {executor!r}\n"
    file = cwd / "sweep.py"
    file.write_text(names + textwrap.dedent(script))
    return json.loads(executed(site, str(file), cwd=cwd))


class TestFrozen:
    def test_its_range_admits_the_core_of_today(self):
        (text,) = PROJECT["dependencies"]
        assert Requirement(text).specifier.contains(version("metalab-core")), (
            f"{FROZEN.name} asks for {text}: freeze a plugin of the new contract beside it"
        )

    def test_it_was_not_edited(self):
        files = [
            path
            for path in sorted(FROZEN.rglob("*"))
            if path.is_file() and path.parent.name != "__pycache__"
        ]
        sums = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(HERE)}"
            for path in files
        ]
        assert sums == (HERE / "v0_1.sha256").read_text().splitlines(), (
            "what was frozen is never edited, whatever core becomes"
        )

    @pytest.mark.parametrize("executor", ["frozen", "process"])
    def test_a_sweep_is_executed_with_all_four(self, site, tmp_path, executor):
        script = SWEEP + textwrap.dedent("""
            import json
            print(json.dumps([[run.status.value, run.metrics["area"]] for run in results]))
        """)
        found = said(site, script, tmp_path, executor)
        assert sorted(found) == sorted(["success", area] for area in (1, 2.25, 4, 6.25) * 2)

    def test_another_process_reads_and_resumes_it(self, site, tmp_path):
        said(site, SWEEP + "\nprint(1)", tmp_path)
        script = SWEEP + textwrap.dedent("""
            import json
            again = metalab.load_results(STORE, "frozen:1")
            square = again[0].artifact("square")
            launches = {run.record.launch for run in again}
            print(json.dumps([len(again), type(square).__name__, square.side, len(launches)]))
        """)
        assert said(site, script, tmp_path) == [8, "Square", 1.0, 1], "the second found all done"

    def test_the_command_finds_nothing_wrong_with_it(self, site, tmp_path):
        rows = json.loads(
            executed(site, "-m", "metalab", "plugins", "--check", "--json", cwd=tmp_path)
        )
        found = {
            row["group"]: row["problem"] for row in rows if row["distribution"] == PROJECT["name"]
        }
        assert found == dict.fromkeys(PROJECT["entry-points"])

    def test_it_keeps_the_contracts_of_today(self, site, tmp_path):
        options = ["-q", "-p", "no:cacheprovider", "--noconftest", "-c", os.devnull]
        executed(site, "-m", "pytest", *options, str(HERE / "frozen_kits.py"), cwd=tmp_path)
