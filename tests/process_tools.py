"""What tests of worker processes share: a journal of what was executed, scripts of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import metalab

SECONDS = 50
"""How long anything may take before it counts as hung."""


def note(context, what):
    """Add a line to the journal, which no death can lose."""
    descriptor = os.open(context["journal"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{what}\n".encode())
    os.close(descriptor)


def executed(folder):
    """Count the lines of the journal."""
    path = Path(folder, "journal")
    return Counter(path.read_text().split()) if path.exists() else Counter()


def experiment(folder, operation, runs=6, **fields):
    """Return an experiment of so many runs, whose operation may note what it does."""
    return metalab.Experiment(
        **{
            "name": "deaths",
            "version": "1",
            "context": {"journal": str(folder / "journal")},
            "operation": operation,
            "params": metalab.grid(x=list(range(runs))),
            "seeds": metalab.seeds(base=1),
            **fields,
        }
    )


def results_of(folder, exp, executor, **options):
    """Execute an experiment and return its results in plan order."""
    handle = metalab.run(exp, folder / "store", executor=executor, progress=False, **options)
    return handle.result(SECONDS)


def start_script(folder, text, *arguments, name="script.py", **options):
    """Start a script in a folder, as the leader of a session; the caller ends it."""
    file = folder / name
    file.write_text(textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, str(file), *map(str, arguments)],
        **{
            "cwd": folder,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "start_new_session": True,
            **options,
        },
    )


def said_by(folder, text, *arguments, **options):
    """Execute a script and return the lines that it prints."""
    process = start_script(folder, text, *arguments, **options)
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"the script hangs: {process.communicate()}") from None
    assert process.returncode == 0, err
    return out.splitlines()


def wait_until(condition, seconds=SECONDS):
    """Wait for a condition to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.005)


def is_there(pid, *, parent=None):
    """Tell whether a process lives; one that nobody has waited for does not.

    With a ``parent`` it has to be a child of that one: numbers are used again.
    """
    try:
        state, its, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # the latter while it is being read
        return False
    return state != "Z" and parent in {None, int(its)}
