"""Where a server's Unix socket is: in its own folder, or, where that is too long, a short one."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.errors import MetalabError

if TYPE_CHECKING:
    from metalab_postgres.account import Account

__all__ = ["clear_sockets", "make_folder", "remove_folder", "socket_folder"]

_LONGEST = 103  # bytes of a socket's path: 107 on Linux, fewer on other systems
_SHORT = Path("/tmp")  # noqa: S108  make_folder sees to it that the folder in it is ours


def socket_folder(place: Path, port: int) -> Path:
    """Return the folder of the socket of the server in a place.

    It is outside the place if the socket's path were longer than the system takes, or if a
    connection string could not name it, for a comma parts hosts there.
    """
    folder = place / "socket"
    if len(os.fsencode(folder / _name(port))) <= _LONGEST and "," not in str(folder):
        return folder
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return _SHORT / f"metalab-postgres-{digest}"


def make_folder(folder: Path, account: Account) -> None:
    """Make the folder, the account's own; raises MetalabError if another user was faster."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {account.uid, os.geteuid()}:
            raise MetalabError(
                f"{folder}, where the server's socket would be, is not {account.name}'s folder"
            ) from None
    account.give(folder)


def clear_sockets(folder: Path, port: int) -> None:
    """Remove the socket of a server that is gone, and its lock, which may name another process."""
    (folder / _name(port)).unlink(missing_ok=True)
    (folder / f"{_name(port)}.lock").unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove the folder of a server that has ended, if nothing is left in it."""
    try:
        folder.rmdir()
    except OSError:  # already gone, or what a user keeps there
        return


def _name(port: int) -> str:
    return f".s.PGSQL.{port}"
