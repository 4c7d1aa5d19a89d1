"""The checks of ``metalab doctor`` that concern a store: what is in it, and what it lies on."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from metalab.cli.collection import experiments_of, open_store
from metalab.cli.filesystem import mount_of, mounts, promise_of
from metalab.cli.finding import Finding, State
from metalab.cli.text import many, size
from metalab.errors import MetalabError
from metalab.store.file import checkpoints, disk, layout
from metalab.store.file.content import is_segment
from metalab.store.file.store import FileStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from metalab.store.base import Damage, RunLog, Store

__all__ = ["check_store", "crowding"]

_CROWD = 10_000  # segments that a reader opens in some seconds on a network file system

_PLACES = 5
_SKEW_SECONDS = 2.0
_LITTLE_BYTES = 64 << 20
_FEW_INODES = 1_000


def check_store(locator: str) -> Iterator[Finding]:
    """Check a store; nothing is left in it that was not there."""
    try:
        store = open_store(locator)
        stores = experiments_of(store)
    except (MetalabError, OSError, ValueError) as error:
        yield Finding("store", State.WRONG, str(error))
        return
    yield Finding("store", State.OK, f"{store.locator} ({store.config.scheme})", _where(store))
    yield from _contents(stores)
    if isinstance(store, FileStore):
        yield from _folder(store.root)


def _where(store: Store) -> dict[str, str | None]:
    return {
        "store": store.locator,
        "scheme": store.config.scheme,
        "experiment_id": store.experiment_id,
    }


def _contents(stores: list[Store]) -> Iterator[Finding]:
    runs, segments = 0, 0
    damage: list[Damage] = []
    for store in stores:
        try:
            log = store.read()
        except (MetalabError, OSError) as error:
            text = f"{store.experiment_id} cannot be read: {error}"
            yield Finding("experiment", State.WRONG, text, {"experiment_id": store.experiment_id})
            continue
        runs += len(log)
        damage += log.damage
        segments += _segments(store)
        if hint := crowding(store):
            details = {"experiment_id": store.experiment_id, "segments": _segments(store)}
            yield Finding("segments", State.NOTE, f"{store.experiment_id} has {hint}", details)
        yield from _checkpoints(store, log)
    text = f"{many(len(stores), 'experiment')}, {many(runs, 'run')}"
    counts = {"experiments": len(stores), "runs": runs, "segments": segments}
    yield Finding("contents", State.OK, f"{text}, {many(segments, 'segment')}", counts)
    yield _damage(damage)


def _segments(store: Store) -> int:
    if not isinstance(store, FileStore):
        return 0
    return sum(map(is_segment, disk.names(store.get_working_directory() / "runs")))


def _checkpoints(store: Store, log: RunLog) -> Iterator[Finding]:
    """Tell of what runs have kept to go on from, and of what is of no use any more."""
    if not isinstance(store, FileStore):
        return
    folder = store.get_working_directory()
    sizes = checkpoints.sizes(folder)
    if not sizes:
        return
    useless = len(checkpoints.useless(folder, log))
    text = f"{store.experiment_id} has {many(len(sizes), 'checkpoint')} of {size(sum(sizes))}"
    if useless:
        text += f", {useless:,} of runs that have ended: metalab fsck --remove-strays removes those"
    details = {"experiment_id": store.experiment_id, "files": len(sizes), "useless": useless}
    yield Finding("checkpoints", State.NOTE if useless else State.OK, text, details)


def crowding(store: Store) -> str | None:
    """Say what to do about an experiment with very many files; None where there are few."""
    segments = _segments(store)
    if segments <= _CROWD:
        return None
    return f"{many(segments, 'file')} of runs: metalab compact merges them into few"


def _damage(damage: list[Damage]) -> Finding:
    if not damage:
        return Finding("damage", State.OK, "no line is damaged", {"lines": 0, "places": []})
    places = [f"{each.place}: {each.reason}" for each in damage]
    more = f"; and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
    text = f"{many(len(places), 'line')} cannot be read: {'; '.join(places[:_PLACES])}{more}"
    return Finding("damage", State.WRONG, text, {"lines": len(places), "places": places})


def _folder(root: Path) -> Iterator[Finding]:
    yield _format(root)
    yield _file_system(root)
    yield from _space(root)
    if os.access(root, os.W_OK | os.X_OK):
        yield _clock(root)
    else:
        text = f"{root} can be read only: no run can be kept there by this user"
        yield Finding("writing", State.NOTE, text, {"writable": False})


def _format(root: Path) -> Finding:
    if not (root / layout.MARKER).exists():
        text = f"{layout.MARKER} is missing, as in a copy of part of a store; reading works"
        return Finding("format", State.NOTE, text, {"format": None})
    document = layout.read_json(root / layout.MARKER)
    return Finding("format", State.OK, str(document.get("format")), document)


def _file_system(root: Path) -> Finding:
    mount = mount_of(root, mounts())
    if mount is None:
        text = "this system does not tell its type; results are as durable as its fsync makes them"
        return Finding("file system", State.NOTE, text, {"type": None})
    promise = promise_of(mount)
    text = f"{mount.kind} at {mount.point}: {promise.text}"
    return Finding("file system", promise.state, text, {"type": mount.kind, "mount": mount.point})


def _space(root: Path) -> Iterator[Finding]:
    if not hasattr(os, "statvfs"):  # Windows
        return
    found = os.statvfs(root)
    free = found.f_bavail * found.f_frsize
    state = State.WRONG if free < _LITTLE_BYTES else State.OK
    yield Finding("space", state, f"{free / 2**30:,.1f} GiB free", {"free_bytes": free})
    if found.f_files:  # some file systems have as many as they have space
        state = State.WRONG if found.f_favail < _FEW_INODES else State.OK
        text = f"room for {found.f_favail:,} more files"
        yield Finding("inodes", state, text, {"free_inodes": found.f_favail})


def _clock(root: Path) -> Finding:
    """Write a file, and compare its time with the clock; the file is removed again."""
    try:
        with disk.temporary(root) as (file, path):
            before = time.time()
            file.write(b"metalab doctor\n")
            file.flush()
            changed = path.stat().st_mtime
            after = time.time()
    except OSError as error:
        text = f"no file can be written to {root}: {error.strerror}"
        return Finding("writing", State.WRONG, text, {"writable": False})
    skew = changed - min(max(changed, before), after)
    details = {"writable": True, "skew_seconds": round(skew, 3)}
    if abs(skew) < _SKEW_SECONDS:
        return Finding("writing", State.OK, "works; file times agree with the clock", details)
    text = (
        f"works, but file times are {abs(skew):,.1f} s {'ahead of' if skew > 0 else 'behind'} "
        "this machine's clock: have both machines set by NTP"
    )
    return Finding("writing", State.WRONG, text, details)
