"""The checkout that a launch was made from, and what git says of it."""

from __future__ import annotations

import os
from hashlib import sha256
from threading import Thread
from typing import TYPE_CHECKING, Any

from metalab.store.lines import readable
from metalab.surroundings.git import EMPTY_TREE, Git, read_lines
from metalab.surroundings.untracked import own_files, untracked_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["LARGEST_DIFF", "NO_DIFF", "Checkout"]

LARGEST_DIFF = 1 << 20
"""Of a longer diff, in bytes, only the beginning is kept."""

NO_DIFF = "METALAB_NO_DIFF"
"""The environment variable that leaves diffs out, unless it is empty or ``0``."""

_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
# Whatever is configured, equal changes give equal bytes, and no program of the user's is started.
_DIFF = (
    *("-c", "diff.relative=false", "diff", "--no-ext-diff", "--no-textconv", "--no-color"),
    *("--no-renames", "--unified=3", "--full-index", "--submodule=diff", "--diff-algorithm=myers"),
    *("--src-prefix=a/", "--dst-prefix=b/", "-O/dev/null"),
)
_SECRET_FILES = (".env", ".env.*", "*.pem", "*.key", "id_rsa*", "id_ed25519*", ".netrc", ".pgpass")
_PATHS = ("--", ":(top)", *(f":(top,exclude,glob)**/{name}" for name in _SECRET_FILES))


class Checkout:
    """Asks git when it is made, and takes the answer when that is wanted.

    Meanwhile a launch goes on: to ask takes as long as much of what else begins one. Of
    ``folders`` the first that lies in a checkout is asked about; none is the current one.
    """

    def __init__(self, folders: Iterable[Path | None] = (None,)) -> None:
        self._folders = tuple(folders)
        self._state: dict[str, Any] | None = None
        self._patch: bytes | None = None
        self._files = own_files()
        self._asking = Thread(target=self._ask, name="metalab-git", daemon=True)
        self._asking.start()

    def state(self) -> dict[str, Any] | None:
        """Return what git says, or None where it has no answer.

        ``root`` is the folder of the checkout, ``commit`` None before the first one,
        ``branch`` None where none is checked out, and ``dirty`` whether anything that git
        knows has been changed. ``diff`` has the ``sha256`` and ``bytes`` of what was changed,
        and whether that is ``truncated``; it is None where nothing was, and where it is
        unknown. ``untracked`` has the sha256 of each own module that git does not know,
        by path; None where git does not say.
        """
        self._asking.join()
        return self._state

    def patch(self) -> bytes | None:
        """Return the bytes that ``diff`` describes, None if there are none."""
        self._asking.join()
        return None if self._patch is None else self._patch[:LARGEST_DIFF]

    def _ask(self) -> None:
        any(self._asked(Git(folder)) for folder in self._folders)

    def _asked(self, git: Git) -> bool:
        """Ask all there is to ask, if there is a checkout."""
        root = git.root()
        if root is None:
            return False
        untracked: list[dict[str, str] | None] = []
        # Two gits take no longer than one.
        looking = Thread(target=lambda: untracked.append(untracked_files(git, root, self._files)))
        looking.start()
        state = self._status(git)
        looking.join()
        if state is None:
            return False
        self._state = {"root": readable(root), **state, "untracked": untracked[0]}
        return True

    def _status(self, git: Git) -> dict[str, Any] | None:
        said = git.ask(*_STATUS)
        if said is None:
            return None
        state, heads = _read(said)
        if state["dirty"] and os.environ.get(NO_DIFF, "0") in {"", "0"}:
            self._patch = self._diff(git, is_first=heads.get("branch.oid") == "(initial)")
        return {**state, "diff": None if self._patch is None else _described(self._patch)}

    def _diff(self, git: Git, *, is_first: bool) -> bytes | None:
        base: str | None = "HEAD"
        if is_first:
            told = git.ask(*EMPTY_TREE)
            base = None if told is None else told.strip()
        if base is None:
            return None
        # One byte more tells that there is more.
        return git.read(*_DIFF, base, *_PATHS, most=LARGEST_DIFF + 1)


def _read(said: str) -> tuple[dict[str, Any], dict[str, str]]:
    lines = read_lines(said)
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    state = {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if branch == "(detached)" else branch,
        "dirty": any(not line.startswith("#") for line in lines),
    }
    return state, heads


def _described(patch: bytes) -> dict[str, Any]:
    kept = patch[:LARGEST_DIFF]
    return {
        "sha256": sha256(kept).hexdigest(),
        "bytes": len(kept),
        "truncated": len(patch) > len(kept),
    }
