"""Grids: every combination of listed values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product
from math import prod
from typing import Any, Never

import attrs

from metalab.errors import IdentityError
from metalab.identity.canonical import canonical_mapping, hash_bytes
from metalab.params.algebra import Source, ZipSource, checked_size
from metalab.params.base import (
    ParamCase,
    ParamSource,
    canonical_param,
    is_atom,
    may_change,
    own,
)
from metalab.params.manifest import described, headed, marked, revived
from metalab.params.words import checked_name, is_table, listed, shown

__all__ = ["GridSource", "grid", "zip_"]

_REMEMBERED = 1024  # combinations of some axes; two look-ups replace a division for each axis

_Axis = tuple[tuple[str, tuple[Any, ...]], list[bytes]]
_Half = Callable[[int], tuple[dict[str, Any], tuple[bytes, ...]]]


def _checked_axes(axes: Mapping[str, Iterable[Any]]) -> dict[str, tuple[Any, ...]]:
    if not isinstance(axes, Mapping):
        raise TypeError(
            f"grid takes a list of values for each name, as in grid(x=[1, 2]), not {shown(axes)}"
        )
    names = sorted(checked_name(name, "grid") for name in axes)
    return {name: _checked_axis(name, axes[name]) for name in names}


def _checked_axis(name: str, values: Any) -> tuple[Any, ...]:
    if callable(getattr(values, "sample", None)) and not is_table(values):
        raise TypeError(
            f"grid: {name}={shown(values)} is a distribution; did you mean "
            f"random(space={{{name!r}: {shown(values)}}}, n_trials=..., seed=...)?"
        )
    meant = f"grid({name}=[{{}}])" if name.isidentifier() else f"grid(**{{{{{name!r}: [{{}}]}}}})"
    return tuple(map(own, listed(values, f"grid: {name}", meant)))


def _half(axes: Sequence[_Axis]) -> _Half:
    """Return a function that gives the params, and their canonical items, of a combination."""

    @lru_cache(maxsize=_REMEMBERED)
    def at(index: int) -> tuple[dict[str, Any], tuple[bytes, ...]]:
        params, items = {}, []
        for (name, values), encoded in reversed(axes):
            index, place = divmod(index, len(values))
            params[name] = values[place]
            items.append(encoded[place])
        return dict(reversed(params.items())), tuple(sorted(items))

    return at


@attrs.frozen(eq=False, repr=False)
class GridSource(Source):
    """Every combination of the values of some axes, names sorted, the last name fastest.

    Without axes it has one case, with no params.
    """

    axes: Mapping[str, tuple[Any, ...]] = attrs.field(converter=_checked_axes)

    def __attrs_post_init__(self) -> None:
        checked_size([len(values) for values in self.axes.values()], "the grid")

    @property
    def _items(self) -> list[list[bytes]]:
        return self._steady_items if self._is_steady else self._encode()

    @cached_property
    def _steady_items(self) -> list[list[bytes]]:
        # Hashing a case is joining these: each value is made canonical once, not once a case.
        return self._encode()

    def _encode(self) -> list[list[bytes]]:
        return [
            [canonical_param(name, value) for value in values] for name, values in self.axes.items()
        ]

    @cached_property
    def _halves(self) -> tuple[int, _Half, _Half]:
        """Return the last axes' number of combinations, the first axes' half and theirs."""
        axes = list(zip(self.axes.items(), self._items, strict=True))
        split, size = len(axes), 1
        while split and size * len(axes[split - 1][1]) <= _REMEMBERED:
            split -= 1
            size *= len(axes[split][1])
        return size, _half(axes[:split]), _half(axes[split:])

    @property
    def names(self) -> frozenset[str]:
        """The names of the axes."""
        return frozenset(self.axes)

    @property
    def distinct(self) -> bool:
        """Whether each axis lists each of its values once."""
        return self._is_steady and all(
            len(set(items)) == len(items) for items in self._steady_items
        )

    @cached_property
    def _size(self) -> int:
        return prod(map(len, self.axes.values()))

    def __len__(self) -> int:
        return self._size

    @property
    def steady(self) -> bool:
        """Whether a case is the same whenever it is made; not where it names files."""
        return self._is_steady

    def case(self, index: int) -> ParamCase:
        """Return the case of an index."""
        size, first, last = self._halves
        place, rest = divmod(index, size)
        (head, head_items), (tail, tail_items) = first(place), last(rest)
        params = {**head, **tail}
        items: Iterable[bytes] = head_items + tail_items
        if not self._is_steady:
            items = [canonical_param(name, value) for name, value in params.items()]
        return ParamCase(params, hash_bytes(canonical_mapping(items)), (), self._holds_atoms)

    @cached_property
    def _is_steady(self) -> bool:
        try:
            return not any(may_change(value) for values in self.axes.values() for value in values)
        except (IdentityError, RecursionError):
            return False  # what has no identity is refused by name when it is encoded

    @cached_property
    def _holds_atoms(self) -> bool:
        return all(is_atom(value) for values in self.axes.values() for value in values)

    def __iter__(self) -> Iterator[ParamCase]:
        """Yield the cases in order."""
        names = tuple(self.axes)
        for values, case_id in zip(product(*self.axes.values()), self.case_ids(), strict=True):
            params = dict(zip(names, values, strict=True))
            yield ParamCase(params, case_id, (), self._holds_atoms)

    def case_ids(self) -> Iterator[str]:
        """Yield the fingerprint of the params of each case in order, without making the params."""
        return (hash_bytes(canonical_mapping(items)) for items in product(*self._items))

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the axes, types and all."""
        axes = {name: described(list(values)) for name, values in self.axes.items()}
        document = {**headed("grid"), "axes": {name: value for name, (value, _) in axes.items()}}
        return marked(document, is_known=all(known for _, known in axes.values()))

    @classmethod
    def from_manifest_dict(cls, document: Mapping[str, Any]) -> GridSource:
        """Return the grid that ``to_manifest_dict`` described."""
        return cls({name: revived(axis, document) for name, axis in document["axes"].items()})

    def __repr__(self) -> str:
        axes = (f"{name}={shown(list(values))}" for name, values in self.axes.items())
        return f"grid({', '.join(axes)})"


def grid(*wrong: Never, **axes: Iterable[Any]) -> GridSource:
    """Combine every value of each axis with every value of the others.

    An axis is a list, an array, a range, a generator or the like. Raises TypeError for a
    single value, ValueError for an axis without values; each says what was meant.
    """
    if wrong:
        raise TypeError(
            f"grid takes its axes by name, as in grid(x=[1, 2]); for {shown(wrong[0])} "
            "write grid(**{...}), or manual([...]) for a list of points"
        )
    return GridSource(axes)


def zip_(*sources: ParamSource, **axes: Iterable[Any]) -> ZipSource:
    """Pair values by their place: the first of each axis or source, then the second of each.

    Raises ValueError if they differ in length or if two have a param of one name.
    """
    for source in sources:
        if not isinstance(source, ParamSource):
            raise TypeError(
                f"zip_ pairs sources, or lists by name as in zip_(x=[1, 2], y=[3, 4]); "
                f"{shown(source)} is neither"
            )
    columns = [GridSource({name: axes[name]}) for name in sorted(axes)]
    return ZipSource((*sources, *columns))
