"""What a launch does about runs that fail, and how long and how large a run may grow."""

from __future__ import annotations

import re
import threading
from typing import Any

import attrs

from metalab.errors import WorkerDiedError
from metalab.seeds import whole_number

__all__ = ["FailurePolicy", "Limits", "Retry"]

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_is_size = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?)(?:i?B)?", re.IGNORECASE).fullmatch
_DEATHS = 3


class FailurePolicy:
    """Counts failed runs and says when a launch takes no further ones.

    ``on_failure`` is ``"continue"``, ``"stop"`` (at the first failure) or the number of
    failures at which to stop. Raises ValueError for anything else.
    """

    def __init__(self, on_failure: str | int = "continue") -> None:
        self.limit = _limit(on_failure)
        self._failures = 0
        self._lock = threading.Lock()

    def failed(self) -> bool:
        """Count one failed run; True once no further runs may be taken."""
        with self._lock:
            self._failures += 1
            return self.limit is not None and self._failures >= self.limit


def _limit(on_failure: str | int) -> int | None:
    if on_failure == "continue":
        return None
    if on_failure == "stop":
        return 1
    if isinstance(on_failure, int) and not isinstance(on_failure, bool) and on_failure > 0:
        return on_failure
    raise ValueError(
        f"on_failure={on_failure!r} is unknown: use 'continue', 'stop', or the number of "
        "failed runs (1 or more) at which to stop"
    )


def _attempts(value: int) -> int:
    number = whole_number(value, "max_attempts")
    if number < 1:
        raise ValueError(f"max_attempts={value}: a run is tried at least once")
    return number


def _classes(value: Any) -> tuple[type[BaseException], ...]:
    classes = (value,) if isinstance(value, type) else tuple(value)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            raise TypeError(f"on={value!r}: give classes of exceptions, such as (OSError,)")
    return classes


def _seconds(value: float, option: str = "backoff") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{option}={value!r} is no number of seconds")
    if not value >= 0:
        raise ValueError(f"{option}={value!r}: seconds are 0 or more")
    return float(value)


def _longest(value: float) -> float:
    return _seconds(value, "longest")


@attrs.frozen
class Retry:
    """How often a launch tries a run that fails, and when again.

    ``max_attempts`` counts the first one. ``on`` are the exceptions that are worth another
    attempt: RunTimeoutError stands for a run that exceeded its time limit, WorkerDiedError for
    one whose process died. Before the second attempt ``backoff`` seconds pass, and twice as
    many before each further one, up to ``longest``. Every attempt is kept.
    """

    max_attempts: int = attrs.field(default=3, converter=_attempts)
    on: tuple[type[BaseException], ...] = attrs.field(default=(Exception,), converter=_classes)
    backoff: float = attrs.field(default=0.0, converter=_seconds)
    longest: float = attrs.field(default=60.0, converter=_longest)

    def allows(self, error: type[BaseException], tries: int) -> bool:
        """Tell whether a run is tried again that failed so at its ``tries``-th try in a launch."""
        return tries < self.max_attempts and issubclass(error, self.on)

    def delay(self, tries: int) -> float:
        """Return the seconds between the ``tries``-th try and the next."""
        # A power of two beyond a float's would be an error, not infinity.
        return float(min(self.longest, self.backoff * 2.0 ** min(tries - 1, 1000)))

    @classmethod
    def of(cls, value: Retry | int | None) -> Retry:
        """Read what a user gave: a number is the most attempts; None, the default.

        By default a run that fails is left to the next launch, and one whose process died is
        tried three times, since that need not be its own fault.
        """
        if value is None:
            return _BY_DEFAULT
        if isinstance(value, Retry):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(value)
        raise TypeError(f"retry={value!r} is no metalab.Retry and no number of attempts")

    def to_dict(self) -> dict[str, Any]:
        """Describe the policy as strict JSON."""
        names = [f"{each.__module__}.{each.__qualname__}" for each in self.on]
        return {**attrs.asdict(self), "on": names}


_BY_DEFAULT = Retry(_DEATHS, WorkerDiedError)


def _timeout(value: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"timeout={value!r} is no number of seconds")
    if not value > 0:
        raise ValueError(f"timeout={value!r}: a run needs more than no time at all")
    return float(value)


def _bytes(value: str | int | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and (found := _is_size(value.strip())):
        value = int(float(found[1]) * _UNITS[found[2].upper()])
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"memory={value!r} is no size; give bytes, or text such as '500M' or '4G'")
    if value < 1:
        raise ValueError(f"memory={value!r}: a run needs more than no memory at all")
    return value


@attrs.frozen
class Limits:
    """What one run may use: ``timeout`` in seconds, ``memory`` in bytes (or as ``"4G"``)."""

    timeout: float | None = attrs.field(default=None, converter=_timeout)
    memory: int | None = attrs.field(default=None, converter=_bytes)

    @property
    def needed(self) -> str | None:
        """The option that only an executor can heed which can end runs by force, if any."""
        if self.timeout is not None:
            return f"timeout={self.timeout:g}"
        return None if self.memory is None else f"memory={self.memory}"
