"""One folder of the earlier layout: where everything of a run lies.

::

    <folder>/runs/<run>.json                 the record
    <folder>/derived/<run>.json              derived values by name
    <folder>/results/<run>/<name>.json       structured data
    <folder>/artifacts/<run>/<name>.<ext>    artifacts, and a manifest of them
    <folder>/logs/<run>_<name>.log           logs; also <label>_<run[:8]>_<name>.log
    <folder>/experiments/*.json              experiment manifests
    <folder>/_meta.json                      the experiment's id, in some
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import StoreError
from metalab.store.file import disk

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EarlierFolder", "earlier_folders"]

_JSON = ".json"
_LOG = ".log"
_SHORT = 8


def earlier_folders(root: Path) -> list[EarlierFolder]:
    """Return the folders of the earlier layout at a path or right below it, sorted."""
    places = [root, *(root / name for name in disk.folders(root))]
    return [EarlierFolder(place) for place in places if _has_records(place)]


def _has_records(place: Path) -> bool:
    return any(name.endswith(_JSON) for name in _names(place / "runs"))


def _names(folder: Path) -> list[str]:
    """List what is no temporary or hidden file."""
    try:
        return [name for name in disk.names(folder) if not name.startswith((".", "_"))]
    except NotADirectoryError:
        return []


@attrs.frozen
class EarlierFolder:
    """Reads a folder; the names of runs are those of their files."""

    path: Path

    def runs(self) -> list[str]:
        """List the runs that have a record."""
        return self._stems("runs")

    def record(self, run: str) -> dict[str, Any]:
        """Return the record of a run; raises StoreError that names the file."""
        return self._object(self.path / "runs" / f"{run}{_JSON}")

    def experiment_id(self) -> str | None:
        """Return the id that the folder says its experiment has, if it does."""
        try:
            found = self._object(self.path / "_meta.json").get("experiment_id")
        except StoreError:
            return None
        return found if isinstance(found, str) else None

    def derived(self, run: str) -> tuple[dict[str, Any], int]:
        """Return the derived values of a run, and when they were written, in microseconds."""
        path = self.path / "derived" / f"{run}{_JSON}"
        if not path.exists():
            return {}, 0
        return self._object(path), path.stat().st_mtime_ns // 1000

    def data(self, run: str) -> list[Path]:
        """List the files of a run's structured data."""
        folder = self.path / "results" / run
        return [folder / name for name in _names(folder) if name.endswith(_JSON)]

    def artifact(self, run: str, uri: str, name: str) -> Path | None:
        """Find an artifact by the file that its uri names, or by its own name.

        Uris are often paths of another machine, so only the last part of one counts.
        """
        folder = self.path / "artifacts" / run
        there = _names(folder)
        last = uri.replace("\\", "/").rpartition("/")[2]
        named = [each for each in there if each == last]
        named += [each for each in there if each == name or each.startswith(f"{name}.")]
        for each in named:
            path = folder / each
            if path.is_file() and path.resolve().is_relative_to(self.path.resolve()):
                return path
        return None

    def artifact_descriptors(self, run: str) -> list[Any]:
        """Return the descriptors that lie beside a run's artifacts, if any do."""
        folder = self.path / "artifacts" / run
        found: list[Any] = []
        for name in disk.names(folder):
            if name.endswith(f"manifest{_JSON}"):
                listed = self._object(folder / name).get("artifacts")
                found += listed if isinstance(listed, list) else []
        return found

    def logs(self, runs: list[str]) -> tuple[list[tuple[str, str, Path]], list[Path]]:
        """Return the logs of runs as (run, name, file), and the files that are of no run."""
        folder = self.path / "logs"
        by_short = {run[:_SHORT]: run for run in runs}
        known = set(runs)
        found, lost = [], []
        for name in _names(folder):
            if not name.endswith(_LOG):
                continue
            head, _, log = name.removesuffix(_LOG).partition("_")
            if head not in known:
                label = name.removesuffix(_LOG).split("_")
                place = next((i for i, part in enumerate(label) if part in by_short), None)
                if place is None:
                    lost.append(folder / name)
                    continue
                head, log = by_short[label[place]], "_".join(label[place + 1 :])
            found.append((head, log or "run", folder / name))
        return found, lost

    def manifests(self) -> list[Path]:
        """List the files of experiment manifests, oldest first."""
        folder = self.path / "experiments"
        paths = [folder / name for name in _names(folder) if name.endswith(_JSON)]
        return sorted(paths, key=lambda path: path.stat().st_mtime_ns)

    def read(self, path: Path) -> Any:
        """Return what a JSON file holds; raises StoreError that names it.

        NaN and infinities may stand in it as JSON libraries write them.
        """
        try:
            content = disk.read_all(path)
            if not content.strip():
                raise StoreError(f"{path} is empty; it was skipped")
            return json.loads(content)
        except ValueError as error:
            raise StoreError(f"{path} is damaged ({error}); it was skipped") from error
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror}); skipped") from error

    def _object(self, path: Path) -> dict[str, Any]:
        found = self.read(path)
        if not isinstance(found, dict):
            raise StoreError(f"{path} is damaged (no JSON object); it was skipped")
        return found

    def _stems(self, folder: str) -> list[str]:
        names = _names(self.path / folder)
        return [name.removesuffix(_JSON) for name in names if name.endswith(_JSON)]
