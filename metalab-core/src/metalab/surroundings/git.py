"""Git as a program: asked in a folder, with a deadline, without a word to the user."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from threading import Timer
from time import monotonic

__all__ = ["EMPTY_TREE", "Git", "read_lines"]

EMPTY_TREE = ("hash-object", "-t", "tree", "--stdin")
"""What says the name of the tree without files, which depends on the kind of hash."""

_SECONDS = 5.0
_CHUNK = 1 << 16


class Git:
    """Asks git about the checkout of a folder; all questions together take at most 5 seconds."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._end = monotonic() + _SECONDS

    def ask(self, *words: str) -> str | None:
        """Return what git prints; None if it is not there, fails or takes too long."""
        said = self.read(*words)
        # A branch and a file may be named by any bytes.
        return None if said is None else said.decode("utf-8", "replace")

    def root(self) -> str | None:
        """Return the folder of what looks like a checkout; git need not agree that it is one.

        Git is asked only where variables may name another one: to look takes no process.
        """
        if "GIT_DIR" in os.environ or "GIT_WORK_TREE" in os.environ:
            said = self.read("rev-parse", "--show-toplevel")
            return None if said is None else os.fsdecode(said).removesuffix("\n")
        try:
            start = (self._folder or Path()).resolve(strict=True)
        except OSError:  # it was removed
            return None
        return next((str(each) for each in (start, *start.parents) if _is_root(each)), None)

    def read(self, *words: str, most: int | None = None) -> bytes | None:
        """Return the bytes that git prints, as ``ask``; of more than ``most`` the first ones.

        No more than those are held in memory, and git is ended when it has printed them.
        """
        # It takes no locks that another git of the user's would meet.
        variables = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        try:
            process = subprocess.Popen(  # noqa: S603  fixed words, and paths after "--"
                ("git", *words),  # noqa: S607  whichever the user's path has
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
                env=variables,
            )
        except (OSError, ValueError):  # no git, no such folder
            return None
        late = Timer(max(self._end - monotonic(), 0), process.kill)
        late.start()
        try:
            with process:
                said, is_cut = _taken(process, most)
                if is_cut:
                    process.kill()
        finally:
            late.cancel()
        return said if is_cut or process.returncode == 0 else None


def _is_root(folder: Path) -> bool:
    mark = folder / ".git"
    # Of a submodule, or of a second checkout of a repository, it is a file.
    return mark.is_file() or (mark / "HEAD").exists()


def read_lines(said: str) -> list[str]:
    """Return the lines of what git printed: a branch's name may hold other separators of lines."""
    return said.removesuffix("\n").split("\n")


def _taken(process: subprocess.Popen[bytes], most: int | None) -> tuple[bytes, bool]:
    assert process.stdout is not None  # noqa: S101  it is a pipe
    if most is None:
        return process.stdout.read(), False
    taken = bytearray()
    while len(taken) < most and (chunk := process.stdout.read(min(_CHUNK, most - len(taken)))):
        taken += chunk
    return bytes(taken), len(taken) == most
