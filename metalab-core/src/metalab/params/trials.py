"""Trials: points drawn at random, each reachable on its own."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from random import Random
from typing import Any

import attrs

from metalab.identity.values import to_jsonable
from metalab.params.algebra import Source, checked_size
from metalab.params.base import ParamCase
from metalab.params.distributions import (
    Distribution,
    checked_distribution,
    described_distribution,
    distribution_of,
)
from metalab.params.manifest import headed, marked, revived
from metalab.params.words import checked_name, shown
from metalab.seeds import whole_number

__all__ = ["RandomSource", "random"]


def _checked_space(space: Mapping[str, Distribution]) -> dict[str, Distribution]:
    if not isinstance(space, Mapping):
        raise TypeError(
            "random: space is a dict of distributions by name, as in {'x': uniform(0, 1)}, "
            f"not {shown(space)}"
        )
    names = sorted(checked_name(name, "random: space") for name in space)
    return {name: checked_distribution(name, space[name]) for name in names}


def _checked_trials(value: int) -> int:
    number = whole_number(value, "random: n_trials")
    if number < 1:
        raise ValueError(f"random: n_trials={number} gives no runs; it is 1 or more")
    return checked_size([number], "random")


def _checked_seed(value: int) -> int:
    return whole_number(value, "random: seed")


@attrs.frozen(eq=False)
class RandomSource(Source):
    """Points whose params are drawn from distributions, names sorted.

    Trial i depends on the seed and i alone: more trials leave the first ones as they are.
    """

    space: Mapping[str, Distribution] = attrs.field(converter=_checked_space)
    n_trials: int = attrs.field(converter=_checked_trials)
    seed: int = attrs.field(converter=_checked_seed)

    @property
    def names(self) -> frozenset[str]:
        """The names in the space."""
        return frozenset(self.space)

    def __len__(self) -> int:
        return self.n_trials

    def case(self, index: int) -> ParamCase:
        """Return the case of an index; its tag is ``trial_<i>``."""
        digest = sha256(f"metalab.random:{self.seed}:{index}".encode()).digest()
        rng = Random(int.from_bytes(digest, "big"))  # noqa: S311  for science, not for secrets
        params: dict[str, Any] = {}
        for name, drawn in self.space.items():
            try:
                params[name] = drawn.sample(rng)
            except Exception as error:  # a distribution of the user's may raise anything
                error.add_note(f"raised by space[{name!r}] of random, at trial {index}")
                raise
        return ParamCase.of(params, (f"trial_{index}",))

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the distributions, the number of trials and the seed."""
        space = {name: described_distribution(drawn) for name, drawn in self.space.items()}
        document = {
            **headed("random"),
            "space": {name: value for name, (value, _) in space.items()},
            "n_trials": self.n_trials,
            "seed": to_jsonable(self.seed),
        }
        return marked(document, is_known=all(known for _, known in space.values()))

    @classmethod
    def from_manifest_dict(cls, document: Mapping[str, Any]) -> RandomSource:
        """Return the source that ``to_manifest_dict`` described."""
        space = {
            name: distribution_of(drawn, document) for name, drawn in document["space"].items()
        }
        return cls(space, document["n_trials"], revived(document["seed"], document))


def random(space: Mapping[str, Distribution], n_trials: int, seed: int) -> RandomSource:
    """Draw ``n_trials`` points; every name in ``space`` has a distribution.

    Raises TypeError for what is no distribution and says what was meant, ValueError for
    fewer than one trial.
    """
    return RandomSource(space, n_trials, seed)
