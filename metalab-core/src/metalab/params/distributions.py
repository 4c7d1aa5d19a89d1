"""Distributions: what a random search draws each param from.

A distribution is any object with ``sample(rng)``, where ``rng`` is a ``random.Random``.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import attrs

from metalab.params.base import own
from metalab.params.manifest import described, revived
from metalab.params.words import is_table, listed, shown
from metalab.seeds import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from random import Random

__all__ = [
    "Choice",
    "Distribution",
    "LogUniform",
    "LogUniformInt",
    "RandInt",
    "Uniform",
    "choice",
    "loguniform",
    "loguniform_int",
    "randint",
    "uniform",
]

# The C library's exp and log differ in the last bit between platforms, and with it would
# the runs' ids: decimal logarithms are rounded correctly, and this series is plain arithmetic.
_DIGITS = Context(prec=40)
_EXP_TERMS = tuple(1 / math.factorial(n) for n in range(14, -1, -1))
# The first part of ln 2 has so few digits that its multiples are exact.
_LN2 = 0.69314718036912381649
_LN2_REST = 1.90821492927058770002e-10

_Number = TypeVar("_Number", int, float)


@runtime_checkable
class Distribution(Protocol):
    """Draws a value with a ``random.Random`` and with nothing else, so that draws repeat."""

    def sample(self, rng: Random) -> Any:
        """Draw one value."""
        ...


@attrs.frozen
class Uniform:
    """Real numbers from ``low`` to ``high``, all equally likely."""

    low: float
    high: float

    def sample(self, rng: Random) -> float:
        """Draw one number."""
        return self.low + (self.high - self.low) * rng.random()


@attrs.frozen
class LogUniform:
    """Real numbers from ``low`` to ``high`` whose logarithms are equally likely."""

    low: float
    high: float

    def sample(self, rng: Random) -> float:
        """Draw one number."""
        return min(max(_log_draw(self.low, self.high, rng), self.low), self.high)


@attrs.frozen
class LogUniformInt:
    """Whole numbers from ``low`` to ``high``, both included, rounded from a log-uniform draw."""

    low: int
    high: int

    def sample(self, rng: Random) -> int:
        """Draw one number."""
        draw = min(_log_draw(self.low, self.high, rng), float(self.high))
        return min(max(round(draw), self.low), self.high)


@attrs.frozen
class RandInt:
    """Whole numbers from ``low`` to ``high``, both included, all equally likely."""

    low: int
    high: int

    def sample(self, rng: Random) -> int:
        """Draw one number."""
        return rng.randint(self.low, self.high)


@attrs.frozen(eq=False)
class Choice:
    """One of several options, all equally likely."""

    options: tuple[Any, ...]

    def sample(self, rng: Random) -> Any:
        """Draw one option."""
        return own(rng.choice(self.options))


def uniform(low: float, high: float) -> Uniform:
    """Draw real numbers from ``low`` to ``high``; bounds in the wrong order are refused."""
    bounds = _reals("uniform", low, high)
    if not math.isfinite(bounds[1] - bounds[0]):
        raise ValueError(f"uniform({low!r}, {high!r}): the range is too wide for a float")
    return Uniform(*bounds)


def loguniform(low: float, high: float) -> LogUniform:
    """Draw real numbers whose logarithm is uniform; ``low`` is more than 0."""
    bounds = _reals("loguniform", low, high)
    _refuse_below("loguniform", bounds, 0, is_allowed=False)
    return LogUniform(*bounds)


def loguniform_int(low: int, high: int) -> LogUniformInt:
    """Draw whole numbers log-uniformly and rounded, bounds included; ``low`` is 1 or more."""
    bounds = _wholes("loguniform_int", low, high)
    _reals("loguniform_int", *bounds)
    _refuse_below("loguniform_int", bounds, 1, is_allowed=True)
    return LogUniformInt(*bounds)


def randint(low: int, high: int) -> RandInt:
    """Draw whole numbers from ``low`` to ``high``, both included."""
    return RandInt(*_wholes("randint", low, high))


def choice(options: Iterable[Any]) -> Choice:
    """Draw one of the options; they are listed in an order, and there is at least one."""
    return Choice(tuple(map(own, listed(options, "choice", "choice([{}])"))))


def checked_distribution(name: str, value: object) -> Distribution:
    """Return what a param is drawn from; TypeError that says what was meant."""
    if isinstance(value, type):
        raise TypeError(
            f"random: space[{name!r}] is the class {value.__name__}; "
            f"did you mean {value.__name__}(...)?"
        )
    if isinstance(value, Distribution) and not is_table(value):
        return value
    options = list(value) if isinstance(value, list | tuple | range) else [value]
    raise TypeError(
        f"random: space[{name!r}] is {shown(value)}, which has no sample(rng); "
        f"did you mean choice({shown(options)})?"
    )


def described_distribution(distribution: Distribution) -> tuple[Any, bool]:
    """Return a distribution as strict JSON, and True; or its repr and False."""
    cls: Any = type(distribution)
    kind = _KINDS.get(cls)
    if kind is None:
        return described(distribution)
    fields = {
        field.name: described(getattr(distribution, field.name)) for field in attrs.fields(cls)
    }
    document = {name: value for name, (value, _) in fields.items()}
    return {"distribution": kind, **document}, all(known for _, known in fields.values())


def distribution_of(document: Any, manifest: Mapping[str, Any]) -> Distribution:
    """Return what ``described_distribution`` described; ValueError if its class is not loaded."""
    if isinstance(document, dict) and (kind := document.get("distribution")) in _FACTORIES:
        fields = {k: revived(v, manifest) for k, v in document.items() if k != "distribution"}
        found: Distribution = _FACTORIES[kind](**fields)
        return found
    value: Distribution = revived(document, manifest)
    return value


@lru_cache(maxsize=1024)
def _log_bounds(low: float, high: float) -> tuple[float, float]:
    below, above = Decimal(low).ln(_DIGITS), Decimal(high).ln(_DIGITS)
    return float(below), float(_DIGITS.subtract(above, below))


def _log_draw(low: float, high: float, rng: Random) -> float:
    below, span = _log_bounds(low, high)
    return _exp(below + span * rng.random())


def _exp(x: float) -> float:
    doublings = round(x / _LN2)
    rest = (x - doublings * _LN2) - doublings * _LN2_REST
    total = 0.0
    for term in _EXP_TERMS:
        total = total * rest + term
    # Halved first, since ldexp raises where a product merely is infinite.
    return math.ldexp(total, doublings - 1) * 2


def _reals(who: str, low: object, high: object) -> tuple[float, float]:
    return _in_order(who, _real(who, "low", low), _real(who, "high", high))


def _real(who: str, what: str, value: Any) -> float:
    if not isinstance(value, bool | str | bytes):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise TypeError(f"{who}: {what}={shown(value)} is no finite number")


def _wholes(who: str, low: object, high: object) -> tuple[int, int]:
    return _in_order(who, whole_number(low, f"{who}: low"), whole_number(high, f"{who}: high"))


def _in_order(who: str, low: _Number, high: _Number) -> tuple[_Number, _Number]:
    if low > high:
        raise ValueError(f"{who}({low!r}, {high!r}): low is above high; did you swap them?")
    return low, high


def _refuse_below(who: str, bounds: tuple[float, float], least: int, *, is_allowed: bool) -> None:
    if bounds[0] < least or (bounds[0] == least and not is_allowed):
        needed = f"{least} or more" if is_allowed else f"more than {least}"
        raise ValueError(
            f"{who}({bounds[0]!r}, {bounds[1]!r}): a logarithm needs a low of {needed}"
        )


_KINDS: dict[type, str] = {
    Choice: "choice",
    LogUniform: "loguniform",
    LogUniformInt: "loguniform_int",
    RandInt: "randint",
    Uniform: "uniform",
}
_FACTORIES: dict[str, Callable[..., Distribution]] = {
    "choice": choice,
    "loguniform": loguniform,
    "loguniform_int": loguniform_int,
    "randint": randint,
    "uniform": uniform,
}
