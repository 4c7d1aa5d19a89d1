"""Inspection: every line, every artifact and every name of an experiment's folder is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.store.file import checkpoints, disk, layout, patches, strays
from metalab.store.file.reader import is_replaced, read_runs
from metalab.store.file.references import artifact_flaws, log_flaws, orphans
from metalab.store.file.survey import Survey
from metalab.store.launches import patch_of
from metalab.store.maintenance import Flaw, Inspection, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from metalab.store.file.layout import Folder
    from metalab.store.file.runlog import FileRunLog

__all__ = ["inspect_folder"]


def inspect_folder(folder: Folder, *, remove_strays: bool) -> Inspection:
    """Check an experiment's folder, as ``Store.inspect`` says."""
    log = read_runs(folder.path / "runs")
    survey = Survey()
    for name in log.positions:
        path = log.folder / name
        if not is_replaced(path, log.replaced):
            survey.add(path)
    found = strays.find(folder)
    removed = strays.remove(found) if remove_strays else []
    if remove_strays:
        removed += checkpoints.remove(checkpoints.useless(folder.path, log))
    flaws = [
        *_descriptions(folder),
        *_lines(log),
        *survey.flaws(log.replaced),
        *_left_behind(log),
        *_manifests(folder, survey),
        *_patches(folder.path),
        *artifact_flaws(folder.path, survey.artifacts),
        *orphans(folder.path, survey.artifacts),
        *log_flaws(folder.path, survey.run_ids),
        *checkpoints.flaws(folder.path, log),
        *(strays.flaw(path) for path in found if path not in removed),
    ]
    counts = survey.segments, survey.lines, len(survey.artifacts)
    return Inspection(*counts, tuple(flaws), tuple(map(str, removed)))


def _descriptions(folder: Folder) -> Iterator[Flaw]:
    """Check what says which store and which experiment this is."""
    root = folder.collection.root
    if not (root / layout.MARKER).exists():
        text = "it is missing, as in a copy of part of a store; reading works"
        yield Flaw("marker", Severity.NOTE, str(root / layout.MARKER), text)
    path = folder.path / layout.EXPERIMENT
    try:
        folder.check()
        found = layout.read_json(path).get("id") if path.exists() else None
    except (StoreError, OSError) as error:
        yield Flaw("experiment", Severity.DAMAGE, str(path), str(error))
        return
    if found is None and folder.path.exists():
        text = f'it does not name the experiment; restore it: {{"id": "{folder.experiment_id}"}}'
        yield Flaw("experiment", Severity.DAMAGE, str(path), text)


def _lines(log: FileRunLog) -> Iterator[Flaw]:
    for each in log.damage:
        text = f"{each.reason}; all other lines count, restore the file from a copy if there is one"
        yield Flaw("line", Severity.DAMAGE, each.place, text)


def _left_behind(log: FileRunLog) -> Iterator[Flaw]:
    for name in log.positions:
        path = log.folder / name
        if is_replaced(path, log.replaced):
            text = "an interrupted compaction has copied it; metalab compact removes it"
            yield Flaw("left-behind", Severity.NOTE, str(path), text)


def _manifests(folder: Folder, survey: Survey) -> Iterator[Flaw]:
    """Check the documents that say what was asked for, and who asked."""
    for path in _documents(folder.path):
        try:
            layout.read_json(path)
        except (StoreError, OSError) as error:
            yield Flaw("document", Severity.DAMAGE, str(path), str(error))
    for name, place in sorted(survey.manifests.items()):
        path = folder.path / "manifests" / f"{name}.json"
        if not path.exists():
            text = f"the manifest {name} that this line and perhaps others name is missing"
            yield Flaw("document", Severity.DAMAGE, place, f"{text}; restore {path} from a copy")


def _patches(folder: Path) -> Iterator[Flaw]:
    """Check that changes of checkouts are what their names say, and that none is missing."""
    place = folder / patches.FOLDER
    there = {name for name in disk.names(place) if not name.startswith(disk.TEMPORARY)}
    for name in sorted(there):
        try:
            patches.read(folder, name.removesuffix(patches.ENDING))
        except StoreError as error:
            yield Flaw("patch", Severity.DAMAGE, str(place / name), str(error))
    for path in sorted(folder.glob("launches/*/launch.json")):
        try:
            named = patch_of(layout.read_json(path))
        except StoreError:  # which is told of already
            continue
        if named is not None and patches.file_of(named) not in there:
            text = f"the changes {named[:12]} that it names are missing; no result depends on them"
            yield Flaw("patch", Severity.NOTE, str(path), text)


def _documents(folder: Path) -> Iterator[Path]:
    for path in layout.files_below(folder / "manifests", folder / "launches"):
        if path.suffix == ".json" and not path.name.startswith("."):
            yield path
