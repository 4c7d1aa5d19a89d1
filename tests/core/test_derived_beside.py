"""Derived values of a store that somebody else may only read are kept beside it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys

import pytest

import metalab
from core.store_tools import EXPERIMENT, TESTS, made, store_at

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are those of POSIX")

# All that is imported later is imported before the user is another one, who may not see it.
SCRIPT = f"""
import os, sys, metalab
source, data, trial = sys.argv[1:]

def doubled(run):
    return 2 * run.metrics["score"]

def work(store):
    results = metalab.load_results(store, {EXPERIMENT!r})
    before = [run.derived for run in results]
    results.compute_derived(doubled)
    rows = metalab.load_results(store, {EXPERIMENT!r})
    return before, [run.derived for run in rows]

os.environ["XDG_DATA_HOME"] = trial + "-data"
work(trial)
os.environ["XDG_DATA_HOME"] = data
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
print(work(source))
"""


@pytest.fixture
def data(public_path, monkeypatch):
    folder = public_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


@pytest.fixture
def closed(public_path, data):
    """A store that its reader cannot write to, and what opens it again."""
    for name in ("store", "trial"):
        store = store_at(public_path / name)
        with store.writer("launch") as writer:
            for n in range(3):
                writer.put(made(n, index=n))
        store.close()
    source = public_path / "store"
    folders = [source, *(path for path in source.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield source
    for folder in folders:
        folder.chmod(0o755)


def reading(store, data):
    """Compute and read as somebody who may only read the store."""
    arguments = (str(store), str(data), str(store.parent / "trial"))
    # Another user cannot write what measures coverage, either.
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env={**unmeasured, "PYTHONPATH": TESTS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return ast.literal_eval(done.stdout)


EMPTY = [{}, {}, {}]
DOUBLED = [{"doubled": 1.0}, {"doubled": 3.0}, {"doubled": 5.0}]


def test_they_are_kept_beside_and_found_again(closed, data):
    content = sorted(closed.rglob("*"))
    assert reading(closed, data) == (EMPTY, DOUBLED)
    assert reading(closed, data) == (DOUBLED, DOUBLED)
    assert sorted(closed.rglob("*")) == content
    assert len(list(data.rglob("*.jsonl"))) == 1


def test_they_are_shown_with_the_store_and_with_a_copy_of_it(closed, data, tmp_path):
    reading(closed, data)
    shutil.copytree(closed, tmp_path / "copy")
    for place in (closed, tmp_path / "copy"):
        results = metalab.load_results(place, EXPERIMENT)
        assert [run.derived for run in results] == DOUBLED
        table = results.to_dataframe(include_derived=True)
        assert table["derived_doubled"].tolist() == [1.0, 3.0, 5.0]


def test_values_of_another_record_are_stale(closed, data, tmp_path):
    reading(closed, data)
    shutil.copytree(closed, tmp_path / "copy", copy_function=shutil.copy)
    for folder in [tmp_path / "copy", *(p for p in (tmp_path / "copy").rglob("*") if p.is_dir())]:
        folder.chmod(0o755)
    store = store_at(tmp_path / "copy")
    with store.writer("launch", "1") as writer:
        writer.put(made(1, index=1, metrics={"score": 7.0}, attempt=2))
    results = metalab.load_results(store)
    assert [run.derived for run in results] == [DOUBLED[0], {}, DOUBLED[2]]


def test_a_store_that_is_open_again_takes_the_later_revision(closed, data, tmp_path):
    reading(closed, data)
    shutil.copytree(closed, tmp_path / "copy")
    for folder in [tmp_path / "copy", *(p for p in (tmp_path / "copy").rglob("*") if p.is_dir())]:
        folder.chmod(0o755)

    def doubled(run):
        return 20 * run.metrics["score"]

    metalab.load_results(tmp_path / "copy", EXPERIMENT).compute_derived(doubled)
    results = metalab.load_results(tmp_path / "copy", EXPERIMENT)
    assert [run.derived["doubled"] for run in results] == [10.0, 30.0, 50.0]


def test_an_open_store_keeps_its_own(tmp_path, data):
    store = store_at(tmp_path / "store")
    with store.writer("launch") as writer:
        writer.put(made(0))
    metalab.load_results(store).compute_derived(shifted)
    assert metalab.load_results(store)[0].derived == {"shifted": 1}
    assert list(data.rglob("*")) == []


def shifted(run):
    return run.metrics["score"] + 0.5
