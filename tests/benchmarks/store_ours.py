"""The same work through the file store."""

from __future__ import annotations

import multiprocessing
import shutil
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING

import attrs

import metalab
from benchmarks.store_work import (
    BY,
    COLUMNS,
    EXPERIMENT,
    GROUP,
    POLLS,
    TOLD,
    lines,
    measured,
    one_array,
    plan_ids,
    records,
    whole_columns,
)
from metalab.plugins import SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Work
    from metalab.store.file.store import FileStore

_WRITERS = 8


def write(work: Work) -> Callable[[], int]:
    """S1: the journal, which keeps every line until it is durable and acknowledges it then."""
    from metalab.store.file.backlog import Parts
    from metalab.store.file.journal import Journal
    from metalab.store.file.options import Options
    from metalab.store.file.segment import Segment

    work.folder.mkdir(parents=True)
    given = lines(work.runs)
    acknowledge = count().__next__

    def phase() -> int:
        parts = Parts(
            lambda part, _: Segment.create(work.folder / f"{part}.jsonl"),
            lambda *_: b"\n",
            lambda: None,
        )
        journal = Journal(parts, Options(interval=60.0))
        for first in range(0, len(given), GROUP):
            for line in given[first : first + GROUP]:
                journal.append(line, acknowledge)
            journal.flush()
        journal.close()
        return acknowledge()

    return phase


def resume(work: Work) -> Callable[[], int]:
    """S2: read the store, ask for the state of every run of the plan."""
    plan = plan_ids(work.runs)
    store = _store(work)
    return lambda: sum(map(bool, store.read().states(plan)))


def columns(work: Work) -> Callable[[], int]:
    """S3: load the results, make a frame of four columns."""
    import_module("pandas")
    load = metalab.load_results
    return lambda: len(load(work.folder).to_dataframe(columns=COLUMNS))


def columns_of_loaded(work: Work) -> Callable[[], int]:
    """S3 with results that are loaded, so that the store's index is read and checked."""
    import_module("pandas")
    results = _loaded(work)
    return lambda: len(results.to_dataframe(columns=COLUMNS))


def cached_columns(work: Work) -> Callable[[], int]:
    """S6: make a frame of what an earlier one has left in the column cache."""
    metalab.load_results(work.folder).to_dataframe()
    results = _loaded(work)
    columns = whole_columns(work)
    return lambda: len(results.to_dataframe(columns=columns))


def append_measured(work: Work) -> Callable[[], int]:
    """For S8: runs with ten metrics."""

    def phase() -> int:
        with _store(work) as store, store.writer("launch") as writer:
            for record in measured(work.runs):
                writer.put(record)
        return work.runs

    return phase


def aggregate(work: Work) -> Callable[[], int]:
    """S8: ten metrics in groups, from lines that nobody has looked at; results loaded."""
    for cache in work.folder.glob("*/cache"):
        shutil.rmtree(cache)
    results = _loaded(work)
    return lambda: sum(results.aggregate(TOLD, by=BY).columns["runs"])


def aggregate_again(work: Work) -> Callable[[], int]:
    """S8: the same from the column cache, as a second look has it."""
    results = _loaded(work)
    results.aggregate(TOLD, by=BY)
    return lambda: sum(results.aggregate(TOLD, by=BY).columns["runs"])


def finish(work: Work) -> Callable[[], int]:
    """For S4: as many segments as runs, each closed by its writer."""
    from metalab.store.document import record_line
    from metalab.store.lines import Stamp, line_of

    folder = _store(work).get_working_directory() / "runs"

    def phase() -> int:
        _store(work).put_manifest({})
        folder.mkdir(parents=True)
        for number, record in enumerate(records(work.runs)):
            name = f"launch.{number}.host.01234567"
            closing = line_of({"t": "close", "writer": name, "part": 1, "lines": 1})
            content = record_line(record, Stamp(name, 1, 1, "launch")) + closing
            (folder / f"{name}.jsonl").write_bytes(content)
        return work.runs

    return phase


def poll(work: Work) -> Callable[[], int]:
    """S4: ask for what is new, so many times."""
    store = _store(work)
    log = store.read()

    def phase() -> int:
        for _ in range(POLLS):
            if store.read(log) is not log:
                raise SystemExit("nothing was added, and something was read")
        return len(log)

    return phase


def save(work: Work) -> Callable[[], int]:
    """S7: capture the arrays in one run, until its record is durable."""
    from metalab.capture import Capture

    (run,) = records(1)
    store = _store(work)
    one_array()
    SERIALIZERS["numpy"]

    def phase() -> int:
        with store.writer("launch") as writer, Capture(run, writer) as capture:
            for number in range(work.runs):
                capture.artifact(f"array {number}", one_array())
            writer.put(attrs.evolve(run, artifacts=capture.artifacts))
        return len(capture.artifacts)

    return phase


def one_writer(work: Work) -> Callable[[], int]:
    """S5: one process that makes and puts all records."""
    return _writing(work, 1)


def many_writers(work: Work) -> Callable[[], int]:
    """S5: eight processes, each of which makes and puts its share of them."""
    return _writing(work, _WRITERS)


def _writing(work: Work, writers: int) -> Callable[[], int]:
    fork = multiprocessing.get_context("fork")

    def phase() -> int:
        shares = (range(first, work.runs, writers) for first in range(writers))
        workers = [fork.Process(target=_put, args=(work, share)) for share in shares]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return work.runs if not any(worker.exitcode for worker in workers) else 0

    return phase


def _put(work: Work, share: range) -> None:
    with _store(work).writer("launch") as writer:
        for record in records(work.runs, share):
            writer.put(record)


def _store(work: Work) -> FileStore:
    return metalab.FileStore(work.folder).scoped(EXPERIMENT)


def _loaded(work: Work) -> metalab.Results:
    results = metalab.load_results(work.folder)
    if len(results) != work.runs:
        raise SystemExit(f"{len(results)} runs were loaded, not {work.runs}")
    return results
