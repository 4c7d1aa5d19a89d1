"""Results: the runs of an experiment, in order, to look at, choose from and turn into tables."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from metalab.errors import AggregateWarning
from metalab.records import RunRecord, Status
from metalab.results import display
from metalab.results.aggregates import Groups, aggregate, bootstrap_of
from metalab.results.comparison import Comparison, Setting, compare, text_of
from metalab.results.computed import keep_derived
from metalab.results.derived import as_derived_metrics
from metalab.results.lookup import listed, resolve_id
from metalab.results.order import recorded
from metalab.results.questions import best, in_order, where
from metalab.results.reader import Reader
from metalab.results.rows import HeldRows, LoggedRows, Rows
from metalab.results.run import Run
from metalab.results.selection import select, wanted_status, with_status
from metalab.results.tables import Tables

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes

    from metalab.results.derived import DerivedMetrics
    from metalab.results.pivot import Pivot, PivotAggregate
    from metalab.results.plotting.choice import Kind
    from metalab.results.plotting.points import Error
    from metalab.results.report import Mode
    from metalab.store.base import Store

__all__ = ["Results", "display_results"]

# Every launch reads this module, and few ask for a pivot, a picture or a page: those are imported
# where they are asked for, which saves a launch 20 ms.


class Results(Tables, Sequence[Run]):
    """The runs of an experiment, in the order of its plan.

    Made by ``metalab.load_results`` and ``handle.result()``. It is what the store held when
    it was made, reads records when they are looked at, and holds none of them.
    """

    def __init__(
        self,
        store: Store,
        records: Iterable[RunRecord | Run] | Rows,
        *,
        reader: Reader | None = None,
    ) -> None:
        self._reader = reader or Reader(store)
        self._rows = records if isinstance(records, Rows) else _held(records)

    @classmethod
    def from_store(cls, store: Store, *, order: Iterable[str] | None = None) -> Self:
        """Read the runs of one experiment's store: those of ``order`` that have a record.

        Without an order all of them, by their index in the plan, then by id.
        """
        reader = Reader(store)
        rows = LoggedRows(reader.log, None if order is None else recorded(reader.log, order))
        return cls(store, rows, reader=reader)

    @property
    def store(self) -> Store:
        """The store that the runs are kept in."""
        return self._reader.store

    @property
    def runs(self) -> list[Run]:
        """All runs as a list."""
        return list(self)

    @property
    def records(self) -> list[RunRecord]:
        """All records as a list."""
        return list(self._rows.records())

    @property
    def successful(self) -> Self:
        """The runs that succeeded."""
        return self.filter(status=Status.SUCCESS)

    @property
    def failed(self) -> Self:
        """The runs that failed."""
        return self.filter(status=Status.FAILED)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Run]:
        """Yield the runs in order."""
        return map(self._run, self._rows.records())

    @overload
    def __getitem__(self, key: int | str) -> Run: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: int | str | slice) -> Run | Self:
        """Return a run by its place or by its id (a unique prefix is enough), or a slice."""
        if isinstance(key, slice):
            return self._selected(range(len(self))[key])
        place = resolve_id(key, self._rows.ids) if isinstance(key, str) else range(len(self))[key]
        return self._run(next(self._rows.records([place])))

    def __contains__(self, run: object) -> bool:
        """Tell whether a run, or the run of an id, is among these."""
        return (run.run_id if isinstance(run, Run) else run) in self._rows.ids

    def filter(
        self,
        status: str | Callable[[str], bool] | None = None,
        tags: str | Iterable[str] | None = None,
        **fields: Any,
    ) -> Self:
        """Choose the runs with a status, with all the tags, and with the fields' values.

        A field is the name of a param or metric, or one of run_id, experiment_id, seed,
        replicate, attempt, code_hash and duration_ms; its value is compared for equality,
        or a function of it decides: ``filter(model="svm", loss=lambda v: v < 0.1)``.
        Raises KeyError if there are runs and none has a field of that name.
        """
        if isinstance(prefix := fields.get("run_id"), str):
            fields["run_id"] = self._rows.ids[resolve_id(prefix, self._rows.ids)]
        wanted = wanted_status(status)
        if tags is None and not fields:
            places = with_status(self._rows.statuses(), wanted)
        else:
            places = select(self._rows, wanted, tags, fields)
        return self._selected(places)

    def where(self, filter: str) -> Self:  # noqa: A002  it is what it is called everywhere
        """Choose the runs for which a filter holds: ``where("lr < 0.1 and acc > 0.9")``.

        What filters say is told by ``metalab.store.query``: names of params, metrics and the
        record's columns (``params.x`` and ``metrics.x`` where both are called x), ``= != < <=
        > >= ~= in has``, ``is missing``, ``and or not``. Raises QueryError if it cannot be
        understood, or if no run has a name.
        """
        return self._selected(where(self._rows, self.store, filter))

    def sort(self, by: str | Iterable[str]) -> Self:
        """Sort by params, metrics or columns of the record, ``-`` for descending: ``"-acc, lr"``.

        NaN and then missing values are last in both; ties stand in the order of the plan.
        Raises QueryError if no run has a name.
        """
        return self._selected(in_order(self._rows, self.store, by))

    def best(self, metric: str, mode: Literal["max", "min"] = "max") -> Run:
        """Return the successful run with the largest (or smallest) number of a metric.

        NaN is never best; of equals the first in the plan is taken. The best of many runs is
        partly luck: ``aggregate`` tells what a setting gives on average. Raises KeyError if no
        successful run has a number there.
        """
        return self[best(self._rows, self.store, metric, mode)]

    def aggregate(
        self,
        metrics: str | Iterable[str] | None = None,
        *,
        by: str | Iterable[str] | None = None,
        over: str | Iterable[str] = "replicate",
        interval: Literal["t", "bootstrap"] = "t",
        resamples: int = 9999,
        seed: int = 0,
    ) -> Groups:
        """Take the replicates of each setting together: mean, sd and 95 % interval of metrics.

        Runs with equal values of ``by`` are a group; by default those of all params except the
        ones named in ``over``. ``metrics`` are by default all that are numbers. Only
        successful runs count; an AggregateWarning says so where groups are not balanced, where
        numbers are NaN or missing, and where runs of several versions of the code are taken
        together. The interval is Student's, or with ``interval="bootstrap"`` the BCa interval
        of so many ``resamples`` drawn with the ``seed``. Raises KeyError or QueryError for
        names that no run has.
        """
        how = bootstrap_of(interval, resamples, seed)
        names = (listed(metrics), listed(by), listed(over) or [])
        return aggregate(self._rows, self.store, *names, bootstrap=how)

    def compare(self, a: Setting, b: Setting, metric: str) -> Comparison:
        """Compare two settings by a metric, replicate by replicate.

        ``a`` and ``b`` are filters as for ``where``, or dicts of values as for ``filter``.
        Pairs are runs of the same replicate, equal in every param that varies within a setting:
        ``compare("model = svm", "model = tree", "acc")`` pairs runs of equal rates. Only
        successful runs count; an AggregateWarning says how many have no partner, and whether
        the code was the same. Raises QueryError where several runs are alike, or a run is of
        both; KeyError where none has a number.
        """
        return compare(self._setting(a), self._setting(b), metric, (text_of(a), text_of(b)))

    def plot(
        self,
        x: str | None = None,
        y: str | None = None,
        hue: str | None = None,
        *,
        kind: Kind | None = None,
        error: Error = "ci",
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a picture with matplotlib and return its axes.

        ``y`` is a metric, ``x`` and ``hue`` are params; what is not said follows from the
        sweep. ``kind`` is "line" (means against a number), "bar" (against names), "series"
        (``y`` by its steps), "heat" (a map of two params), "parallel" (many params) or
        "scatter" (``x`` is a metric as well). Means are over replicates; ``error`` shows the
        95 % interval as ``aggregate`` tells it, "sd", "sem", or None. Draws into ``ax`` if
        it is given. The title says what is left out or taken together, an AggregateWarning
        that it is. Raises KeyError, listing what there is, for a name that no run has, and
        for no ``y`` among several metrics; MissingExtraError without matplotlib.
        """
        from metalab.results.plotting import plot  # noqa: PLC0415  as said above

        return plot(self._rows, self._reader, (x, y, hue), kind, error, ax)

    def pivot(
        self,
        index: str | Iterable[str],
        columns: str | Iterable[str],
        values: str,
        *,
        aggregate: PivotAggregate = "mean",
    ) -> Pivot:
        """Make a table of a metric with values of params down (``index``) and across.

        Each cell takes the successful runs with its values together by ``aggregate``. An
        AggregateWarning says so where cells mix values of another param, which it names, where
        they are not balanced, where numbers are NaN or missing, and where the code differs.
        Raises KeyError for names that no run has, ValueError for a name given twice.
        """
        from metalab.results.pivot import pivot  # noqa: PLC0415  as said above

        return pivot(self._rows, listed(index) or [], listed(columns) or [], values, aggregate)

    def _setting(self, given: Setting) -> Rows:
        found = self.where(given) if isinstance(given, str) else self.filter(**given)
        return found._rows  # noqa: SLF001  of its own class

    def refresh(self) -> Self:
        """Return the results as the store holds them now; only what is new is read.

        Those of a whole experiment have the runs that were added since; a selection keeps
        its runs, whatever has become of them. Runs that were forgotten are left out. Where
        nothing is new these very results are returned, and they never change themselves.
        """
        reader = self._reader.refreshed()
        rows = self._rows.refreshed(reader.log)
        if reader is self._reader and rows is self._rows:
            return self
        return type(self)(self.store, rows, reader=reader)

    def load(
        self, run_id: str, name: str, *, allow_pickle: bool = False, mmap: bool = False
    ) -> Any:
        """Load an artifact of the run whose id begins with ``run_id``; see Run.artifact."""
        return self[run_id].artifact(name, allow_pickle=allow_pickle, mmap=mmap)

    def compute_derived(
        self,
        metrics: DerivedMetrics,
        *,
        overwrite: bool = False,
        progress: bool = False,
        workers: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Compute metrics from the successful runs and keep them in the store.

        ``metrics`` are functions of a Run that return a scalar or a dict of scalars, or
        ``"module:function"``. Only what is missing is computed, or was computed from
        another record or by other code; ``overwrite`` computes all. A function that raises
        is a DerivedMetricWarning that names the run. With ``workers`` that many processes
        compute, where a function that ends its process costs its run alone; the values are
        the same. With ``timeout`` a worker that is at one run for more than that many seconds
        is ended, and a warning names the run. Raises PayloadError for functions that cannot be
        sent to workers, ValueError for a timeout without workers.
        """
        wanted = as_derived_metrics(metrics)
        keep_derived(
            self._reader,
            self._rows,
            wanted,
            overwrite=overwrite,
            progress=progress,
            workers=workers,
            timeout=timeout,
        )

    def summary(self) -> dict[str, Any]:
        """Count the runs, in all and by status; durations in milliseconds, None without any."""
        counts: Counter[str] = Counter()
        durations: list[float] = []
        for row in self._rows:
            counts[row.status] += 1
            if row.ms is not None:
                durations.append(row.ms)
        return {
            "total_runs": len(self),
            "by_status": {status.value: counts[status] for status in Status if status in counts},
            "avg_duration_ms": sum(durations) / len(durations) if durations else None,
            "min_duration_ms": min(durations, default=None),
            "max_duration_ms": max(durations, default=None),
        }

    def display(
        self, *, group_by: str | Iterable[str] | None = None, show_summary: bool = True
    ) -> None:
        """Print a table of the runs, or of groups of runs with equal values of ``group_by``.

        Groups show the mean of each metric over their successful runs, and its standard
        deviation. Of many runs the first ones are shown. Raises KeyError, listing the names
        there are, for a name that no run has.
        """
        if group_by is None:
            table = display.listed(self._rows)
        else:
            names = [group_by] if isinstance(group_by, str) else list(group_by)
            table = display.grouped(self._rows, names)
        display.show(table, display.summary_line(self.summary()) if show_summary else None)

    def __repr__(self) -> str:
        """Count the runs by status."""
        return f"Results({display.counts_line(Counter(self._rows.statuses()))})"

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        metric: str | None = None,
        mode: Mode | None = None,
        max_runs: int | None = None,
    ) -> Path:
        """Write one HTML page that tells of these runs and needs no network; return its path.

        It says which setting is ahead by ``metric`` (by default the first) and by how much,
        where the largest, or with ``mode="min"`` the smallest mean is best; then what failed,
        the settings, and the first ``max_runs`` runs, or as many as 20 MB hold. A file that is
        there is replaced, in one step. What ``aggregate`` warns of stands in the page. Raises
        KeyError where no successful run has a number of the metric; ValueError for another mode.
        """
        from metalab.results.report import contents_of, write_report  # noqa: PLC0415  as said above

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", AggregateWarning)
            groups = self.aggregate()
        doubts = [str(each.message) for each in told]
        contents = contents_of(self._reader, self._rows, groups.columns, doubts, metric, mode)
        name = title or next((row.experiment for row in self._rows), "Report")
        return write_report(Path(path).expanduser(), name, contents, max_runs=max_runs)

    def _selected(self, places: Iterable[int]) -> Self:
        return type(self)(self.store, self._rows.select(places), reader=self._reader)

    def _run(self, record: RunRecord) -> Run:
        return Run(record, self.store, reader=self._reader)


def _held(records: Iterable[RunRecord | Run]) -> HeldRows:
    return HeldRows([each.record if isinstance(each, Run) else each for each in records])


def display_results(
    results: Results, *, group_by: str | Iterable[str] | None = None, show_summary: bool = True
) -> None:
    """Print a table of results; the same as ``results.display(...)``."""
    results.display(group_by=group_by, show_summary=show_summary)
