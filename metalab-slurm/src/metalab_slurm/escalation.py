"""Escalation: what a run is given more of, after its job died for the lack of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from metalab.execution.policy import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab_slurm.config import SlurmConfig

__all__ = ["Escalation", "SlurmRetry"]


def _factor(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no factor; give a number such as 2")
    if not value >= 1:
        raise ValueError(f"a factor of {value!r} would give less than before; give 1 or more")
    return float(value)


@attrs.frozen
class SlurmRetry(Retry):
    """A Retry that gives a run more of what its job died for the lack of.

    A run whose job was ended for its memory is tried again with ``on_oom`` times as much, one
    that was cut short by its job's time with ``on_timeout`` times as much, again and again up to
    ``max_memory`` and ``max_time`` (as in SlurmConfig; None: 8 times what was asked for). After
    a node's failure the same is asked for. A factor of 1 asks for no more.
    """

    on_oom: float = attrs.field(default=2.0, converter=_factor, kw_only=True)
    on_timeout: float = attrs.field(default=1.5, converter=_factor, kw_only=True)
    max_memory: str | int | None = attrs.field(default=None, kw_only=True)
    max_time: str | int | None = attrs.field(default=None, kw_only=True)


_MOST = 8.0


@attrs.frozen
class Escalation:
    """The rules by which more is asked for: factors, and the most. A factor of 1 is none."""

    memory: float = 1.0
    time: float = 1.0
    max_memory: str | int | None = None
    max_time: str | int | None = None

    @classmethod
    def of(cls, retry: SlurmRetry) -> Escalation:
        """Read the rules of a policy."""
        return cls(retry.on_oom, retry.on_timeout, retry.max_memory, retry.max_time)

    def config(self, base: SlurmConfig, level: Mapping[str, int]) -> SlurmConfig:
        """Return what is asked for after so many deaths for the lack of memory and of time."""
        most = base.more(_MOST, _MOST)
        return base.more(
            memory=self.memory ** level.get("memory", 0),
            time=self.time ** level.get("timeout", 0),
            max_memory=most.memory if self.max_memory is None else self.max_memory,
            max_time=most.time if self.max_time is None else self.max_time,
        )

    def level(self, base: SlurmConfig, deaths: Mapping[str, int]) -> dict[str, int]:
        """Return how often more has to be asked for after such deaths, as far as that can be."""
        return {cause: min(deaths.get(cause, 0), self._steps(base, cause)) for cause in self.causes}

    def allowance(self, base: SlurmConfig, level: Mapping[str, int]) -> dict[str, int]:
        """Return of how many deaths runs may be that are executed at a level.

        What is not named there can be had no more of, and its deaths do not matter.
        """
        return {
            cause: level.get(cause, 0)
            for cause in self.causes
            if level.get(cause, 0) < self._steps(base, cause)
        }

    def steps(self, base: SlurmConfig) -> int:
        """Return how often more can be asked for in all."""
        return sum(self._steps(base, cause) for cause in self.causes)

    def _steps(self, base: SlurmConfig, cause: str) -> int:
        steps = 0
        while self.config(base, {cause: steps}) != self.config(base, {cause: steps + 1}):
            steps += 1
        return steps

    @property
    def causes(self) -> tuple[str, ...]:
        """The causes of death after which more is asked for."""
        factors = {"memory": self.memory, "timeout": self.time}
        return tuple(cause for cause, factor in factors.items() if factor > 1)

    def to_dict(self) -> dict[str, Any]:
        """Describe the rules as strict JSON."""
        return attrs.asdict(self)
