"""Seeds: named random streams that are the same on every machine and in every order.

A stream depends on the base seed, the replicate and the stream's name, and not on the
params: the points of a sweep share their random numbers, so that differences between them
come from the params. To draw other numbers at each point, put the params into the name.

The module can be called: ``metalab.seeds(base=123, replicates=2)``.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING, Any, overload

import attrs

from metalab.errors import MissingExtraError
from metalab.identity.values import from_jsonable, to_jsonable

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["SeedBundle", "SeedPlan", "seeds"]

_MOST_BITS = 256
_DEFAULT = "default"


def whole_number(value: object, what: str) -> int:
    """Return an integer of any integer type as an int; TypeError that names ``what`` for others."""
    if type(value) is int:
        return value
    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]  # refused below
        except TypeError:
            pass
    raise TypeError(f"{what} is a whole number, not {value!r} ({type(value).__name__})")


def _root_seed(value: int) -> int:
    return whole_number(value, "root_seed")


def _replicate(value: int | None) -> int | None:
    if value is None:
        return None
    index = whole_number(value, "replicate_index")
    if index < 0:
        raise ValueError(f"replicate_index counts from 0, not from {index}")
    return index


@attrs.frozen
class SeedBundle:
    """The random streams of one run, by name; equal bundles give equal streams.

    ``replicate_index`` None stands for a run that is no replicate. Its streams are those of
    replicate 0, but the two are different runs.
    """

    root_seed: int = attrs.field(converter=_root_seed)
    replicate_index: int | None = attrs.field(default=None, converter=_replicate)

    def derive(self, name: str) -> int:
        """Return the 64-bit integer that belongs to a name; TypeError if that is no str."""
        return int.from_bytes(self._digest(name)[:8], "big")

    def seed(self, name: str = _DEFAULT, *, bits: int = 63) -> int:
        """Return a seed for a library that takes an integer of at most ``bits`` bits (1 to 256).

        The default fits a signed 64-bit integer; scikit-learn and ``numpy.random.seed`` want
        ``bits=32``.
        """
        if not 1 <= whole_number(bits, "bits") <= _MOST_BITS:
            raise ValueError(f"bits={bits} is out of range: a seed has 1 to {_MOST_BITS} bits")
        return self.numpy_seed(name) >> (_MOST_BITS - int(bits))

    def rng(self, name: str = _DEFAULT) -> Random:
        """Return a new generator of the standard library, seeded with ``derive(name)``."""
        return Random(self.derive(name))  # noqa: S311  numbers for science, not for secrets

    def numpy_seed(self, name: str = _DEFAULT) -> int:
        """Return a 256-bit seed, the whole hash, for ``numpy.random.default_rng``."""
        return int.from_bytes(self._digest(name), "big")

    def numpy(self, name: str = _DEFAULT) -> Generator:
        """Return a new ``Generator(PCG64(SeedSequence(numpy_seed(name))))``.

        Raises MissingExtraError without numpy.
        """
        try:
            random: Any = import_module("numpy.random")
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "SeedBundle.numpy needs numpy: pip install 'metalab[numpy]'"
            ) from error
        generator: Generator = random.Generator(
            random.PCG64(random.SeedSequence(self.numpy_seed(name)))
        )
        return generator

    def to_dict(self) -> dict[str, int | None]:
        """Return the two numbers by name, for ``from_dict``."""
        return {"root_seed": self.root_seed, "replicate_index": self.replicate_index}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> SeedBundle:
        """Return the bundle that ``to_dict`` described; ValueError for any other document."""
        if not isinstance(document, Mapping) or "root_seed" not in document:
            raise ValueError(f"{document!r} describes no SeedBundle: it has no root_seed")
        return cls(document["root_seed"], document.get("replicate_index"))

    @classmethod
    def for_preprocessing(cls, base: int) -> SeedBundle:
        """Return streams for work done once before a sweep, apart from those of its runs."""
        return cls(cls(base).derive("preprocessing"))

    def _digest(self, name: str) -> bytes:
        if not isinstance(name, str):
            # The text of an object may hold an address, or an order that hashing made.
            raise TypeError(f"the name of a stream is a str, not {name!r}; write it as text")
        return _digest(self.root_seed, name, self.replicate_index or 0)


@lru_cache(maxsize=1024)
def _digest(root_seed: int, name: str, replicate: int) -> bytes:
    # The points of a sweep ask for the same streams, again and again.
    text = f"{root_seed}:{name}:{replicate}"
    return sha256(text.encode(errors="surrogatepass")).digest()


def _base(value: int) -> int:
    return whole_number(value, "base")


def _replicates(value: int) -> int:
    number = whole_number(value, "replicates")
    if number < 1:
        raise ValueError(f"replicates={number} gives no runs; it is 1 or more")
    if number > sys.maxsize:
        raise ValueError(f"replicates={number} are more than can be indexed")
    return number


@attrs.frozen
class SeedPlan(Sequence[SeedBundle]):
    """The seed bundles of an experiment's replicates, in order."""

    base_seed: int = attrs.field(converter=_base)
    replicates: int = attrs.field(default=1, converter=_replicates)

    def __len__(self) -> int:
        return self.replicates

    @overload
    def __getitem__(self, index: int) -> SeedBundle: ...
    @overload
    def __getitem__(self, index: slice) -> list[SeedBundle]: ...
    def __getitem__(self, index: int | slice) -> SeedBundle | list[SeedBundle]:
        """Return the bundle of one replicate; a slice gives a list."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.replicates))]
        return SeedBundle(self.base_seed, range(self.replicates)[index])

    def __iter__(self) -> Iterator[SeedBundle]:
        """Yield the bundles in order."""
        return (SeedBundle(self.base_seed, index) for index in range(self.replicates))

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the plan as strict JSON, for ``from_manifest_dict``."""
        return {
            "type": "SeedPlan",
            "base_seed": to_jsonable(self.base_seed, "base"),
            "replicates": self.replicates,
        }

    @classmethod
    def from_manifest_dict(cls, document: Mapping[str, Any]) -> SeedPlan:
        """Return the plan that ``to_manifest_dict`` described."""
        return cls(from_jsonable(document["base_seed"]), document["replicates"])


def seeds(base: int, replicates: int = 1) -> SeedPlan:
    """Plan ``replicates`` seed bundles: number i has the root seed ``base`` and replicate i.

    Raises TypeError for what is no whole number, ValueError for fewer than one replicate.
    """
    return SeedPlan(base, replicates)


class _CallableModule(ModuleType):
    def __call__(self, base: int, replicates: int = 1) -> SeedPlan:
        return seeds(base, replicates)


sys.modules[__name__].__class__ = _CallableModule
