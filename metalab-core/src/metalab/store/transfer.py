"""Export: all that experiments have, copied from one store into another of any kind.

Stores are sets of lines, so copying is a union: whatever is copied first, and however often,
the outcome is the same, and a copy that was interrupted is finished by the next one.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from metalab.errors import StoreError, StoreWarning
from metalab.store.base import Store
from metalab.store.config import StoreConfig, parse_to_config
from metalab.store.copying import Contents, LineCopier, TransferReport, windows
from metalab.store.launches import patch_of
from metalab.store.logcopies import copy_logs
from metalab.store.overwriting import overwrite as make_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from metalab.store.source import Source

__all__ = [
    "Contents",
    "Place",
    "Progress",
    "TransferReport",
    "config_of",
    "export_store",
    "transfer",
]

Place = str | os.PathLike[str] | StoreConfig | Store
"""What names a store: a path or locator, a configuration, or an open store."""

Progress = Callable[[int, int], None]
"""Called with how many runs are done, and how many there are in the experiments begun."""

_SHOWN = 3


def export_store(
    source: Place,
    destination: Place,
    *,
    experiment_id: str | None = None,
    include_artifacts: bool = True,
    include_derived: bool = True,
    include_logs: bool = True,
    overwrite: bool = False,
    progress_callback: Progress | None = None,
) -> dict[str, int]:
    """Copy experiments with all that they have into another store, and count what was copied.

    Records of all attempts, series, data, manifests and launches are always copied; where a
    run is in both stores, the better record counts in the copy as in ``metalab.store.fold``,
    unless ``overwrite`` lets the source's count. Without ``experiment_id`` every experiment
    of the source is copied. The source may be in use; nothing is written to it.

    Returns how many ``runs`` were new (or overwritten), and how many ``derived`` values,
    ``logs`` and ``artifacts`` were copied. What could not be copied is told by a
    StoreWarning. Raises ValueError if the destination is the source or lies in it, or is
    another experiment's store; StoreNotFoundError without a source; StoreError if the
    destination cannot be written.
    """
    contents = Contents(include_artifacts, include_derived, include_logs, overwrite)
    report = transfer(source, destination, experiment_id, contents, progress_callback)
    if report.problems:
        count = len(report.problems)
        more = f"; and {count - _SHOWN} more" if count > _SHOWN else ""
        told = "; ".join(report.problems[:_SHOWN])
        warnings.warn(f"{count} not copied: {told}{more}", StoreWarning, stacklevel=2)
    return report.counts()


def transfer(
    source: Place,
    destination: Place,
    experiment_id: str | None = None,
    contents: Contents | None = None,
    progress: Progress | None = None,
) -> TransferReport:
    """Copy experiments as ``export_store`` does, and report problems instead of warning."""
    given, target = config_of(source), config_of(destination)
    _refuse_overlap(given, target)
    with ExitStack() as stack:
        opened = source if isinstance(source, Store) else stack.enter_context(given.open())
        chosen = _chosen(opened, experiment_id)
        for each in chosen:  # before anything is made
            _refuse_overlap(given.scoped(each), target.scoped(each))
        kept = (
            destination if isinstance(destination, Store) else stack.enter_context(target.connect())
        )
        sources = [(each, opened.scoped(each)) for each in chosen]
        return copy_experiments(sources, kept, contents or Contents(), progress)


def copy_experiments(
    sources: Iterable[tuple[str, Source]],
    destination: Store,
    contents: Contents,
    progress: Progress | None,
    launch: str = "export",
) -> TransferReport:
    """Copy experiments, given by id and source, with writers of a launch of that name."""
    report = TransferReport()
    done = total = 0
    for experiment_id, source in sources:
        with destination.scoped(experiment_id) as kept:
            copy = _ExperimentCopy(source, kept, contents, report, launch)
            total += copy.runs
            for copied in copy:
                done += copied
                if progress is not None:
                    progress(done, total)
    return report


class _ExperimentCopy:
    """Copies one experiment; iterated, it yields how many runs each step has done."""

    def __init__(
        self,
        source: Source,
        destination: Store,
        contents: Contents,
        report: TransferReport,
        launch: str,
    ) -> None:
        self._source = source
        self._destination = destination
        self._contents = contents
        self._report = report
        self._launch = launch
        self._log = source.read()
        self.runs = sum(1 for _ in self._log.subjects())
        report.problems += [f"{each.place}: {each.reason}" for each in self._log.damage]

    def __iter__(self) -> Iterator[int]:
        manifests = {
            name: self._destination.put_manifest(manifest)
            for name, manifest in self._kept_of(self._source.manifests).items()
        }
        self._copy_launches()
        with self._destination.writer(self._launch) as writer:
            copier = LineCopier(
                self._source,
                self._log,
                self._destination.read(),
                writer,
                self._contents,
                self._report,
                manifests,
            )
            for window in windows(self._log.subjects()):
                copier.copy(window)
                yield len(window)
            if self._contents.logs:
                copy_logs(self._source, self._destination, writer, self._report)
            if self._contents.overwrite:
                make_count(
                    self._source,
                    self._log,
                    self._destination,
                    writer,
                    copier,
                    self._contents,
                    self._report,
                )

    def _copy_launches(self) -> None:
        there = self._kept_of(self._destination.launches)
        for launch, document in self._kept_of(self._source.launches).items():
            if launch not in there:
                self._copy_patch(document)
                self._destination.put_launch(launch, document)
            elif there[launch] != document:
                self._report.problems.append(
                    f"the launch {launch} was not copied: {self._destination.locator} has another "
                    "launch of that name"
                )

    def _copy_patch(self, launch: Mapping[str, Any]) -> None:
        name = patch_of(launch)
        try:
            patch = None if name is None else self._source.get_patch(name)
        except StoreError as error:
            self._report.problems.append(str(error))
            return
        if patch is not None:
            self._destination.put_patch(patch)

    def _kept_of(self, read: Callable[[], dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
        try:
            return read()
        except StoreError as error:
            self._report.problems.append(str(error))
            return {}


def config_of(place: Place) -> StoreConfig:
    """Return the configuration of a store that is named in any of the ways."""
    if isinstance(place, Store):
        return place.config
    return place if isinstance(place, StoreConfig) else parse_to_config(place)


def _refuse_overlap(source: StoreConfig, destination: StoreConfig) -> None:
    if source.holds(destination):
        raise ValueError(
            f"{destination.locator} is the source {source.locator} or lies in it; "
            "name another destination"
        )


def _chosen(source: Store, experiment_id: str | None) -> list[str]:
    there = source.list_experiments()
    wanted = experiment_id if experiment_id is not None else source.experiment_id
    if wanted is None:
        return there
    source.scoped(wanted)  # refuses another experiment than its own
    if wanted not in there:
        known = ", ".join(there) or "none"
        raise StoreError(f"no experiment {wanted!r} in {source.locator} (there: {known})")
    return [wanted]
