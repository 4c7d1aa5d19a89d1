"""A user's folder with scripts and a store that is retried from elsewhere, by real processes."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

METALAB = str(Path(sys.executable).with_name("metalab"))

# Fails for x > 0 until the folder of the script has a file "ready"; each call leaves a line.
OPERATION = """
import os
from pathlib import Path
import metalab

HERE = Path(__file__).parent

@metalab.operation
def work(params, seeds, capture):
    with open(HERE / "calls", "a") as calls:
        calls.write(f"{params['x']}\\n")
    if params["x"] > 0 and not (HERE / "ready").exists():
        raise RuntimeError(f"out of memory at {params['x']}")
    capture.metric("score", seeds.rng().random() + params["x"])
"""
EXPERIMENT = """
experiment = metalab.Experiment(
    name="study", version="1", context={}, operation=work,
    params=metalab.grid(x=[0, 1, 2]), seeds=metalab.seeds(base=1),
)
"""
LAUNCH = "metalab.run(experiment, progress=False).result()\n"
GUARDED = 'if __name__ == "__main__":\n    ' + LAUNCH
STUDY = OPERATION + EXPERIMENT + GUARDED


class Site:
    """A folder with a user's files and a store, and another one to work in."""

    def __init__(self, root):
        self.there, self.elsewhere = root / "there", root / "elsewhere"
        self.there.mkdir()
        self.elsewhere.mkdir()
        self.store = self.there / "experiments"

    def write(self, text, name="study.py"):
        path = self.there / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def launch(self, *words, **options):
        done = self._start([sys.executable, *(words or ("study.py",))], self.there, **options)
        assert done.returncode == 0, done.stderr

    def retry(self, *words, store=None):
        return self._start([METALAB, "retry", str(store or self.store), *words], self.elsewhere)

    def retried(self, *words, store=None):
        done = self.retry(*words, "--json", "--quiet", store=store)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def get_ready(self):
        (self.there / "ready").touch()
        (self.there / "calls").unlink(missing_ok=True)

    @property
    def calls(self):
        calls = self.there / "calls"
        return calls.read_text().split() if calls.exists() else []

    def segments(self):
        return list(self.store.rglob("runs/*.jsonl"))

    def files(self):
        return {path: path.stat().st_mtime_ns for path in self.store.rglob("*")}

    @staticmethod
    def _start(command, folder, **options):
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, **options
        )


def counts(summary):
    return [summary[name] for name in ("total", "completed", "skipped", "failed")]


def refusal(site, *words):
    """Retry what is to be refused: one line of words, and nothing executed or written."""
    before, calls = site.files(), site.calls
    done = site.retry(*words)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert (site.files(), site.calls) == (before, calls)
    assert list(site.elsewhere.iterdir()) == []
    (line,) = done.stderr.splitlines()
    return line.removeprefix("metalab: error: ")
