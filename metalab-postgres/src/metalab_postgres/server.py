"""A PostgreSQL server of one's own: everything of it in one folder, for this machine alone."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs
import psycopg

from metalab.errors import MetalabError
from metalab_postgres import passfile, postmaster, sockets
from metalab_postgres.account import Account, account_for, within_reach
from metalab_postgres.programs import Programs, choose_programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PORT", "USER", "RunningServer", "Server"]

USER = "metalab"
"""The role and the database that a server is made with."""

PORT = 5432
"""The number in the name of the socket, where no TCP port is asked for."""

# The order of texts is that of their code points, on every machine.
_INITDB = ("-U", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C")
_LOOPBACK = "127.0.0.1"
_RETRY = 10  # seconds that the processes of a killed server may take to see that it is gone


@attrs.frozen
class RunningServer:
    """A server that takes connections: its process, its major version, and how to reach it.

    ``dsn`` is a connection string for libpq. It holds no password, but names the file that does.
    """

    place: Path
    pid: int
    major: int
    port: int | None
    dsn: str

    def locator(self, file_root: str | os.PathLike[str]) -> str:
        """Return the locator of the store that keeps files in a folder and its index here."""
        return f"{self.dsn}&file_root={_quoted(_absolute(file_root))}"


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(path).absolute()


@attrs.frozen
class Server:
    """The server of a folder, whether it runs or not.

    ``settings`` are PostgreSQL's, given at each start; ``initdb`` are options for making the
    data directory; ``patience`` is how many seconds a start or an end may take.
    """

    place: Path = attrs.field(converter=_absolute)
    settings: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)
    initdb: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    patience: float = attrs.field(default=60, kw_only=True)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.place / "data"

    @property
    def log(self) -> Path:
        """The file of what the server says."""
        return self.place / "log"

    def status(self) -> RunningServer | None:
        """Return the server if it runs and takes connections, else None."""
        found = postmaster.running(self.data)
        return self._told(found) if found is not None and found.is_ready else None

    def start(self, port: int | None = None, programs: Programs | None = None) -> RunningServer:
        """Return the server, started if it does not run, its database made if there is none.

        It listens on a Unix socket, or on a TCP port of the loopback interface too. Raises
        MetalabError if there are no programs, if the data directory belongs to another user or
        is of a version that is not installed, or if the server does not start.
        """
        with self._alone(make=True):
            found = postmaster.running(self.data)
            if found is None:
                account = account_for(self.data)
                self._start(account, port, self._programs(programs, account))
            elif port is not None and (not found.address or port != found.port):
                where = f"on port {found.port}" if found.address else "on a Unix socket alone"
                raise MetalabError(
                    f"the server in {self.place} runs already, {where}; stop it first"
                )
            else:
                postmaster.wait_for(found.pid, self.data, self.log, 0, self.patience)
            served = self.status()
            if served is None:
                raise MetalabError(f"the server in {self.place} has ended; see {self.log}")
            _make_database(served)
            return served

    def stop(self) -> bool:
        """End the server, and tell whether it ran; what is under way is rolled back."""
        if not self.data.exists():
            return False
        with self._alone(make=False):
            found = postmaster.running(self.data)
            if found is None:
                return False
            postmaster.end(found, self.data, self.patience)
            sockets.remove_folder(sockets.socket_folder(self.place, found.port))
            return True

    @contextmanager
    def _alone(self, *, make: bool) -> Iterator[None]:
        if make and not self.place.exists():
            # What runs as another user than root has to pass.
            self.place.mkdir(parents=True, mode=0o700, exist_ok=True)  # by another start, since
            self.place.chmod(0o700 if os.geteuid() else 0o711)
        with (self.place / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _programs(self, programs: Programs | None, account: Account) -> Programs:
        if not account.can("/bin/sh", "-c", 'cd "$1"', "sh", self.place):
            raise MetalabError(
                f"root's server runs as {account.name}, who cannot enter {self.place}; name "
                "another place"
            )
        if self.data.exists():
            major = self._major()
            if programs is not None and programs.major != major:
                raise MetalabError(
                    f"{self.data} is of PostgreSQL {major}, and these programs are of "
                    f"{programs.version}"
                )
            programs = programs or choose_programs(major)
        return within_reach(programs or choose_programs(), account, self.place)

    def _major(self) -> int:
        try:
            return int((self.data / "PG_VERSION").read_text("utf-8").partition(".")[0])
        except (FileNotFoundError, ValueError):
            raise MetalabError(
                f"{self.data} is no data directory of PostgreSQL; name another place"
            ) from None

    def _start(self, account: Account, port: int | None, programs: Programs) -> None:
        if not self.data.exists():
            self._initialise(account, programs)
        folder = sockets.socket_folder(self.place, port or PORT)
        sockets.make_folder(folder, account)
        sockets.clear_sockets(folder, port or PORT)
        hosts = [str(folder), _LOOPBACK]
        password = passfile.password_in(self._passfile)
        passfile.write_private(
            self._passfile, passfile.entries(hosts, port or PORT, USER, password)
        )
        listed = '"{}"'.format(str(folder).replace('"', '""'))
        settings = {
            **self.settings,
            "unix_socket_directories": listed,
            "listen_addresses": _LOOPBACK if port else "",
            "port": str(port or PORT),
        }
        given = [f"{name}={value}" for name, value in settings.items()]
        # Processes of a server that was killed may hold its memory for a moment.
        was_killed = (self.data / "postmaster.pid").exists()
        deadline = time.monotonic() + (_RETRY if was_killed else 0)
        while True:
            said = self.log.stat().st_size if self.log.exists() else 0
            pid = postmaster.launch(programs, self.data, account, given, self.log)
            if postmaster.wait_for(pid, self.data, self.log, said, self.patience) is not None:
                return
            if time.monotonic() >= deadline:
                raise MetalabError(
                    f"PostgreSQL {programs.version} does not start in {self.place}; its log says: "
                    f"{postmaster.last_words(self.log, said)}"
                )

    def _initialise(self, account: Account, programs: Programs) -> None:
        unfinished, word = self.place / "data.new", self.place / "password.new"
        shutil.rmtree(unfinished, ignore_errors=True)  # of a start that was cut short
        unfinished.mkdir(mode=0o700)
        account.give(unfinished)
        password = passfile.generate()
        passfile.write_private(word, password)
        account.give(word)
        try:
            done = subprocess.run(  # noqa: S603  a program that was found
                [
                    programs.folder / "initdb",
                    *_INITDB,
                    f"--pwfile={word}",
                    *self.initdb,
                    unfinished,
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=postmaster.environment(),
                check=False,
                **account.options(),
            )
        finally:
            word.unlink()
        if done.returncode != 0:
            told = done.stderr.decode("utf-8", "replace").strip()
            raise MetalabError(f"no data directory could be made in {self.place}: {told}")
        passfile.write_private(self._passfile, passfile.entries([_LOOPBACK], PORT, USER, password))
        unfinished.rename(self.data)

    @property
    def _passfile(self) -> Path:
        return self.place / "pgpass"

    def _told(self, found: postmaster.Postmaster) -> RunningServer:
        kept = f"passfile={_quoted(self._passfile)}"
        if found.address:
            dsn = f"postgresql://{USER}@{found.address}:{found.port}/{USER}?{kept}"
        else:
            folder = _quoted(sockets.socket_folder(self.place, found.port))
            dsn = f"postgresql://{USER}@/{USER}?host={folder}&port={found.port}&{kept}"
        port = found.port if found.address else None
        return RunningServer(self.place, found.pid, self._major(), port, dsn)


def _make_database(served: RunningServer) -> None:
    try:
        with psycopg.connect(served.dsn, dbname="postgres", autocommit=True) as connection:
            known = "select from pg_database where datname = %s"
            if connection.execute(known, [USER]).fetchone() is None:
                connection.execute("create database metalab")
    except psycopg.Error as error:
        # libpq prefers it to any file.
        hint = "; PGPASSWORD is set: unset it" if "PGPASSWORD" in os.environ else ""
        raise MetalabError(
            f"the server in {served.place} runs, but cannot be used: {str(error).strip()}{hint}"
        ) from error


def _quoted(path: Path) -> str:
    return quote(os.fsencode(path), safe="/")
