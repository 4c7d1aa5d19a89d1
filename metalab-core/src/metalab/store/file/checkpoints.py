"""Checkpoints in a folder: ``checkpoints/<run>/<epoch>.<attempt>.<number>``, read by their owner.

A file is a line of JSON with the size and the sha256 of what follows it. It is written aside
and named once it is durable, and older ones are removed after that: the last two stay, so that
the one before is there if the newest turns out to be damaged.
"""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from metalab.checkpoints import Checkpoints
from metalab.errors import PayloadError, StoreError
from metalab.records import Status
from metalab.store.file import disk, layout, payloads
from metalab.store.maintenance import Flaw, Severity
from metalab.store.names import file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from metalab.store.file.layout import Folder
    from metalab.store.reading import RunLog

__all__ = ["FileCheckpoints", "flaws", "has_checkpoint", "remove", "sizes", "useless"]

_FOLDER = "checkpoints"
_KEPT = 2
_LONGEST_HEADER = 200
_BLOCK = 1 << 20


class _Name(NamedTuple):
    """The name of a checkpoint's file, taken apart; the greatest is the newest."""

    epoch: int
    attempt: int
    number: int

    def __str__(self) -> str:
        return ".".join(map(str, self))


class FileCheckpoints(Checkpoints):
    """The checkpoints of a run below an experiment's folder; see Checkpoints."""

    def __init__(self, folder: Folder, run_id: str, epoch: int, attempt: int) -> None:
        super().__init__()
        self._folder = folder
        self._run = file_name(run_id)
        self._place = epoch, attempt
        self._damaged: set[_Name] = set()
        self._has_kept = False

    def keep(self, data: bytes) -> None:
        """Keep a checkpoint durably; see Checkpoints.keep."""
        with disk.explained("a checkpoint cannot be kept"):
            folder = self._folder.make(_FOLDER, self._run)
            if not self._has_kept:
                _remove_unfinished(folder, disk.names(folder))
            # Listed each time: a forked child, or whoever repeats the attempt, may keep some, too.
            mine = (each.number for each in _names_in(folder) if each[:2] == self._place)
            name = _Name(*self._place, max(mine, default=0) + 1)
            header = _header(data)
            with disk.temporary(folder, 0o600) as (file, written):
                file.write(header)
                file.write(data)
                disk.replace(file, written, folder / str(name), len(header) + len(data))
            self._has_kept = True
            self._prune(folder)

    def _prune(self, folder: Path) -> None:
        names = _names_in(folder)
        sound = [each for each in names if each not in self._damaged][-_KEPT:]
        for each in names:
            if each not in sound:
                disk.remove(folder / str(each))

    def latest(self) -> bytes | None:
        """Return the newest that is whole; see Checkpoints.latest."""
        folder = self._folder.path / _FOLDER / self._run
        epoch, attempt = self._place
        with disk.explained("a checkpoint cannot be read"):
            for each in reversed(_names_in(folder)):
                if each.epoch != epoch or each.attempt > attempt:
                    continue
                data = self._read(folder, each)
                if data is not None:
                    return data
        return None

    def _read(self, folder: Path, name: _Name) -> bytes | None:
        path = folder / str(name)
        try:
            with _open_own(path) as file:
                size, digest = _described(file)
                data = file.read()
        except FileNotFoundError:  # another attempt has kept two newer ones since it was listed
            return None
        if (len(data), sha256(data).hexdigest()) == (size, digest):
            return data
        self._damaged.add(name)
        self.warnings.append(
            f"the checkpoint {path} is damaged: it was passed over for the one before it"
        )
        return None

    def clear(self) -> None:
        """Remove all of this epoch and before, and the run's folder once it is empty."""
        folder = self._folder.path / _FOLDER / self._run
        try:
            names = disk.names(folder)
        except OSError:  # what stays is found by an inspection
            return
        for each in _parsed(names):
            if each.epoch <= self._place[0]:
                disk.remove(folder / str(each))
        if names:
            _remove_unfinished(folder, names)
            disk.remove(folder)


def sizes(folder: Path) -> list[int]:
    """List the sizes of the checkpoints of all runs; ``folder`` is the experiment's, as below.

    A run under way may remove one meanwhile, and only its owner can open it.
    """
    found = []
    for path, _, _ in _all_in(folder):
        with suppress(FileNotFoundError):
            found.append(path.stat().st_size)
    return found


def has_checkpoint(folder: Path, run_id: str, place: tuple[int, int]) -> bool:
    """Tell whether a checkpoint of that epoch and attempt is there."""
    names = _names_in(folder / _FOLDER / file_name(run_id))
    return any(each[:2] == place for each in names)


def useless(folder: Path, log: RunLog) -> list[Path]:
    """List the checkpoints of runs that have succeeded, or were begun anew since."""
    return [path for path, run_id, name in _all_in(folder) if _is_useless(log, run_id, name)]


def remove(paths: Iterable[Path]) -> list[Path]:
    """Remove checkpoints, and folders of runs that are empty then; returns which are gone."""
    gone = []
    for path in paths:
        disk.remove(path)
        if not path.exists():
            gone.append(path)
    for folder in {path.parent for path in gone}:
        disk.remove(folder)
    return gone


def flaws(folder: Path, log: RunLog) -> Iterator[Flaw]:
    """Read every checkpoint, and yield those that are of no use; none of it costs a result."""
    for path, run_id, name in _all_in(folder):
        if _is_useless(log, run_id, name):
            text = (
                "its run succeeded, or was begun anew: it only costs space; "
                "metalab fsck --remove-strays and metalab compact remove it"
            )
            yield Flaw("checkpoint", Severity.NOTE, str(path), text)
        elif not _is_whole(path):
            text = "it is damaged: the run will go on from the one before it, or begin anew"
            yield Flaw("checkpoint", Severity.NOTE, str(path), text)


def _is_useless(log: RunLog, run_id: str, name: _Name) -> bool:
    state = log.state(run_id)
    if state is None:
        return name.epoch < log.forgotten(run_id)
    return name.epoch < state.epoch or (
        name.epoch == state.epoch and state.status is Status.SUCCESS
    )


def _is_whole(path: Path) -> bool:
    """Tell whether a checkpoint is as it was kept; true of one that only another user may read."""
    try:
        with disk.reading(path) as file:
            size, expected = _described(file)
            digest, found = sha256(), 0
            while block := file.read(_BLOCK):
                digest.update(block)
                found += len(block)
    except (FileNotFoundError, PermissionError):
        return True
    return (found, digest.hexdigest()) == (size, expected)


def _all_in(folder: Path) -> Iterator[tuple[Path, str, _Name]]:
    for run in disk.folders(folder / _FOLDER):
        for name in _names_in(folder / _FOLDER / run):
            yield folder / _FOLDER / run / str(name), layout.unquoted(run), name


def _names_in(folder: Path) -> list[_Name]:
    """Return the checkpoints in a run's folder, oldest first; none where there is no folder."""
    return _parsed(disk.names(folder))


def _parsed(names: Iterable[str]) -> list[_Name]:
    parted = (name.split(".") for name in names)
    whole = (parts for parts in parted if len(parts) == len(_Name._fields))
    return sorted(_Name(*map(int, parts)) for parts in whole if all(map(_is_number, parts)))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove what an attempt was writing when it died: each may be as large as a checkpoint."""
    for name in names:
        if name.startswith(disk.TEMPORARY):
            disk.remove(folder / name)


def _header(data: bytes) -> bytes:
    document = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    return json.dumps(document).encode() + b"\n"


def _described(file: BinaryIO) -> tuple[object, object]:
    """Read the first line: the size and the sha256 of the rest, or what is none of it."""
    try:
        document = json.loads(file.readline(_LONGEST_HEADER))
        return document["bytes"], document["sha256"]
    except (ValueError, KeyError, TypeError):
        return None, None


def _open_own(path: Path) -> BinaryIO:
    try:
        return payloads.open_own(path)
    except (StoreError, PermissionError) as error:
        raise PayloadError(
            f"the checkpoint {path} is another user's, and what another user wrote is not "
            "executed: let that user go on with the run, or forget it (metalab rm) to begin it anew"
        ) from error
