"""The server's first process: what its file says of it, how it is started and ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from metalab.errors import MetalabError
from metalab.store.host import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metalab_postgres.account import Account
    from metalab_postgres.programs import Programs

__all__ = ["Postmaster", "end", "environment", "last_words", "launch", "running", "wait_for"]

_FILE = "postmaster.pid"
_LINES = 8  # the last of them is written when connections are taken
_POLL = 0.02  # seconds
_LAST_LINES = 6
_STAMP = re.compile(r"^.{10,40}? \[\d+\] ")  # when, and which process

_SEES_PROCESSES = Path("/proc/self").exists()  # as Linux does


@attrs.frozen
class Postmaster:
    """The process of a data directory, as its ``postmaster.pid`` tells."""

    pid: int
    port: int
    sockets: str
    address: str
    state: str

    @property
    def is_ready(self) -> bool:
        """Whether connections are taken."""
        return self.state in {"ready", "standby"}


def running(data: Path) -> Postmaster | None:
    """Return the process that serves a data directory, or None; a file left behind is none."""
    try:
        lines = (data / _FILE).read_text("utf-8", "surrogateescape").split("\n")
    except FileNotFoundError:
        return None
    if not lines[0].strip().isdigit() or not _serves(int(lines[0]), data):
        return None
    lines += [""] * (_LINES - len(lines))
    _, _, _, port, sockets, address, _, state = lines[:_LINES]
    return Postmaster(int(lines[0]), int(port or 0), sockets, address, state.strip())


def launch(
    programs: Programs, data: Path, account: Account, settings: Iterable[str], log: Path
) -> int:
    """Start the server of a data directory that none serves, and return its process's id.

    ``settings`` are ``name=value``. The process is no child of this one: it outlives it, and
    leaves no zombie to it. What it says is added to the file ``log``.
    """
    # The number of a dead process may since be another's, which PostgreSQL would respect.
    (data / _FILE).unlink(missing_ok=True)
    command = [str(programs.folder / "postgres"), "-D", str(data)]
    command += [word for setting in settings for word in ("-c", setting)]
    with open(log, "ab", opener=_private) as end_of_log:
        told = subprocess.run(  # noqa: S603  a program that was found
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=end_of_log,
            env=environment(),
            start_new_session=True,
            check=True,
            **account.options(),
        )
    return int(told.stdout)


def wait_for(pid: int, data: Path, log: Path, said: int, patience: float) -> Postmaster | None:
    """Return the process once it takes connections, or None if it ends before.

    Raises MetalabError if it does neither in ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = running(data)
        if found is not None and found.is_ready:
            return found
        if found is None and not is_alive(pid):
            return None
        time.sleep(_POLL)
    raise MetalabError(
        f"the server of {data} is still starting after {patience:g} s; its log {log} ends with: "
        f"{last_words(log, said)}"
    )


def end(postmaster: Postmaster, data: Path, patience: float) -> None:
    """Have the server roll back what is under way and end, and wait until it has.

    Raises MetalabError if it has not in ``patience`` seconds.
    """
    with suppress(ProcessLookupError):  # it has ended by itself
        os.kill(postmaster.pid, signal.SIGINT)
    deadline = time.monotonic() + patience
    while _serves(postmaster.pid, data):
        if time.monotonic() > deadline:
            raise MetalabError(
                f"the server of {data} (process {postmaster.pid}) was told to end, and has not "
                f"in {patience:g} s"
            )
        time.sleep(_POLL)


def last_words(log: Path, said: int) -> str:
    """Return the last lines that a log has beyond its first ``said`` bytes."""
    with log.open("rb") as file:
        file.seek(said)
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "; ".join(_STAMP.sub("", line) for line in lines[-_LAST_LINES:]) or "nothing"


def environment() -> dict[str, str]:
    """Return the environment for PostgreSQL's programs: none of it is settings of theirs."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C"}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # what is logged may quote data


def _serves(pid: int, data: Path) -> bool:
    # A server works in its data directory. A dead process's number may be another's by now.
    process = Path("/proc") / str(pid)
    try:
        return (process / "cwd").samefile(data)
    except PermissionError:  # also for root, in a container without the right to trace
        return _names(process, data)
    except ProcessLookupError:  # it ends while it is asked about
        return False
    except FileNotFoundError:
        return not _SEES_PROCESSES and is_alive(pid)


def _names(process: Path, data: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):  # it has ended, or ends meanwhile
        return False
    return b"-D" in words and os.fsencode(data) == words[words.index(b"-D") + 1]
