"""The checkout that a launch was made from: what git says of the current folder."""

from __future__ import annotations

import subprocess
from threading import Thread
from typing import Any

__all__ = ["Checkout"]

_SECONDS = 5
_COMMAND = ("git", "status", "--porcelain=v2", "--branch", "--untracked-files=no")


class Checkout:
    """Asks git when it is made, and takes the answer when that is wanted.

    Meanwhile a launch goes on: to ask takes as long as much of what else begins one.
    """

    def __init__(self) -> None:
        self._said: str | None = None
        self._asking = Thread(target=self._ask, name="metalab-git", daemon=True)
        self._asking.start()

    def state(self) -> dict[str, Any] | None:
        """Return commit, branch and whether anything is changed; None where git has no answer."""
        self._asking.join()
        if self._said is None:
            return None
        lines = self._said.splitlines()
        heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
        return {
            "commit": heads.get("branch.oid"),
            "branch": heads.get("branch.head"),
            "dirty": any(not line.startswith("#") for line in lines),
        }

    def _ask(self) -> None:
        try:
            done = subprocess.run(  # noqa: S603  fixed words
                _COMMAND,
                capture_output=True,
                text=True,
                errors="replace",  # a branch may be named by any bytes
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return
        if done.returncode == 0:
            self._said = done.stdout.strip()
