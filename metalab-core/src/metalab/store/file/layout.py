"""Where everything of a file store lies, and how its folders come to be.

::

    <root>/metalab-store.json           format and identity of the collection
    <root>/README.txt                   one page for people
    <root>/<name>_<version>/            one experiment
        experiment.json                 its id
        manifests/<sha16>.json          what was asked for, by content
        launches/<id>/launch.json       each call of metalab.run
        launches/<id>/name.json         its whole name, where the folder's is cut
        runs/<writer>[-<part>].jsonl    THE TRUTH
        runs/compact.<token>.jsonl[.gz] the same, merged by a compaction
        logs/<writer>[-<part>].log      only if something was logged
        cache/<segment>.columns         what frames are made of; deletable at any moment
        packs/<writer>[-<part>].tar     small artifacts
        artifacts/<id[:2]>/...          large artifacts
        patches/<sha>.diff              what was changed in the checkouts of launches
        payload/<sha>.pkl               what other processes execute, only where they need it
        checkpoints/<run>/<epoch>.<attempt>.<number>    what runs under way can go on from
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import attrs

from metalab.errors import StoreError, StoreNotFoundError
from metalab.store.file import disk
from metalab.store.file.readme import README
from metalab.store.lines import FORMAT
from metalab.store.names import experiment_folder, experiment_of_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Collection", "Folder", "files_below", "locate"]

MARKER = "metalab-store.json"
EXPERIMENT = "experiment.json"
WHOLE_NAME = "name.json"


@attrs.frozen
class Collection:
    """A root folder and what belongs to all of its experiments."""

    root: Path

    def check(self) -> None:
        """Refuse a root that is no folder, or that a newer metalab wrote; writes nothing."""
        if self.root.exists() and not self.root.is_dir():
            raise StoreError(f"{self.root} is a file; a store is a folder: name another place")
        marker = self.root / MARKER
        if not marker.exists():
            return
        document = read_json(marker, "restore it from a copy, or remove it to have a new one made")
        needed = document.get("min_reader", document.get("format", 0))
        if not isinstance(needed, int) or needed > FORMAT:
            raise StoreError(
                f"{self.root} is a store of format {document.get('format')}; this metalab reads "
                f"formats up to {FORMAT}: upgrade it with pip install -U metalab"
            )

    def check_writable(self) -> None:
        """Refuse a root in which nothing can be written, or whose format is another; as check."""
        self.check()
        present = next(path for path in (self.root, *self.root.parents) if path.exists())
        if not present.is_dir():
            raise StoreError(f"{present} is a file; {self.root} cannot be made below it")
        if not os.access(present, os.W_OK | os.X_OK):
            raise StoreError(
                f"{present} cannot be written to: ask for write permission, or name another store"
            )

    def make(self) -> None:
        """Make the root, its marker and its page for people, where they are missing."""
        for folder in reversed([p for p in (self.root, *self.root.parents) if not p.exists()]):
            disk.make_directory(folder)
        marker = {"format": FORMAT, "min_reader": FORMAT, "store_id": secrets.token_hex(16)}
        if not (self.root / MARKER).exists():
            disk.publish(self.root / MARKER, _json(marker))
        if not (self.root / "README.txt").exists():
            disk.publish(self.root / "README.txt", README.encode())

    def is_store(self) -> bool:
        """Tell whether there is a store; a copy may have lost its marker."""
        return (self.root / MARKER).exists() or bool(self.experiments())

    def experiments(self) -> list[str]:
        """List the ids of the experiments, sorted."""
        if (self.root / EXPERIMENT).exists():
            return [experiment_in(self.root)]
        folders = (self.root / name for name in disk.names(self.root))
        return sorted(experiment_in(each) for each in folders if (each / EXPERIMENT).is_file())


@attrs.frozen
class Folder:
    """One experiment's folder."""

    collection: Collection
    experiment_id: str
    path: Path

    @classmethod
    def of(cls, root: Path, experiment_id: str) -> Folder:
        """Return the folder of an experiment below a root, or at it where it is one itself."""
        alone = (root / EXPERIMENT).is_file()
        path = root if alone else root / experiment_folder(experiment_id)
        return cls(Collection(root), experiment_id, path)

    def check(self) -> None:
        """Refuse a folder that is another experiment's, and what its collection refuses."""
        self.collection.check()
        if (self.path / EXPERIMENT).exists():
            found = experiment_in(self.path)
            if found != self.experiment_id:
                raise StoreError(
                    f"{self.path} holds the experiment {found!r}, not {self.experiment_id!r}"
                )

    def check_writable(self) -> None:
        """Refuse a folder in which nothing can be written, as check."""
        self.check()
        for path in (self.path, self.path / "runs"):
            if path.exists() and not (path.is_dir() and os.access(path, os.W_OK | os.X_OK)):
                raise StoreError(
                    f"{path} cannot be written to: ask for write permission, or name another store"
                )

    def make(self, *parts: str) -> Path:
        """Return a folder within, making it and all above it durably."""
        target = self.path.joinpath(*parts)
        if target.is_dir():
            return target
        if not (self.path / EXPERIMENT).exists():
            self._make_experiment()
        below = self.path
        for part in parts:
            below /= part
            disk.make_directory(below)
        return target

    def _make_experiment(self) -> None:
        if self.path != self.collection.root:
            self.collection.make()
        disk.make_directory(self.path)
        name, _, version = self.experiment_id.partition(":")
        document = {"format": FORMAT, "id": self.experiment_id, "name": name, "version": version}
        disk.publish(self.path / EXPERIMENT, _json(document))


def experiment_in(folder: Path) -> str:
    """Return the id of the experiment whose folder this is."""
    try:
        experiment_id = read_json(folder / EXPERIMENT).get("id")
    except StoreError:
        experiment_id = experiment_of_folder(folder.name)
    if not (isinstance(experiment_id, str) and all(experiment_id.partition(":"))):
        raise StoreError(
            f"{folder / EXPERIMENT} names no experiment; restore it from a copy: "
            '{"format": 1, "id": "name:version"}'
        )
    return experiment_id


def locate(root: str, experiment_id: str | None) -> tuple[str, str | None]:
    """Return the root and the experiment that a path means: it may be an experiment's folder.

    Raises ValueError if the path is the folder of another experiment.
    """
    path = Path(root)
    if not (path / EXPERIMENT).is_file():
        return root, experiment_id
    found = experiment_in(path)
    if experiment_id not in {None, found}:
        raise ValueError(f"{root} is already scoped to {found!r}, it cannot keep {experiment_id!r}")
    above = path.parent
    if (above / MARKER).exists() and path.name == experiment_folder(found):
        return str(above), found
    return root, found


def missing(root: Path, experiment_id: str | None = None) -> StoreNotFoundError:
    """Say that there is no store, or no such experiment in it, and what there is."""
    if experiment_id is not None:
        known = ", ".join(Collection(root).experiments()) or "none"
        return StoreNotFoundError(f"no experiment {experiment_id!r} in {root} (there: {known})")
    if root.exists():
        return StoreNotFoundError(f"{root} is no store: it has no {MARKER} and no experiment")
    return StoreNotFoundError(f"there is no store at {root}")


def files_below(*folders: Path) -> Iterator[Path]:
    """Yield all files below folders, hidden ones as well, in order; folders may be missing."""
    for folder in folders:
        for name in disk.names(folder):
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                yield from files_below(path)
            else:
                yield path


def is_cut(name: str) -> bool:
    """Tell whether a file name holds only the beginning of the text that it stands for."""
    return "~" in name


def launch_in(folder: Path) -> str:
    """Return the name of the launch that a folder is of."""
    whole = folder / WHOLE_NAME
    if is_cut(folder.name) and whole.exists():
        return str(read_json(whole)["launch"])
    return unquoted(folder.name)


def unquoted(name: str) -> str:
    """Return the text that a short file name stands for."""
    return unquote(name)


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def read_json(path: Path, advice: str = "restore it from a copy") -> dict[str, Any]:
    """Return the JSON object in a file; raises StoreError that says what to do."""
    with disk.explained(f"{path} cannot be read"):
        content = disk.read_all(path)
    try:
        document = json.loads(content)
    except ValueError as error:
        raise StoreError(f"{path} is damaged ({error}); {advice}") from error
    if not isinstance(document, dict):
        raise StoreError(f"{path} is damaged (no JSON object); {advice}")
    return document
