"""Who a server runs as: PostgreSQL refuses root, and reads its programs as whom it runs as."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import MetalabError

if TYPE_CHECKING:
    from pathlib import Path

    from metalab_postgres.programs import Programs

__all__ = ["Account", "account_for", "within_reach"]

_SERVICES = ("postgres", "nobody")


@attrs.frozen
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether the user is another one than this process's, which then is root's."""
        return self.uid != os.geteuid()

    def options(self) -> dict[str, Any]:
        """Return what has ``subprocess`` run a program as the user, where all can read."""
        become = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}
        return {"cwd": "/", **become}

    def give(self, path: Path) -> None:
        """Make the user the owner of a file or a folder."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)

    def can(self, *command: str | Path) -> bool:
        """Tell whether a command succeeds when the user gives it."""
        try:
            done = subprocess.run(  # noqa: S603  ours, or a program that was found
                command, capture_output=True, check=False, **self.options()
            )
        except PermissionError:
            return False
        return done.returncode == 0


def account_for(data: Path) -> Account:
    """Return who runs, or may run, the server of a data directory.

    That is its owner; for a new one it is the user of this process, or, for root, the first of
    ``postgres`` and ``nobody`` there is. Raises MetalabError if root has nobody to choose, or if
    the directory is another user's.
    """
    own = os.geteuid()
    if data.exists():
        owner = data.stat().st_uid
        if own not in {0, owner}:
            raise MetalabError(
                f"{data} belongs to {_account(owner).name}, who alone (or root) can look after "
                "its server"
            )
        return _account(owner)
    if own != 0:
        return _account(own)
    known = {user.pw_name: user for user in pwd.getpwall()}
    for name in _SERVICES:
        if name in known:
            return _account(known[name].pw_uid)
    raise MetalabError(
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody; "
        "start it as an ordinary user"
    )


def within_reach(programs: Programs, account: Account, scratch: Path) -> Programs:
    """Return programs that the account can run: those given, or a copy of them in a folder.

    The programs of an environment under /root are such that only root can reach. Raises
    MetalabError if they can be run neither where they are nor there.
    """
    if account.can(programs.folder / "postgres", "--version"):
        return programs
    if '"' in str(scratch):  # their own commands for each other do not bear it
        raise MetalabError(
            f"{account.name}, as whom root starts PostgreSQL, cannot reach {programs.folder}, and "
            f"a copy cannot run in {scratch}, which has a quotation mark; name another place"
        )
    prefix = programs.folder.parent
    copy = scratch / f"programs-{programs.version}"
    # A wheel's programs look for its libraries beside their package, at this distance.
    package = copy / prefix.parent.name
    if not copy.exists():
        unfinished = copy.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(prefix, unfinished / package.name / prefix.name, symlinks=True)
        libraries = prefix.parent.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for folder in (unfinished, unfinished / package.name):
            folder.chmod(0o755)  # whatever root's mask: another user reads them
        unfinished.rename(copy)
    found = attrs.evolve(programs, folder=package / prefix.name / programs.folder.name)
    if not account.can(found.folder / "postgres", "--version"):
        raise MetalabError(
            f"{account.name}, as whom root starts PostgreSQL, can run neither {programs.folder} "
            f"nor a copy of it in {copy}"
        )
    return found


def _account(uid: int) -> Account:
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        raise MetalabError(
            f"PostgreSQL needs the name of the user it runs as, and the user {uid} has none here"
        ) from None
    return Account(user.pw_name, uid, user.pw_gid)
