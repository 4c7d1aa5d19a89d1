"""The blocks of the documents: what they show is run, and what they say is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The file each document's python blocks are saved as, where its text names one.
SAVED_AS = {"README.md": "mvp.py", "cli.md": "study.py", "slurm.md": "mvp.py"}

# What a python block names that needs a server of its own, and is run by the tests of the plugin.
NEEDS_SERVER = "postgresql://"

# Shell lines that no test runs as they stand, and why.
NOT_RUN = {
    "uv add metalab": "needs an index that has metalab; the wheels are installed by test_wheels",
    "pip install uv && uv run docs/examples/mvp.py": "run by .ci/run in a fresh clone",
    "uv run pytest": "is this very run",
    "uv sync": "run by .ci/run",
    ".ci/run": "runs this test",
    "rsync -a cluster:study/experiments/ experiments/": "needs a second machine; copied instead",
}


def blocks(document, *languages):
    """Return the blocks of a document in these languages, in order."""
    return [body for language, body in FENCE.findall(document.read_text()) if language in languages]


def run(command, cwd, stdin=None):
    """Run a command with metalab on the path, and return what it prints."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def follow(document, folder):
    """Do what a document shows: its python blocks are one script, then come the shell lines."""
    script = SAVED_AS.get(document.name, f"{document.stem.replace('-', '_')}.py")
    here = [body for body in blocks(document, "python") if NEEDS_SERVER not in body]
    (folder / script).write_text("\n\n".join(here))
    said = run([sys.executable, script], folder)
    for block in blocks(document, "bash"):
        lines = [line for line in block.splitlines() if line not in NOT_RUN]
        said += run(["bash", "-euo", "pipefail", "-s"], folder, stdin="\n".join(lines))
    for block in blocks(document, "text"):
        assert block in said, f"{document.name} shows what is not printed:\n{block}\n--\n{said}"
