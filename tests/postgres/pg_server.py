"""PostgreSQL for tests: one server a session and major, and servers that a test may kill."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from metalab_postgres import postmaster
from metalab_postgres.programs import find_programs
from metalab_postgres.server import Server
from postgres.pg_scratch import scratch

INITDB = ("--no-sync", "--wal-segsize=1")
HASTY = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "64MB",
}
_TEMPLATE, _UNFINISHED = "metalab_template", "metalab_unfinished"
_LOCK = 8123
_PATIENCE = 60  # seconds
_number = count()


@cache
def programs_by_major():
    """Return the programs of each major version found, the newest first."""
    found = {}
    for programs in find_programs():
        found.setdefault(programs.major, programs)
    return found


class SharedServer:
    """The session's server of a major version: whoever needs it first starts it."""

    def __init__(self, major):
        place = scratch() / str(major)
        server = Server(place, settings=HASTY, initdb=INITDB)
        self.dsn = _patient(server.start(programs=programs_by_major()[major]).dsn)
        self._fill_template()

    def create_database(self):
        """Make a database like the template, and return its name."""
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        name = f"t_{worker}_{os.getpid()}_{next(_number)}"
        self._execute("create database {} template {}", name, _TEMPLATE)
        return name

    def drop_database(self, name):
        """Remove a database, whoever is still connected to it."""
        self._execute("drop database {} with (force)", name)

    def dsn_of(self, database):
        """Return the connection string of a database."""
        return database_dsn(self.dsn, database)

    def _execute(self, statement, *names):
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            _when_left(connection, sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _fill_template(self):
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(%s)", [_LOCK])
            known = connection.execute("select datname from pg_database").fetchall()
            if (_TEMPLATE,) in known:
                return
            connection.execute(f"drop database if exists {_UNFINISHED}")
            connection.execute(f"create database {_UNFINISHED}")
            _prepare(database_dsn(self.dsn, _UNFINISHED))
            _when_left(connection, f"alter database {_UNFINISHED} rename to {_TEMPLATE}")
            connection.execute(
                f"alter database {_TEMPLATE} is_template true allow_connections false"
            )


class DurableServer:
    """A server of a test's own, which loses nothing that it has acknowledged."""

    def __init__(self, major):
        place = scratch() / f"durable-{os.getpid()}-{next(_number)}"
        self._programs = programs_by_major()[major]
        self._server = Server(place, initdb=INITDB)
        self.dsn = self.start()

    def start(self):
        """Start it, if it does not run, and return its connection string."""
        return _patient(self._server.start(programs=self._programs).dsn)

    def stop(self):
        """End it in good order; connections are cut."""
        self._server.stop()

    def kill(self):
        """Kill its first process, and wait until the others have seen it."""
        processes = self._processes()
        os.kill(processes[0], signal.SIGKILL)
        deadline = time.monotonic() + _PATIENCE
        while any(map(is_alive, processes)):
            assert time.monotonic() < deadline, f"of {processes} some outlive their server"
            time.sleep(0.01)

    def pause(self):
        """Stop all its processes where they are: connections hang, and are not refused."""
        self._signal(signal.SIGSTOP)

    def resume(self):
        """Have its processes go on."""
        self._signal(signal.SIGCONT)

    def remove(self):
        """End it, in whatever state it is."""
        if postmaster.running(self._server.data) is not None:
            self.resume()
        self.stop()

    def _signal(self, number):
        for process in self._processes():
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(process, number)

    def _processes(self):
        first = postmaster.running(self._server.data).pid
        threads = Path(f"/proc/{first}/task").glob("*/children")
        return [first, *(int(child) for file in threads for child in file.read_text().split())]


def database_dsn(dsn, database):
    """Return a connection string of the same server for another database."""
    return dsn.replace("/metalab?", f"/{database}?", 1)


def _patient(dsn):
    """Have it known that this server answers, however long the machine holds it up."""
    return f"{dsn}&connect_timeout={_PATIENCE}"


def _when_left(connection, statement):
    """Execute a statement about a database once those who have disconnected are gone from it.

    The server itself waits for them, but for no more than five seconds.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return connection.execute(statement)
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise


def _prepare(dsn):
    # Where the schema fills a database itself, a test's costs a copy and no statements.
    if find_spec("metalab_postgres.schema") is None:
        return
    prepare = getattr(import_module("metalab_postgres.schema"), "prepare", None)
    if prepare is not None:
        with psycopg.connect(dsn) as connection:
            prepare(connection)


def is_alive(process):
    """Tell whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
