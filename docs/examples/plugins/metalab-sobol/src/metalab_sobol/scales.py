"""Scales: what a number from 0 to 1 is on the range of a parameter.

Parameters are drawn from metalab's own distributions. A distribution of the user's draws with a
generator, as often as it likes, so that it has no place for one even number: it is refused.
"""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any

from metalab.identity.values import from_jsonable, to_jsonable
from metalab.params import (
    Choice,
    LogUniform,
    LogUniformInt,
    RandInt,
    Uniform,
    choice,
    loguniform,
    loguniform_int,
    randint,
    uniform,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Scale", "described", "place_on", "revived"]

Scale = Choice | LogUniform | LogUniformInt | RandInt | Uniform
"""The distributions that a quasi-random parameter may have."""


def place_on(scale: Scale, share: float) -> Any:
    """Return the value below which ``share`` of the distribution lies."""
    if isinstance(scale, RandInt):
        return scale.low + int(Fraction(share) * (scale.high - scale.low + 1))
    if isinstance(scale, Choice):
        # Whoever changes the option that it was given shall not change the next one's.
        return deepcopy(scale.options[int(share * len(scale.options))])
    return scale.sample(_Constant(share))


def described(scale: Scale) -> dict[str, Any]:
    """Return a distribution as strict JSON; raises IdentityError for an option that is no value."""
    word, fields, _ = _KINDS[type(scale)]
    values = {name: to_jsonable(getattr(scale, name), exact=True) for name in fields}
    return {"distribution": word, **values}


def revived(document: Mapping[str, Any]) -> Scale:
    """Return the distribution that was described; raises ValueError if it is none of these."""
    for word, fields, made in _KINDS.values():
        if word == document.get("distribution"):
            return made(*(from_jsonable(document[name], strict=True) for name in fields))
    raise ValueError(f"{dict(document)!r} is no distribution that sobol knows")


class _Constant(Random):
    """Stands in for a generator: its next number is known."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self._number = number

    def random(self) -> float:
        """Return the number."""
        return self._number


_BOUNDS = ("low", "high")
_KINDS: dict[type, tuple[str, tuple[str, ...], Callable[..., Scale]]] = {
    Choice: ("choice", ("options",), choice),
    LogUniform: ("loguniform", _BOUNDS, loguniform),
    LogUniformInt: ("loguniform_int", _BOUNDS, loguniform_int),
    RandInt: ("randint", _BOUNDS, randint),
    Uniform: ("uniform", _BOUNDS, uniform),
}
