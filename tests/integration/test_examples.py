"""The examples run as they stand, and running one again executes nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import metalab

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "docs" / "examples"


def _run(script, cwd):
    done = subprocess.run(
        [sys.executable, EXAMPLES / script],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _files(cwd):
    return {path: path.read_bytes() for path in (cwd / "experiments").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Where each example was run once, and what it printed."""
    ran = {}

    def run(script):
        if script not in ran:
            cwd = tmp_path_factory.mktemp(Path(script).stem)
            ran[script] = cwd, _run(script, cwd)
        return ran[script]

    return run


@pytest.mark.parametrize(
    ("script", "experiment", "runs"),
    [
        ("mvp.py", "mvp:0.1", 6),
        ("digits.py", "digits:1", 18),
        ("monte_carlo.py", "percolation:1", 1200),
    ],
)
def test_an_example_runs_and_a_second_time_it_executes_nothing(script, experiment, runs, done):
    cwd, first = done(script)
    before = _files(cwd)
    assert _run(script, cwd) == first
    assert _files(cwd) == before
    results = metalab.load_results(cwd / "experiments", experiment)
    assert (len(results), len(results.successful)) == (runs, runs)


def test_every_example_is_tested():
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    assert scripts == {"mvp.py", "digits.py", "monte_carlo.py"}


def test_the_digits_are_read_well_and_everything_is_kept(done):
    cwd, _ = done("digits.py")
    results = metalab.load_results(cwd / "experiments", "digits:1")
    nearest = results.filter(model="neighbours", neighbours=1)
    assert all(run.metrics["accuracy"] > 0.97 for run in nearest)
    (linear, *_) = results.filter(model="linear", alpha=1e-3)
    assert [step for step, _ in linear.series("epoch_accuracy")] == list(range(8))
    assert linear.series("epoch_accuracy")[-1][1] == linear.metrics["accuracy"]
    assert linear.artifact("weights").shape == (10, 64)
    (figure,) = (kept for kept in linear.artifacts() if kept.name == "confusion")
    with results.store.open_artifact(figure) as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    assert "example" in linear.tags


def test_larger_lattices_come_closer_to_the_known_threshold(done):
    _, said = done("monte_carlo.py")
    values = re.findall(r"size +(\d+): threshold (\S+) \+- (\S+) from \d+ runs", said)
    assert [int(size) for size, _, _ in values] == [8, 16, 32]
    _, value, error = values[-1]
    assert abs(float(value) - 0.592746) < 3 * float(error)
