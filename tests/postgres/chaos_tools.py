"""Processes that write and index until they are killed, and who kills them."""

from __future__ import annotations

import os
import random
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from core.kill_tools import bytes_of, metrics_of, points_of
from core.store_tools import made, python, run_id, store_at
from metalab.records import ArtifactDescriptor, Status
from metalab.store.file.options import Options
from metalab.store.file.writer import FileWriter
from metalab.store.names import split_part
from metalab_postgres.index import PostgresIndex
from metalab_postgres.trouble import IndexUnavailable

if TYPE_CHECKING:
    import subprocess

SHARED = 20
"""So many runs are tried by every writer, with any end; all others are one writer's."""

_OPTIONS = Options(interval=0.002, roll=60_000)
_OF_A_WRITER = 1_000_000
_PATIENCE = 180.0
_MORE = 10
_PAUSE = 0.02


def write(root: str, writer: int) -> None:
    """Put runs, and tell on standard output which were acknowledged, until killed."""
    chance = random.Random(writer)
    files = FileWriter(store_at(Path(root))._folder, f"launch{writer}", "0", _OPTIONS, "", "")
    for number in count(_OF_A_WRITER * (writer + 1)):
        run = made(number)
        files.put_series(run, "loss", points_of(number))
        artifacts = []
        if number % 3 == 0:
            kept = files.put_artifact(run, "a", bytes_of(number % 300), extension="bin")
            artifacts.append(ArtifactDescriptor("id", "a", "bytes", "bytes", *kept))
        metrics = {**metrics_of(number % 300), "odd": chance.choice([float("nan"), 10**400, "\0"])}
        record = made(number, artifacts=artifacts, metrics=metrics)
        files.put(record, lambda number=number: os.write(1, b"%d\n" % number))
        status = chance.choice([Status.FAILED, Status.CANCELLED, Status.SUCCESS])
        files.put(made(chance.randrange(SHARED), status, attempt=1 + number % 50))
        if number % 40 == 0:
            files.forget(run_id(chance.randrange(SHARED)), number // 40 % 5)
        time.sleep(_PAUSE)


def ingest(dsn: str, root: str) -> None:
    """Bring the index up to date again and again, whatever it is told, until killed."""
    index = PostgresIndex(dsn, root)
    while True:
        try:
            index.update()
        except IndexUnavailable:
            time.sleep(0.01)


class Chaos:
    """Writers and ingesters of one store, and all that may become of them and of the server."""

    def __init__(self, server, root: Path, *, writers: int, ingesters: int, seed: int) -> None:
        self.server = server
        self.store = store_at(root / "store")
        self.index = PostgresIndex(server.dsn, self.store.root)
        self._root = root
        self._chance = random.Random(seed)
        self._numbers = count()
        self._writers = [self._writer() for _ in range(writers)]
        self._ingesters = [self._ingester() for _ in range(ingesters)]

    def acknowledged(self) -> list[int]:
        """Return the numbers of the runs that were acknowledged, by writers dead or alive."""
        said = [file.read_text() for file in self._root.glob("*.acks")]
        return [int(number) for number in "".join(said).split()]

    def settle(self) -> None:
        """Wait until more was acknowledged, and all of that is indexed by those who are at it."""
        wanted = len(self.acknowledged()) + _MORE
        _until(lambda: len(self.acknowledged()) >= wanted)
        there = set(map(run_id, self.acknowledged()))
        _until(lambda: there <= self.indexed())

    def indexed(self) -> set[str]:
        """Return the ids of the runs that the index says have succeeded."""
        try:
            with psycopg.connect(self.server.dsn) as connection:
                found = connection.execute(
                    "SELECT run_id FROM metalab.records WHERE status = 'success'"
                )
                return {run for (run,) in found}
        except psycopg.errors.UndefinedTable:  # nobody has made it yet
            return set()

    def cut_connections(self) -> None:
        """End the server's processes for the ingesters, in the middle of what they do."""
        with psycopg.connect(self.server.dsn) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'metalab'"
            )

    def crash_server(self) -> None:
        """Kill the server, let the others meet that, and start it again."""
        self.server.kill()
        wanted = len(self.acknowledged()) + _MORE
        _until(lambda: len(self.acknowledged()) >= wanted)
        self.server.start()

    def kill_ingester(self) -> None:
        """Kill one of them, and let another take its place."""
        number = self._chance.randrange(len(self._ingesters))
        _kill(self._ingesters[number])
        self._ingesters[number] = self._ingester()

    def kill_writer(self) -> None:
        """Kill one of them, leave half a line at the end of its file, and start another."""
        number = self._chance.randrange(len(self._writers))
        self._end_writer(number)
        self._writers[number] = self._writer()

    def compact(self) -> None:
        """Merge the files of the writers that are dead."""
        self.store.compact()

    def rebuild(self) -> None:
        """Make the index anew, in the middle of it all."""
        self.index.rebuild()

    def end(self) -> None:
        """Kill all that is left."""
        for ingester in self._ingesters:
            _kill(ingester)
        for number in range(len(self._writers)):
            self._end_writer(number)
        self._ingesters, self._writers = [], []

    def _writer(self) -> tuple[int, subprocess.Popen]:
        number = next(self._numbers)
        script = "import sys; from postgres import chaos_tools as c; c.write(sys.argv[1], {})"
        with (self._root / f"{number}.acks").open("ab") as acks:
            return number, python(script.format(number), str(self.store.root), stdout=acks)

    def _ingester(self) -> subprocess.Popen:
        script = "import sys; from postgres import chaos_tools as c; c.ingest(*sys.argv[1:])"
        return python(script, self.server.dsn, str(self.store.root))

    def _end_writer(self, at: int) -> None:
        number, process = self._writers[at]
        _kill(process)
        runs = self.store.get_working_directory() / "runs"
        # By number: two parts may have been written to at the same tick of the file system.
        parts = sorted(runs.glob(f"launch{number}.*"), key=lambda file: split_part(file.name))
        last = parts[-1].read_bytes().splitlines()[-1:] if parts else []
        if last and len(last[0]) > 1:
            with parts[-1].open("ab") as file:
                file.write(last[0][: self._chance.randrange(1, len(last[0]))])


def _kill(process: subprocess.Popen) -> None:
    assert process.poll() is None, f"it has ended by itself: {process.returncode}"
    process.kill()
    process.wait()


def _until(holds) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)
