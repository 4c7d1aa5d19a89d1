"""From a copy by rsync to a report, without the script that ran and the folder it ran in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    shutil.which("rsync") is None, reason="rsync is not installed; apt-get install rsync"
)

CLUSTER = """
import metalab

@metalab.operation
def fit(params, seeds, capture):
    rng = seeds.rng()
    if params["model"] == "tree" and params["lr"] == 0.1 and seeds.replicate_index == 3:
        raise MemoryError("the tree does not fit")
    loss = 1.0
    for step in range(10):
        loss *= 1 - params["lr"] * rng.uniform(0.5, 1)
        capture.metric("loss", loss, step=step)
    capture.metric("acc", 1 - loss - (0.1 if params["model"] == "tree" else 0))
    capture.artifact("weights", [loss] * 3)

metalab.run(
    metalab.Experiment(
        name="fit",
        version="1",
        context=None,
        operation=fit,
        params=metalab.grid(model=["svm", "tree"], lr=[0.01, 0.03, 0.1]),
        seeds=metalab.seeds(base=7, replicates=4),
    ),
    store="experiments",
).wait()
"""

LAPTOP = """
import json, sys, warnings
import matplotlib
matplotlib.use("Agg")
import metalab

warnings.simplefilter("ignore", metalab.errors.AggregateWarning)

def start(run):
    return run.series("loss")[0][1]

results = metalab.load_results("copy", "fit:1")
results.compute_derived(start)
best = results.best("acc")
compared = results.compare({"model": "svm"}, {"model": "tree"}, "acc")
results.plot("lr", "acc", hue="model").figure.savefig("acc.png")
page = results.report("report.html")
groups = list(results.aggregate("acc").rows())
print(json.dumps({
    "runs": len(results),
    "failed": [run.error["type"] for run in results.failed],
    "best": best.params,
    "derived": sum("start" in run.derived for run in results),
    "difference": compared.difference,
    "pairs": compared.pairs,
    "groups": [[g["model"], g["lr"], g["acc.n"], g["failed"]] for g in groups],
    "page": str(page),
    "weights": best.artifact("weights"),
}))
"""


def run(script, folder):
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_whole_way_from_rsync_to_report(tmp_path):
    cluster, laptop = tmp_path / "cluster", tmp_path / "laptop"
    cluster.mkdir()
    laptop.mkdir()
    run(CLUSTER, cluster)
    copy = ["rsync", "-a", "--exclude=cache", f"{cluster}/experiments/", f"{laptop}/copy/"]
    subprocess.run(copy, check=True)
    shutil.rmtree(cluster)
    told = json.loads(run(LAPTOP, laptop))
    assert told["runs"] == 24
    assert told["failed"] == ["MemoryError"]
    assert told["best"] == {"lr": 0.1, "model": "svm"}
    assert told["derived"] == 23
    assert told["pairs"] == 11
    assert told["difference"] == pytest.approx(0.1)
    assert told["groups"].count(["tree", 0.1, 3, 1]) == 1
    assert len(told["groups"]) == 6
    assert len(told["weights"]) == 3
    assert (laptop / "acc.png").read_bytes().startswith(b"\x89PNG")
    page = (laptop / "report.html").read_text()
    assert "fit:1" in page
    assert "default-src 'none'" in page
