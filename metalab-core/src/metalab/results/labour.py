"""A worker that derives: ``python -m metalab.results.labour FD``, started by ``parallel``.

It is told its surroundings, the store and the metrics, then chunks of runs until its line ends.
"""

from __future__ import annotations

import pickle
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from metalab.errors import PayloadError
from metalab.records import Status
from metalab.results.derived import DerivedMetricError
from metalab.results.parallel import READY, Finding
from metalab.results.reader import Reader
from metalab.results.run import Run
from metalab.store.document import record_in
from metalab.store.lines import crc_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.results.derived import DerivedMetric
    from metalab.results.parallel import Task

__all__ = ["main"]


def main(line: Connection) -> None:
    """Answer chunk after chunk."""
    pickle.loads(line.recv_bytes()).enter()  # noqa: S301  from the process that started this one
    payload = line.recv_bytes()
    try:
        config, metrics = pickle.loads(payload)  # noqa: S301  likewise
    except Exception as error:  # noqa: BLE001  what the user's modules raise when imported
        text = f"the derived metrics cannot be made in another process: {error!r}"
        line.send_bytes(pickle.dumps(PayloadError(text)))
        return
    reader = Reader(config.open())
    reader.refresh()  # what takes long in a large store is no part of the first run's time
    line.send_bytes(pickle.dumps(READY))
    while True:
        tasks: list[Task] = pickle.loads(line.recv_bytes())  # noqa: S301  likewise
        for task in tasks:
            line.send_bytes(pickle.dumps(_found(reader, task, metrics)))


def _found(reader: Reader, task: Task, metrics: Sequence[DerivedMetric]) -> Finding:
    run_id, places = task
    found = Finding(run_id, None, {}, [])
    if run_id not in reader.log:
        return found
    record = record_in(reader.log, run_id)
    if record.status is not Status.SUCCESS:
        return found
    run = Run(record, reader.store, reader=reader)
    for place in places:
        try:
            found.values[place] = metrics[place].of(run)
        except DerivedMetricError as error:
            found.faults.append(str(error))
    return Finding(run_id, crc_of(next(reader.log.lines([run_id]))), found.values, found.faults)


if __name__ == "__main__":
    with suppress(EOFError, ConnectionError):  # nobody listens any more
        main(Connection(int(sys.argv[1])))
