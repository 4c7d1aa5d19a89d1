"""Untracked modules: files of the user's own that were imported and that no commit holds."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.identity.ownership import Ownership, module_file
from metalab.store.lines import readable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from metalab.surroundings.git import Git

__all__ = ["own_files", "untracked_files"]

_MOST_WORDS = 200
_TRACKED = ("ls-files", "-z", "--recurse-submodules")


def own_files() -> frozenset[str]:
    """Return the files of the user's own modules that this process has imported."""
    ownership = Ownership("")
    files = {name: module_file(name) for name in list(sys.modules)}
    return frozenset(
        file
        for name, file in files.items()
        # The launcher of a command, such as metalab's own, is in none of a library's folders.
        if file is not None and _is_source(file) and ownership.owns_file(name, file)
    )


def untracked_files(git: Git, root: str, files: Iterable[str]) -> dict[str, str] | None:
    """Return the sha256 of each file that git does not know, by its path, sorted.

    Paths within ``root``, the checkout, are relative to it, all others absolute. None if git
    does not say.
    """
    within: dict[str, Path] = {}
    told: dict[str, Path] = {}
    base = Path(root).resolve()
    for path in map(Path, files):
        resolved = path.resolve()
        if resolved.is_relative_to(base):
            within[resolved.relative_to(base).as_posix()] = resolved
        else:
            told[str(path)] = resolved
    names = sorted(within)
    for start in range(0, len(names), _MOST_WORDS):
        words = names[start : start + _MOST_WORDS]
        said = git.read("-C", root, "--literal-pathspecs", *_TRACKED, "--", *words)
        if said is None:
            return None
        known = set(os.fsdecode(said).split("\0"))
        told |= {word: within[word] for word in words if word not in known}
    digests = {readable(name): _digest(told[name]) for name in sorted(told)}
    return {name: digest for name, digest in digests.items() if digest is not None}


def _is_source(file: str) -> bool:
    return file.endswith(".py") and "\0" not in file  # a module may say anything of itself


def _digest(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:  # it is gone: a module need not have a file for ever
        return None
