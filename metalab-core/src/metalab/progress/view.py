"""What can be seen of a launch at any time: its counts, and the runs that are under way."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import attrs

from metalab.progress.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from metalab.planning import Plan, RunSpec

__all__ = ["LaunchView", "RunUnderWay"]

_LOG = logging.getLogger(__name__)
_SHORT = 8  # characters of a run's id
_LONGEST_VALUE = 24


@attrs.frozen
class RunUnderWay:
    """A run that is being executed: its params that vary, or its short id; and for how long."""

    name: str
    seconds: float


class LaunchView:
    """What a tracker may ask of a launch whenever it likes, on any thread."""

    def __init__(
        self,
        counts: Callable[[], Mapping[str, int]],
        under_way: Callable[[], Mapping[int, float]] = dict,
        plan: Plan | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counts = counts
        self._under_way = under_way
        self._plan = plan
        self._clock = clock
        self._names: dict[int, str] = {}
        self._varying: frozenset[str] | None = None

    def counts(self) -> Mapping[str, int]:
        """Count the runs that ``completed``, ``failed``, were ``cancelled`` or are ``running``."""
        return self._counts()

    def under_way(self) -> dict[int, float]:
        """Return the plan index of each run under way, oldest first, and its seconds so far."""
        now = self._clock()
        return {index: now - since for index, since in self._under_way().items()}

    def named(self, runs: Sequence[tuple[int, float]]) -> list[RunUnderWay]:
        """Give names to runs that are told as (index, seconds)."""
        names = {index: self._names.get(index) or self._name(index) for index, _ in runs}
        self._names = names  # of those not asked for again none is kept
        return [RunUnderWay(names[index], seconds) for index, seconds in runs]

    def _name(self, index: int) -> str:
        if self._plan is None:
            return str(index)
        try:
            return _told(self._plan[index], self._params_that_vary(self._plan)) or self._id(index)
        except Exception:  # noqa: BLE001  a source of params is the user's to break; a name is not worth it
            _LOG.debug("run %d has no name", index, exc_info=True)
            return self._id(index)

    def _id(self, index: int) -> str:
        return str(index) if self._plan is None else self._plan.ids[index][:_SHORT]

    def _params_that_vary(self, plan: Plan) -> frozenset[str]:
        """Return the params that differ among a few runs, the first and the last among them."""
        if self._varying is None:
            self._varying = _differing(
                [plan[i].case.params for i in {0, len(plan) // 2, len(plan) - 1}]
            )
        return self._varying


def _differing(cases: Sequence[Mapping[str, object]]) -> frozenset[str]:
    keys = frozenset().union(*cases)
    return frozenset(key for key in keys if len({repr(case.get(key)) for case in cases}) > 1)


def _told(spec: RunSpec, varying: frozenset[str]) -> str:
    params = [
        f"{one_line(key)}={_short(value)}"
        for key, value in spec.case.params.items()
        if key in varying
    ]
    if not params:
        return ""
    replicate = spec.seeds.replicate_index
    return ", ".join([*params, f"replicate {replicate}"] if replicate else params)


def _short(value: object) -> str:
    told = one_line(value if isinstance(value, str) else repr(value))
    return told if len(told) <= _LONGEST_VALUE else f"{told[: _LONGEST_VALUE - 3]}..."
