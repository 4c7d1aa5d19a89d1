"""The same experiment gives the same ids and metrics, however and wherever it is executed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
import datetime, decimal, enum, json, pathlib, sys
import metalab

class Color(enum.Enum):
    RED = 1
    BLUE = 2

@metalab.operation
def measure(params, seeds, capture):
    rng = seeds.rng()
    for step in range(3):
        capture.metric("walk", rng.gauss(0, 1), step=step)
    capture.metric("value", seeds.rng("other").random())
    capture.metric("size", len(params["bag"]))

cases = [
    {"bag": {"b", "a", "c"}, "x": 0.1, "c": Color.RED},
    {"bag": frozenset({1, 2, 3}), "x": 1e300, "c": Color.BLUE},
    {"bag": {("t", 1), ("u", 2)}, "x": float("nan"), "c": None},
    {"bag": {"k": [1, {"z": 1, "a": 2}]}, "x": -0.0, "c": pathlib.PurePosixPath("a/b")},
    {"bag": b"bytes", "x": 2**80, "c": decimal.Decimal("1.10")},
    {"bag": "text", "x": 1 + 2j, "c": datetime.datetime(2026, 1, 2, 3, 4, 5)},
]
if sys.argv[2] == "reversed":
    cases.reverse()
exp = metalab.Experiment(
    name="same", version="1", context={"n": {3, 1, 2}}, operation=measure,
    params=metalab.manual(cases), seeds=metalab.seeds(base=5, replicates=4),
)
executor = None if sys.argv[3] == "1" else metalab.ThreadExecutor(int(sys.argv[3]))
results = metalab.run(exp, sys.argv[1], executor=executor, progress=False).result()
print(json.dumps({
    run.run_id: [run.params["x"].__repr__(), run.replicate, run.metrics, run.data("walk")]
    for run in results
}, sort_keys=True))
"""


@pytest.fixture
def execute(tmp_path):
    script = tmp_path / "same.py"
    script.write_text(textwrap.dedent(SCRIPT))

    def execute(store, *, hash_seed="random", order="forward", threads=1, as_module=False):
        how = ["-c", "import same"] if as_module else [str(script)]
        done = subprocess.run(
            [sys.executable, *how, str(tmp_path / store), order, str(threads)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return execute


def test_hash_seed_order_threads_and_import_change_nothing(execute):
    reference = execute("reference", hash_seed="0")
    assert len(reference) == 24
    others = [
        execute("one", hash_seed="1"),
        execute("two", hash_seed="2"),
        execute("reversed", order="reversed"),
        execute("threads", threads=4),
    ]
    for other in others:
        assert other == reference


def test_a_resumed_store_gives_the_same_results(execute):
    first = execute("again")
    assert execute("again", hash_seed="3", threads=4) == first
