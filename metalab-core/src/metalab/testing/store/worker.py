"""Another process that uses a store under test: ``python -m metalab.testing.store.worker``.

It is told what to do by its argument, and by a pickle on its input where the store is; it says
what it did line by line.
"""

from __future__ import annotations

import os
import pickle
import sys
from itertools import count
from typing import TYPE_CHECKING

from metalab.records import RunRecord, Status
from metalab.store.claiming import Claim
from metalab.testing.store.samples import AWKWARD, claims_of, kept_artifact, made
from metalab.testing.store.telling import said

if TYPE_CHECKING:
    from collections.abc import Callable

    from metalab.store.base import Store, StoreWriter

__all__ = ["PLAN", "UNITS", "content_of", "points_of", "record_of_number"]

PLAN = "f" * 32
UNITS = 40


def record_of_number(number: int) -> RunRecord:
    """Return the record of a run as a worker puts it, without artifacts."""
    text = f"{number} " * (number % 50)
    return made(number=number, index=number, metrics={"n": number, "text": text}, data=AWKWARD)


def content_of(number: int) -> bytes:
    """Return the bytes of a run's artifact."""
    return b"%d " % number * (1 + number % 300)


def points_of(number: int) -> list[tuple[int, float]]:
    """Return a run's series."""
    return [(step, number / (step + 1)) for step in range(3)]


def _put_one(writer: StoreWriter, number: int) -> None:
    record = record_of_number(number)
    writer.append_log(record, f"run {number} says so")
    writer.put_series(record, "loss", points_of(number))
    if number % 3 == 0:
        record.artifacts.append(kept_artifact(writer, record, "a", content_of(number)))
    writer.put(record, lambda: _tell(f"acknowledged {number}"))
    _tell(f"put {number}")


def _put(store: Store) -> None:
    """Put runs until somebody kills this process."""
    with store.writer("launch") as writer:
        writer.attend()
        writer.join(PLAN)
        _tell(f"writer {writer.name}")
        for number in count():
            _put_one(writer, number)


def _say(store: Store) -> None:
    """Tell all that the store says."""
    _tell(f"said {pickle.dumps(said(store)).hex()}")


def _claim(store: Store) -> None:
    """Claim every unit of a plan that is not claimed, once everybody is there to do so."""
    claims = claims_of(store, PLAN, UNITS)
    with store.writer("launch") as writer:
        writer.join(PLAN)
        _tell("ready")
        sys.stdin.readline()
        units = range(UNITS) if os.getpid() % 2 else reversed(range(UNITS))
        for unit in units:
            if claims.take(Claim(unit, 1, writer.name, "launch")):
                _tell(f"took {unit} {writer.name}")


def _begin(store: Store) -> None:
    """Begin a run and wait to be killed, or told to end in order."""
    with store.writer("launch") as writer:
        writer.attend()
        writer.join(PLAN)
        writer.start(record_of_number(0).run_id, lambda: made(Status.RUNNING), careful=True)
        _tell(f"writer {writer.name}")
        sys.stdin.readline()


def _tell(text: str) -> None:
    # One call for each line, so that a kill loses none that was begun, and threads mix none.
    os.write(1, f"{text}\n".encode())


_ACTIONS: dict[str, Callable[[Store], None]] = {
    "begin": _begin,
    "claim": _claim,
    "put": _put,
    "say": _say,
}


def main() -> None:
    """Do what the argument says to the store that the first line of the input names."""
    config = pickle.loads(bytes.fromhex(sys.stdin.readline()))  # noqa: S301  from the test
    with config.connect() as store:
        _ACTIONS[sys.argv[1]](store)


if __name__ == "__main__":
    main()
