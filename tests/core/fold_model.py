"""What a store should answer: lists of what was put, and the order of lines in plain words."""

from __future__ import annotations

from itertools import count

import attrs

from metalab.records import Status

_ORDER = [Status.RUNNING, Status.CANCELLED, Status.FAILED, Status.SUCCESS]


@attrs.frozen
class Put:
    """A record, or (without a status) the word that all before an epoch is forgotten."""

    epoch: int
    status: Status | None
    attempt: int = 0
    value: int = 0
    artifact: bytes | None = None

    @property
    def place(self) -> tuple[int, Status | None, int]:
        return self.epoch, self.status, self.attempt

    @property
    def order(self) -> tuple[int, int, int]:
        rank = -1 if self.status is None else _ORDER.index(self.status)
        return self.epoch, rank, self.attempt


class Model:
    """Everything that was put, with its writer and its number."""

    def __init__(self) -> None:
        self.logs: dict[tuple[int, int, int, str], list[str]] = {}
        self._number = count()
        self._puts: dict[int, list[tuple[str, int, Put]]] = {}
        self._series: dict[int, list[tuple[tuple[int, int], str, tuple[int, float]]]] = {}
        self._derived: dict[int, dict[str, list[tuple[tuple[str, int], int, str, int, int]]]] = {}

    def put(self, writer: str, run: int, put: Put) -> None:
        self._puts.setdefault(run, []).append((writer, next(self._number), put))

    def put_series(
        self, writer: str, run: int, attempt: tuple[int, int], point: tuple[int, float]
    ) -> None:
        self._series.setdefault(run, []).append((attempt, writer, point))

    def forget(self, writer: str, run: int, epoch: int) -> None:
        self.put(writer, run, Put(epoch, None))

    def derive(self, writer: str, run: int, name: str, value: int) -> None:
        counting = self._derived_of(run).get(name)
        rev = 1 if counting is None else counting[1] + 1
        told = (self._greatest(run)[:2], rev, writer, next(self._number), value)
        self._derived.setdefault(run, {}).setdefault(name, []).append(told)

    def as_one_record(self, run: int, put: Put) -> Put | None:
        """Return what ``put_run_record`` adds, None if the record is kept already."""
        current = self.current(run)
        if current is None:
            return attrs.evolve(put, epoch=max(put.epoch, self.forgotten(run)))
        if current.place == put.place:
            same = (current.value, current.artifact) == (put.value, put.artifact)
            return None if same else attrs.evolve(put, attempt=put.attempt + 1)
        return put

    def current(self, run: int) -> Put | None:
        if run not in self._puts:
            return None
        put = self._greatest(run)[2]
        return None if put.status is None else put

    def forgotten(self, run: int) -> int:
        puts = [put for _, _, put in self._puts.get(run, [])]
        return max((put.epoch for put in puts if put.status is None), default=0)

    def attempts(self, run: int) -> list[tuple[int, Status, int, int]]:
        told = [each for each in self._puts.get(run, []) if each[2].status is not None]
        ended = {(put.epoch, put.attempt) for _, _, put in told if put.status is not Status.RUNNING}
        told = [
            each
            for each in told
            if each[2].status is not Status.RUNNING or (each[2].epoch, each[2].attempt) not in ended
        ]
        told.sort(key=lambda each: (each[2].epoch, each[2].attempt, each[2].order[1], *each[:2]))
        return [(*put.place, put.value) for _, _, put in told]

    def series(self, run: int) -> dict[str, list[tuple[int, float]]]:
        current = self.current(run)
        if current is None:
            return {}
        attempt = (current.epoch, current.attempt)
        told = [each for each in self._series.get(run, []) if each[0] == attempt]
        writers = {writer for _, writer, _ in told}
        own = self._greatest(run)[0]
        chosen = own if own in writers else max(writers, default="")
        points = [point for _, writer, point in told if writer == chosen]
        return {"loss": points} if points else {}

    def derived(self, run: int) -> dict[str, int]:
        if self.current(run) is None:
            return {}
        return {name: each[-1] for name, each in self._derived_of(run).items()}

    def log(self, run: int) -> str | None:
        """Return the log of the current record's own writer, None if it wrote none."""
        current = self.current(run)
        lines = self.logs.get((run, current.epoch, current.attempt, self._greatest(run)[0]))
        return None if lines is None else "".join(lines)

    def _greatest(self, run: int) -> tuple[str, int, Put]:
        return max(self._puts[run], key=lambda each: (*each[2].order, *each[:2]))

    def _derived_of(self, run: int) -> dict[str, tuple[tuple[str, int], int, str, int, int]]:
        if self.current(run) is None:
            return {}
        now = self._greatest(run)[:2]
        return {
            name: max(told, key=lambda each: (each[0] == now, *each[1:4]))
            for name, told in self._derived.get(run, {}).items()
        }
