"""A worker process: takes tasks from its lane, executes them, and writes a segment of its own.

Started as ``python -m metalab.execution.process.child``: a fresh interpreter, which never runs
the user's script. What it executes comes once a launch, as a payload.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import pickle
import signal
import socket
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs

from metalab.events import EventKind
from metalab.execution.base import Work
from metalab.execution.payload import stand_in_for_main, unpacked
from metalab.execution.process.board import REFUSED, Board, code_of
from metalab.execution.process.channel import Channel
from metalab.execution.process.host import DUMP, end_group, end_with, limit_memory
from metalab.execution.process.lane import tasks_in
from metalab.execution.process.report import Outbox, Report
from metalab.execution.process.station import Station
from metalab.execution.refusal import described
from metalab.execution.task import BACKFILL, CAREFUL, FINISH, Task
from metalab.execution.worker import Ended, Worker, deriver_of
from metalab.records import Status
from metalab.runtime import CancellationToken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.planning import Plan, RunSpec
    from metalab.store.base import StoreWriter

__all__ = ["main"]

_SPECS = 16
_EDITED = "the code was edited after the launch; this run was executed by what it is now"


@attrs.frozen(eq=False)
class _Announced:
    """A launch of which this process knows: what was told of it, and its payload's descriptor."""

    told: Mapping[str, Any]
    file: int
    report: Report
    token: CancellationToken = attrs.field(factory=CancellationToken)


class _Specs:
    """Makes the specs of a few runs at a time: what an operation leaves in the processor's cache
    is little of what makes them, and to fetch that costs ten times what it does.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # What a user's own source or resolver does is done when it is wanted.
        self._many = _SPECS if plan.is_steady else 1
        self._made: dict[int, RunSpec] = {}

    def take(self, index: int) -> RunSpec:
        """Return the spec of a run; those that follow in the plan are likely to be next."""
        spec = self._made.pop(index, None)
        if spec is None:
            specs = self._plan[index : index + self._many]
            self._made = {each.index: each for each in specs}
            spec = self._made.pop(index)
        return spec


@attrs.frozen(eq=False)
class _Launch:
    """A launch whose payload is unpacked."""

    specs: _Specs
    writer: StoreWriter
    report: Report
    worker: Worker
    memory: int | None


class Child:
    """Executes tasks on the main thread; another one listens to the supervisor."""

    def __init__(self, name: str, channel: Channel, board: Board) -> None:
        self._name = name
        self._channel = channel
        self._board = board
        self._outbox = Outbox(channel)
        self._announced: dict[int, _Announced] = {}
        self._arrived = threading.Condition()
        self._launches: dict[int, _Launch] = {}
        self._refused: set[int] = set()
        self._memory: int | None = None

    def serve(self, lane: int) -> None:
        """Execute tasks until the lane is closed."""
        threading.Thread(target=self._listen, name="metalab-channel", daemon=True).start()
        for task in tasks_in(lane, self._ask):
            place = self._board.begin()
            self._board.end(place, self._do(task, place))

    def _ask(self) -> None:
        self._channel.send("hungry")

    def _do(self, task: Task, place: int) -> int:
        """Do a task, and return what is to be noted of it."""
        if task.flags & FINISH:
            self._finish(task.launch)
            return code_of(None)
        launch = self._launches.get(task.launch) or self._begin(task.launch)
        if launch is None:
            return REFUSED
        try:
            return self._execute(launch, task, place)
        except KeyboardInterrupt:  # sent to this process alone; its run is recorded as cancelled
            return code_of(Ended(Status.CANCELLED))
        except Exception as error:  # noqa: BLE001  the launch's, not the run's: raised where the user waits
            self._refuse(task.launch, error)
            return REFUSED

    def _execute(self, launch: _Launch, task: Task, place: int) -> int:
        if task.flags & BACKFILL:
            launch.worker.backfill(task.run, at_once=bool(task.flags & CAREFUL))
            return code_of(None)
        if launch.memory != self._memory:
            self._confine(launch.memory)
        spec = launch.specs.take(task.run)
        launch.report.place = place
        self._board.ready(place)
        return code_of(launch.worker.execute(spec, task.as_try()))

    def _confine(self, memory: int | None) -> None:
        """Have the limit of the launch whose run is next, which another launch may not share."""
        limit_memory(memory)
        self._memory = memory

    # Launches.

    def _begin(self, number: int) -> _Launch | None:
        if number in self._refused:
            return None
        try:
            self._launches[number] = self._unpacked(number)
        except Exception as error:  # noqa: BLE001  an import of the user's modules may raise anything
            self._refuse(number, error)
            return None
        return self._launches[number]

    def _unpacked(self, number: int) -> _Launch:
        with self._arrived:
            while number not in self._announced:
                self._arrived.wait()
            announced = self._announced[number]
        told = announced.told
        if told["memory"] != self._memory:
            self._confine(told["memory"])
        station = Station.from_dict(told["station"])
        station.surroundings.enter()
        view = memoryview(mmap.mmap(announced.file, 0, access=mmap.ACCESS_READ))
        os.close(announced.file)
        size = told["size"]
        plan, metrics, retry, limits = unpacked(
            view[:size], view[size:], station.surroundings.main, takes_edits=station.takes_edits
        )
        stand_in_for_main(plan)
        store = pickle.loads(told["store"]).open()  # noqa: S301  from the process that started this one
        is_edited = plan.code.hash != told["code"]
        work = Work(
            plan=plan,
            store=store,
            launch=told["launch"],
            manifest=store.put_manifest(plan.manifest()) if is_edited else told["manifest"],
            notices=(_EDITED,) if is_edited else (),
            derived_metrics=metrics,
            retry=retry,
            limits=limits,
            until=told["until"],
        )
        return self._launched(work, announced, station)

    def _launched(self, work: Work, announced: _Announced, station: Station) -> _Launch:
        writer = work.store.writer(
            work.launch, self._name, executor=station.executor, owner=station.owner
        )
        writer.attend()
        report, name = announced.report, f"{station.label}:{self._name}"
        self._channel.send("opened", report.launch, writer.name)
        worker = Worker(work, report, writer, announced.token, name, deriver_of(work, writer))
        return _Launch(_Specs(work.plan), writer, report, worker, work.limits.memory)

    def _finish(self, number: int) -> None:
        launch = self._launches.pop(number, None)
        error = None
        if launch is not None:
            try:
                launch.worker.finish()
                launch.writer.close()
            except Exception as trouble:  # noqa: BLE001  as in _do
                error = trouble
        self._outbox.flush()
        self._announced.pop(number, None)
        if error is not None:
            self._refuse(number, error)
        self._refused.discard(number)
        self._channel.send("finished", number)

    def _refuse(self, number: int, error: Exception) -> None:
        if number not in self._refused:
            self._refused.add(number)
            self._channel.send("refused", number, *described(error))

    # The other thread.

    def _listen(self) -> None:
        while (messages := self._channel.receive()) is not None:
            for kind, number, *details in messages:
                getattr(self, f"_hear_{kind}")(number, *details)
        end_group(os.getpgrp())  # the process that started this one is gone

    def _hear_launch(self, number: int, told: Mapping[str, Any]) -> None:
        report = Report(number, self._board, self._outbox)
        with self._arrived:
            self._announced[number] = _Announced(told, self._channel.take_file(), report)
            self._arrived.notify_all()

    def _hear_cancel(self, number: int) -> None:
        if (announced := self._announced.get(number)) is not None:
            announced.token.cancel()

    def _hear_events(self, number: int, kinds: list[str]) -> None:
        if (announced := self._announced.get(number)) is not None:
            announced.report.heard = frozenset(map(EventKind, kinds))


def _leave_to_supervisor(*_: object) -> None:
    """Do nothing: the supervisor got the signal as well."""


def main(arguments: list[str]) -> None:
    """Serve the supervisor that started this process, until it closes the lane."""
    name, *numbers = arguments
    lane, channel, board, lifeline, crash, sheltered = map(int, numbers)
    end_with(lifeline)
    if sheltered:
        # No SIG_IGN: what an operation starts would have that, too.
        signal.signal(signal.SIGTERM, _leave_to_supervisor)
    faulthandler.enable(crash)
    faulthandler.register(DUMP, crash)
    # Where results go unless a launch says otherwise, and what is looked up for that: it is all
    # there before the launch is.
    import_module("metalab.store.file.store")
    import_module("metalab.store.host").metalab_version()
    Child(name, Channel(socket.socket(fileno=channel)), Board(board)).serve(lane)


if __name__ == "__main__":
    main(sys.argv[1:])
