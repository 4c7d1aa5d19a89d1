"""Workers that write everything a run can have, until somebody kills them."""

from __future__ import annotations

import os
import sys
import threading
from itertools import count
from pathlib import Path

from core.store_tools import made, store_at
from metalab.records import ArtifactDescriptor
from metalab.store.file.options import Options
from metalab.store.file.writer import FileWriter

THREADS = 3
_OPTIONS = Options(interval=0.002, roll=30_000)


def metrics_of(number: int) -> dict[str, object]:
    return {"score": number + 0.5, "text": f"{number} " * (number % 50)}


def bytes_of(number: int) -> bytes:
    return b"%d" % number * (1 + number % 300)


def points_of(number: int) -> list[tuple[int, float]]:
    return [(step, number / (step + 1)) for step in range(3)]


def _write_one(writer: FileWriter, number: int) -> None:
    run = made(number)
    writer.append_log(run, f"run {number} says so")
    writer.put_series(run, "loss", points_of(number))
    artifacts = []
    if number % 3 == 0:
        kept = writer.put_artifact(run, "a", bytes_of(number), extension="bin")
        artifacts.append(ArtifactDescriptor("id", "a", "bytes", "bytes", *kept))
    record = made(number, artifacts=artifacts, metrics=metrics_of(number))
    writer.put(record, lambda: os.write(1, b"ack %d\n" % number))


def _work(root: Path, first: int) -> None:
    folder = store_at(root)._folder
    writer = FileWriter(folder, "w", "0", _OPTIONS, "", "")

    def go_on(thread: int) -> None:
        for number in count(first + thread, THREADS):
            _write_one(writer, number)

    threads = [threading.Thread(target=go_on, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def serve() -> None:
    """Fork a worker for each line ``<root> <first number>`` of the input.

    It is told by ``pid``, acknowledges by ``ack``, and ``over`` tells how it ended: a fork
    of what is imported already takes a tenth of the time that a new interpreter does.
    """
    for line in sys.stdin:
        root, first = line.split()
        pid = os.fork()
        if pid == 0:
            try:
                _work(Path(root), int(first))
            finally:
                os._exit(1)
        os.write(1, b"pid %d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(1, b"over %d\n" % status)
