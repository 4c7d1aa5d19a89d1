"""Import: the runs of a store of any kind, or of the earlier layout, brought into a store."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.store.base import Store
from metalab.store.config import StoreConfig, parse_to_config
from metalab.store.copying import Contents, TransferReport
from metalab.store.earlier.folder import EarlierFolder, earlier_folders
from metalab.store.earlier.records import LAUNCH, run_id_of, status_of
from metalab.store.earlier.source import EarlierSource
from metalab.store.locator import parse_locator
from metalab.store.names import experiment_folder
from metalab.store.transfer import Place, Progress, config_of, copy_experiments, transfer

if TYPE_CHECKING:
    from metalab.records import Status

__all__ = ["import_store"]


def import_store(
    source: Place,
    destination: Place,
    experiment_id: str | None = None,
    contents: Contents | None = None,
    progress: Progress | None = None,
) -> TransferReport:
    """Bring what a store has into another, and report what was copied and what could not be.

    The source may also be a folder of the earlier layout, a JSON file a run, or a folder of
    such folders; nothing is written to it. Its records become first attempts of the launch
    ``import``. Importing twice adds nothing. Errors are those of ``transfer``.
    """
    folders = _earlier(source)
    if not folders or isinstance(source, Store | StoreConfig):
        return transfer(source, destination, experiment_id, contents, progress)
    target = config_of(destination)
    if parse_to_config(source).holds(target):
        raise ValueError(
            f"{target.locator} is or lies in {source}, which is only read; name another destination"
        )
    problems: list[str] = []
    sources = [found for each in folders for found in _sources(each, problems)]
    chosen = [each for each in sources if experiment_id in {None, each.experiment_id}]
    if experiment_id is not None and not chosen:
        there = ", ".join(sorted({each.experiment_id for each in sources})) or "none"
        raise StoreError(f"no experiment {experiment_id!r} in {source} (there: {there})")
    with ExitStack() as stack:
        kept = (
            destination if isinstance(destination, Store) else stack.enter_context(target.connect())
        )
        pairs = [(each.experiment_id, each) for each in chosen]
        report = copy_experiments(pairs, kept, contents or Contents(), progress, LAUNCH)
    report.problems[:0] = dict.fromkeys(problems)
    return report


def _earlier(source: Place) -> list[EarlierFolder]:
    if isinstance(source, Store | StoreConfig):
        return []
    info = parse_locator(source)
    if info.scheme != "file":
        return []
    return earlier_folders(Path(info.path))


def _sources(folder: EarlierFolder, problems: list[str]) -> list[EarlierSource]:
    """Return each experiment in a folder; what cannot be imported goes to the problems."""
    found: dict[str, dict[str, tuple[str, Status]]] = {}
    for run in folder.runs():
        try:
            document = folder.record(run)
            experiment_id = _experiment_of(document.get("experiment_id") or folder.experiment_id())
            found.setdefault(experiment_id, {})[run_id_of(run)] = run, status_of(document)
        except StoreError as error:
            text = str(error)
            path = str(folder.path / "runs" / f"{run}.json")
            problems.append(text if path in text else f"{path}: {text}")
    named = [run for runs in found.values() for run, _ in runs.values()]
    problems += [f"{path} is the log of no run that was imported" for path in folder.logs(named)[1]]
    return [EarlierSource(folder, each, runs, problems) for each, runs in sorted(found.items())]


def _experiment_of(said: object) -> str:
    try:
        experiment_folder(str(said))
    except ValueError as error:
        raise StoreError(f"its experiment is unknown: {error}") from error
    return str(said)
