"""File systems: on which one a folder lies, and what that kind of file system promises."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import attrs

from metalab.cli.finding import State

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Mount", "Promise", "mount_of", "mounts", "promise_of"]

_ESCAPE = re.compile(r"\\([0-7]{3})")


@attrs.frozen
class Mount:
    """A mounted file system: its folder, its type and its options."""

    point: str
    kind: str
    options: frozenset[str] = frozenset()


@attrs.frozen
class Promise:
    """What can be relied on for results that were acknowledged."""

    state: State
    text: str


def mounts(path: str = "/proc/mounts") -> list[Mount]:
    """List what is mounted; empty where the system does not tell."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123  as is
            lines = [line.split() for line in file]
    except OSError:
        return []
    return [
        Mount(_unescaped(line[1]), line[2], frozenset(line[3].split(",")))
        for line in lines
        if len(line) > 3  # noqa: PLR2004  device, folder, type, options
    ]


def mount_of(path: Path, mounted: list[Mount]) -> Mount | None:
    """Return the file system that a folder lies on: of those mounted over it the innermost."""
    place = os.path.realpath(path)
    above = [mount for mount in mounted if _is_below(place, mount.point)]
    # What was mounted last hides what was mounted before at the same folder.
    return max(reversed(above), key=lambda mount: len(mount.point), default=None)


def promise_of(mount: Mount) -> Promise:
    """Say what a file system promises for results that were acknowledged."""
    family = next((promise for kinds, promise in _PROMISES if _matches(mount.kind, kinds)), None)
    promise = family or Promise(
        State.NOTE, "metalab does not know it: results are as durable as its fsync makes them"
    )
    warnings = [text for option, text in _OPTIONS.items() if option in mount.options]
    if warnings:
        return Promise(State.NOTE, "; ".join([promise.text, *warnings]))
    return promise


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)


def _is_below(place: str, point: str) -> bool:
    return place == point or place.startswith(point.rstrip("/") + "/")


def _matches(kind: str, kinds: str) -> bool:
    return kind in kinds.split() or kind.partition(".")[0] + ".*" in kinds.split()


# The first that fits counts.
_PROMISES = (
    (
        "ext4 ext3 ext2 xfs btrfs zfs f2fs bcachefs jfs reiserfs",
        Promise(State.OK, "a disk of this machine: acknowledged results survive a power cut"),
    ),
    (
        "nfs nfs4",
        Promise(
            State.OK,
            "a network file system: an acknowledged result is on the server; other machines "
            "may see it some seconds later",
        ),
    ),
    (
        "lustre gpfs beegfs ceph fuse.ceph pvfs2 panfs wekafs",
        Promise(
            State.OK,
            "a parallel file system: an acknowledged result is on its servers, and every "
            "machine sees it",
        ),
    ),
    (
        "tmpfs ramfs devtmpfs",
        Promise(State.NOTE, "memory: results survive a crash of their process, but no reboot"),
    ),
    (
        "overlay aufs",
        Promise(
            State.NOTE,
            "a container's own layer: results survive its restart, but not its removal; mount "
            "a volume for what is to stay",
        ),
    ),
    (
        "cifs smb3 smbfs",
        Promise(
            State.NOTE, "a network share: acknowledged results are as durable as its server's cache"
        ),
    ),
    (
        "9p virtiofs vboxsf drvfs",
        Promise(State.NOTE, "a folder of the host: results are as durable as the host makes them"),
    ),
    (
        "vfat msdos exfat fuseblk",
        Promise(State.NOTE, "a file system without a journal, or a foreign one: eject it properly"),
    ),
    (
        "fuse fuse.*",
        Promise(
            State.NOTE,
            "served by a program: results are as durable as that program makes them; test a "
            "power cut before relying on it",
        ),
    ),
)

_OPTIONS = {
    "soft": "mounted soft: a slow server can cost writes, hard is safe",
    "nobarrier": "mounted with nobarrier: a power cut can cost results",
    "barrier=0": "mounted with barrier=0: a power cut can cost results",
    "ro": "mounted read-only",
}
