"""The folder of a test session's servers: made and ended by the process that starts the workers.

That process outlives its workers however they end, so nothing needs to count references. It
imports nothing of the plugin unless a server was started.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_VARIABLE = "METALAB_TEST_POSTGRES"
_PREFIX = "metalab-pg-"
_ENOUGH = 1 << 30  # bytes


def begin():
    """Make the session's folder, known to the workers by the environment."""
    for left in _base().glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):  # another session that begins is removing it
            if _is_left(left):
                _remove(left)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_base())
    Path(folder).chmod(0o711)
    os.environ[_VARIABLE] = folder


def end():
    """End the session's servers, and remove all they have."""
    _remove(Path(os.environ.pop(_VARIABLE)))


def scratch():
    """Return the session's folder."""
    return Path(os.environ[_VARIABLE])


def _base():
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > _ENOUGH:
        return memory
    return Path(tempfile.gettempdir())


def _is_left(folder):
    owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
    return not Path(f"/proc/{owner}").exists() and folder.stat().st_uid == os.geteuid()


def _remove(folder):
    places = [file.parent.parent for file in folder.rglob("postmaster.pid")]
    if places:
        from metalab_postgres.server import Server

        for place in places:
            Server(place).stop()
    shutil.rmtree(folder, ignore_errors=True)
