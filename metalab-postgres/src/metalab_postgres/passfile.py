"""The password of a server of one's own: generated, kept in one private file, never shown."""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING

from metalab.errors import MetalabError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["entries", "generate", "password_in", "write_private"]

_SPECIAL, _ESCAPED = re.compile(r"[:\\]"), r"\\\g<0>"


def generate() -> str:
    """Make a password that needs no quoting anywhere."""
    return secrets.token_urlsafe(32)


def password_in(passfile: Path) -> str:
    """Return the password of a file that ``entries`` filled; raises MetalabError without one."""
    try:
        # A password that was generated has no colon, and nothing behind a backslash.
        password = passfile.read_text("utf-8").partition("\n")[0].rpartition(":")[2]
    except FileNotFoundError:
        password = ""
    if not password:
        raise MetalabError(f"the password of the server is not in {passfile}, where it was kept")
    return password


def entries(hosts: Iterable[str], port: int, user: str, password: str) -> str:
    """Return what libpq reads: the password for these hosts (or folders of sockets) alone."""
    return "".join(f"{_SPECIAL.sub(_ESCAPED, host)}:{port}:*:{user}:{password}\n" for host in hosts)


def write_private(path: Path, text: str) -> None:
    """Write a file that the owner of its folder alone can read, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123  a Path opens no descriptor
        if os.geteuid() == 0:  # who may look after another user's server
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(text)
    unfinished.replace(path)
