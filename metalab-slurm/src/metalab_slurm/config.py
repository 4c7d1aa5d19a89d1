"""What a user asks of Slurm for an experiment, checked before anything is submitted."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from metalab_slurm.options import checked_line, checked_options
from metalab_slurm.quantities import memory_text, read_memory, read_time, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from metalab_slurm.site import Site

__all__ = ["SlurmConfig"]

_PILOTS = 32
_MOST_PILOTS = 1000
_LEAST_MARGIN, _USUAL_MARGIN, _MOST_MARGIN = 15, 120, 65535
_GPUS = ("gres", "gpus", "G", "gpus-per-node", "gpus-per-task", "gpus-per-socket")
_MEMORIES = ("mem-per-cpu", "mem-per-gpu")


def _time(value: str | int | timedelta) -> str:
    return time_text(read_time(value))


def _memory(value: str | int | None) -> str | None:
    return None if value is None else memory_text(read_memory(value))


def _lines(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _python(value: str | None) -> str:
    path = checked_line(os.fspath(value or sys.executable), "python")
    if not Path(path).is_absolute():
        raise ValueError(f"python={path!r}: a job finds an interpreter only by an absolute path")
    return path


def _poll(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"poll={value!r} is no number of seconds")
    if not 0 < value < math.inf:
        raise ValueError(f"poll={value!r}: give the seconds between two looks at the queue")
    return float(value)


def _at_least(least: int) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    def check(_: object, field: attrs.Attribute[Any], value: Any) -> None:
        if value is None and field.default is None:
            return
        if type(value) is not int:
            raise TypeError(f"{field.name} is a whole number, not {value!r}")
        if value < least:
            raise ValueError(f"{field.name}={value}: at least {least} is needed")

    return check


def _text(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    for each in value if isinstance(value, tuple) else (value,):
        if each is not None:
            checked_line(each, field.name)


def _flag(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{field.name}={value!r}: give True or False")


@attrs.frozen(hash=False)
class SlurmConfig:
    """The resources of a Slurm job, called a pilot, and how many pilots share an experiment.

    ``time`` is in a form of sbatch's, in minutes, or a timedelta; ``memory`` is text such as
    ``"4G"``, megabytes, ``"0"`` for all of a node, or None where a site does not let it be
    asked for. Each pilot has ``cpus`` CPUs and ``gpus`` GPUs, and executes runs in
    ``workers_per_pilot`` processes until none is left, or until it has executed
    ``runs_per_pilot`` (``chunk_size`` is its older name). ``pilots`` is their number, by
    default as many as ``runs_per_pilot`` needs, at most ``max_concurrent``; without any of the
    three one for each run, at most 32.

    ``margin`` seconds before a job's end its runs are asked to save themselves: by default a
    tenth of its time, 15 at least and 120 at most. A pilot whose time is up goes on as the same
    job up to ``max_requeues`` times. A run whose job dies is tried ``attempts`` times in all.
    ``poll`` is the longest time in seconds between two looks at the queue; ``snapshot`` keeps a
    copy of the sources for the jobs.

    ``modules`` are loaded, ``conda_env`` is activated, and the lines of ``setup`` executed by
    bash before ``python`` starts, which is by default the interpreter that submits.
    ``extra_sbatch`` maps further options of sbatch to their values: True for a flag without one,
    False to leave it out. Raises ValueError or TypeError for what cannot be asked for.
    """

    partition: str | None = attrs.field(default=None, validator=_text)
    time: str = attrs.field(default="1:00:00", converter=_time)
    cpus: int = attrs.field(default=1, validator=_at_least(1))
    memory: str | None = attrs.field(default="4G", converter=_memory)
    gpus: int = attrs.field(default=0, validator=_at_least(0))
    max_concurrent: int | None = attrs.field(default=None, validator=_at_least(1))
    chunk_size: int | None = attrs.field(default=None, validator=_at_least(1))
    modules: tuple[str, ...] = attrs.field(default=(), converter=_lines, validator=_text)
    conda_env: str | None = attrs.field(default=None, validator=_text)
    setup: tuple[str, ...] = attrs.field(default=(), converter=_lines, validator=_text)
    extra_sbatch: Mapping[str, str | None] = attrs.field(factory=dict, converter=checked_options)
    account: str | None = attrs.field(default=None, validator=_text, kw_only=True)
    qos: str | None = attrs.field(default=None, validator=_text, kw_only=True)
    constraint: str | None = attrs.field(default=None, validator=_text, kw_only=True)
    pilots: int | None = attrs.field(default=None, validator=_at_least(1), kw_only=True)
    runs_per_pilot: int | None = attrs.field(default=None, validator=_at_least(1), kw_only=True)
    workers_per_pilot: int = attrs.field(default=1, validator=_at_least(1), kw_only=True)
    python: str = attrs.field(default=None, converter=_python, kw_only=True)
    margin: int | None = attrs.field(default=None, validator=_at_least(1), kw_only=True)
    max_requeues: int = attrs.field(default=10, validator=_at_least(0), kw_only=True)
    attempts: int = attrs.field(default=3, validator=_at_least(1), kw_only=True)
    snapshot: bool = attrs.field(default=False, validator=_flag, kw_only=True)
    poll: float = attrs.field(default=60.0, converter=_poll, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.chunk_size and self.runs_per_pilot:
            raise ValueError(
                f"chunk_size={self.chunk_size} and runs_per_pilot={self.runs_per_pilot} mean the "
                "same: give one of them"
            )
        if self.margin and self.margin > min(self.seconds, _MOST_MARGIN):
            raise ValueError(f"margin={self.margin}: a job of {self.time} has no such time to save")
        for unwanted, field in ((_GPUS, "gpus"), (_MEMORIES, "memory")):
            if getattr(self, field) and (both := set(unwanted) & set(self.extra_sbatch)):
                raise ValueError(
                    f"extra_sbatch: {min(both)!r} contradicts {field}={getattr(self, field)!r}; "
                    f"for it set {field}={0 if field == 'gpus' else None}"
                )

    @property
    def seconds(self) -> int:
        """The time limit of a job."""
        return read_time(self.time)

    @property
    def megabytes(self) -> int | None:
        """The memory of a job: 0 is all of its node, None what the site gives."""
        return None if self.memory is None else read_memory(self.memory)

    @property
    def margin_seconds(self) -> int:
        """How long before a job's end its runs are asked to save themselves."""
        if self.margin is not None:
            return self.margin
        return max(_LEAST_MARGIN, min(_USUAL_MARGIN, self.seconds // 10))

    @property
    def runs_each(self) -> int | None:
        """The most runs that a pilot executes, by whichever name it was given."""
        return self.runs_per_pilot or self.chunk_size

    def pilots_for(self, runs: int, site: Site) -> int:
        """Return how many pilots are worth submitting for so many runs on a cluster."""
        wanted = self.pilots
        if wanted is None and self.runs_each:
            wanted = math.ceil(runs / self.runs_each)
        if wanted is None:
            wanted = math.ceil(runs / self.workers_per_pilot)
            wanted = wanted if self.max_concurrent else min(wanted, _PILOTS)
        most = self.max_concurrent or _MOST_PILOTS
        return max(1, min(wanted, runs, most, site.max_array_size, _MOST_PILOTS))

    def more(
        self,
        memory: float = 1,
        time: float = 1,
        max_memory: str | int | None = None,
        max_time: str | int | timedelta | None = None,
    ) -> SlurmConfig:
        """Ask for ``memory`` and ``time`` times as much, up to a most, and never for less."""
        changes: dict[str, Any] = {}
        if self.megabytes:
            most = None if max_memory is None else read_memory(max_memory, "max_memory")
            changes["memory"] = memory_text(_scaled(self.megabytes, memory, most, "memory"))
        longest = None if max_time is None else read_time(max_time, "max_time")
        changes["time"] = time_text(_scaled(self.seconds, time, longest, "time"))
        return attrs.evolve(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Describe the configuration as strict JSON."""
        document = attrs.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in document.items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> SlurmConfig:
        """Read what ``to_dict`` wrote, or options by name; raises ValueError for unknown ones."""
        known = [field.name for field in attrs.fields(cls)]
        if unknown := sorted(set(document) - set(known)):
            raise ValueError(
                f"{unknown[0]!r} is no option of SlurmConfig; there are {', '.join(known)}. "
                "Options of sbatch itself go into extra_sbatch={...}"
            )
        return cls(**document)


def _scaled(present: int, factor: float, most: int | None, what: str) -> int:
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not factor >= 1:
        raise ValueError(f"{what}={factor!r}: more is a factor of 1 or above")
    scaled = math.ceil(present * factor)
    return scaled if most is None else max(present, min(scaled, most))
