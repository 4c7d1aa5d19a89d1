"""What a run costs in opened files, syncs and inodes; and no file is opened by two processes."""

from __future__ import annotations

import os
import subprocess
from collections import Counter

import pytest

from core.store_tools import made, python, segments, store_at

# Says every file below a root that is opened for writing, by whom, and every sync.
RECORDER = """
import os, sys

def watch(root):
    def hook(event, args):
        if event == "open" and str(args[0]).startswith(root):
            if args[2] & (os.O_WRONLY | os.O_RDWR):
                os.write(1, f"{os.getpid()} {args[0]}\\n".encode())
    sys.addaudithook(hook)
"""

STORE = """
from core.store_tools import made, store_at

def write(writer, first):
    for n in range(first, first + 20):
        writer.append_log(made(n), "text")
        writer.put_artifact(made(n), "a", b"small", extension="bin")
        writer.put_series(made(n), "loss", [(0, 1.0)])
        writer.put(made(n))
    writer.put_artifact(made(first), "large", b"%d" % first * 300_000, extension="bin")
    writer.flush()
"""

FORK = """
store = store_at(root)
with store.writer("w") as writer, store.writer("w") as second:
    write(writer, 0)
    write(second, 100)
    pid = os.fork()
    write(writer, 200 if pid else 300)
    write(second, 400 if pid else 500)
    if pid == 0:
        writer.close()
        second.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""

POOL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

store = store_at(root)
with store.writer("w") as writer:
    write(writer, 0)

    def work(first):
        write(writer, first)

    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        list(pool.map(work, range(100, 1100, 100)))
    write(writer, 1100)
"""


@pytest.mark.parametrize(("scenario", "runs"), [(FORK, 120), (POOL, 240)])
def test_no_file_is_opened_for_writing_by_two_processes_or_twice(tmp_path, scenario, runs):
    script = f"{RECORDER}\n{STORE}\nroot = {str(tmp_path)!r}\nwatch(root)\n{scenario}"
    process = python(script, stdout=subprocess.PIPE)
    said, _ = process.communicate(timeout=600)  # some dozen syncs, one after another
    assert process.returncode == 0
    opened = [line.split(" ", 1) for line in said.decode().splitlines()]
    assert len({pid for pid, _ in opened}) > 1
    assert [path for path, times in Counter(path for _, path in opened).items() if times > 1] == []
    store = store_at(tmp_path)
    assert {str(path) for path in segments(store)} <= {path for _, path in opened}
    assert len(store.read()) == runs
    assert store.read().damage == ()


@pytest.fixture
def calls(monkeypatch):
    """The calls of the system that cost a network file system the most, counted."""
    counted: Counter[str] = Counter()

    def counting(name):
        real = getattr(os, name)

        def call(*args, **options):
            counted[name] += 1
            return real(*args, **options)

        return call

    for name in ("open", "fsync", "fdatasync"):
        monkeypatch.setattr(os, name, counting(name))
    return counted


def test_a_commit_opens_at_most_two_files_and_syncs_once(tmp_path, calls):
    store = store_at(tmp_path, commit_interval=30)
    with store.writer("first") as writer:  # makes the folders
        writer.put(made(0))
    calls.clear()
    with store.writer("w") as writer:
        for commit in range(20):
            before = calls.copy()
            for n in range(50):
                writer.put(made(commit * 50 + n))
            writer.flush()
            spent = calls - before
            first = commit == 0  # the segment, and the folder that now names it
            assert spent == ({"open": 2, "fsync": 1, "fdatasync": 1} if first else {"fdatasync": 1})


def test_a_writer_needs_three_files_however_many_its_runs(tmp_path):
    store = store_at(tmp_path)
    folder = store.get_working_directory()
    with store.writer("w") as writer:
        for n in range(500):
            writer.append_log(made(n), "text")
            writer.put_artifact(made(n), "a", b"small", extension="bin")
            writer.put_series(made(n), "loss", [(0, 1.0)])
            writer.put(made(n))
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    assert sorted(path.parent.name for path in files) == ["logs", "packs", "runs"]
