"""The source: so many points of a sequence, each reachable by its number alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import attrs

from metalab.errors import IdentityError
from metalab.identity.values import from_jsonable, to_jsonable
from metalab.params import ParamCase, Source
from metalab_sobol.scales import Scale, described, place_on, revived

__all__ = ["SobolSource", "sobol"]

_LARGEST = 2**30  # points there are, as metalab_sobol.sequence says, which imports scipy


def _checked_space(space: Mapping[str, Scale]) -> dict[str, Scale]:
    if not (isinstance(space, Mapping) and space):
        raise TypeError(
            "sobol: space is a dict of distributions by name, as in {'x': uniform(0, 1)}, "
            f"not {space!r}"
        )
    for name, scale in space.items():
        if not isinstance(name, str):
            raise TypeError(f"sobol: the name {name!r} is of type {type(name).__name__}, not str")
        if not isinstance(scale, Scale):
            raise TypeError(
                f"sobol: space[{name!r}] is {scale!r}; it is one of uniform, loguniform, randint, "
                "loguniform_int and choice of metalab"
            )
    return {name: space[name] for name in sorted(space)}


def _whole(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int:
        raise TypeError(f"sobol: {attribute.name}={value!r} is no whole number")


def _points(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    if not 1 <= value <= _LARGEST:
        raise ValueError(f"sobol: {attribute.name}={value} is not from 1 to 2**30")


@attrs.frozen(eq=False)
class SobolSource(Source):
    """Points of a Sobol sequence; its dimensions are the names, sorted.

    Point i depends on the seed and i alone: more points leave the first ones as they are.
    """

    space: Mapping[str, Scale] = attrs.field(converter=_checked_space)
    n_points: int = attrs.field(validator=[_whole, _points])
    seed: int = attrs.field(default=0, validator=_whole)

    @property
    def names(self) -> frozenset[str]:
        """The names in the space."""
        return frozenset(self.space)

    def __len__(self) -> int:
        return self.n_points

    def case(self, index: int) -> ParamCase:
        """Return the case of an index; its tag is ``sobol_<i>``."""
        # To plan and to list needs no points, and scipy takes most of a second to import.
        from metalab_sobol.sequence import point  # noqa: PLC0415

        shares = point(index, len(self.space), self.seed)
        params = {
            name: place_on(scale, share)
            for (name, scale), share in zip(self.space.items(), shares, strict=True)
        }
        return ParamCase.of(params, (f"sobol_{index}",))

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the distributions, the number of points and the seed.

        An option that has no description makes it a manifest that says it cannot be rebuilt.
        """
        head = {"type": "SobolSource", "kind": "sobol"}
        tail = {"n_points": self.n_points, "seed": to_jsonable(self.seed)}
        try:
            space: dict[str, Any] = {name: described(scale) for name, scale in self.space.items()}
        except IdentityError:
            return {**head, "space": repr(self.space), **tail, "rebuildable": False}
        return {**head, "space": space, **tail}

    @classmethod
    def from_manifest_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the source that ``to_manifest_dict`` described."""
        space = {name: revived(scale) for name, scale in document["space"].items()}
        return cls(space, document["n_points"], from_jsonable(document["seed"]))


def sobol(space: Mapping[str, Scale], n_points: int, seed: int = 0) -> SobolSource:
    """Spread ``n_points`` evenly; every name in ``space`` has a distribution of metalab's.

    A power of two spreads them best. Raises TypeError for what is no distribution, ValueError
    for fewer than one point.
    """
    return SobolSource(space, n_points, seed)
