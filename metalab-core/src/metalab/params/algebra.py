"""The algebra of param sources: slices, filters, sums, products and zips are sources again."""

from __future__ import annotations

import abc
import operator
import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain
from math import prod
from typing import Any, ClassVar, overload

import attrs

from metalab.params.base import ParamCase, ParamSource
from metalab.params.manifest import composed, described_callable, marked
from metalab.params.words import shown
from metalab.records import tags_of

__all__ = [
    "ConcatSource",
    "FilteredSource",
    "ProductSource",
    "SelectedSource",
    "Source",
    "ZipSource",
]

Predicate = Callable[[dict[str, Any]], object]


class Source(Sequence[ParamCase]):
    """The base of param sources: give it ``__len__``, ``case`` and ``to_manifest_dict``.

    It brings indices from the end, slices (which are sources), ``a + b`` (one after the
    other), ``a * b`` (each of a with each of b, b fastest) and ``filter``.
    """

    __slots__ = ()

    @abc.abstractmethod
    def case(self, index: int) -> ParamCase:
        """Return the case of an index from 0 on that is known to exist."""

    @abc.abstractmethod
    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the source as strict JSON, for its plugin to rebuild it."""

    @property
    def names(self) -> frozenset[str] | None:
        """The names of all params that any case has, or None if only a look could tell."""
        return None

    @property
    def distinct(self) -> bool:
        """Whether it is known without looking at the cases that no two are equal."""
        return False

    @property
    def steady(self) -> bool:
        """Whether it is known that a case is the same whenever it is made."""
        return False

    @overload
    def __getitem__(self, index: int) -> ParamCase: ...
    @overload
    def __getitem__(self, index: slice) -> Source: ...
    def __getitem__(self, index: int | slice) -> ParamCase | Source:
        """Return one case, or the source of a slice of them."""
        size = len(self)
        if isinstance(index, slice):
            return SelectedSource(self, range(size)[index])
        place = operator.index(index)
        if not -size <= place < size:
            raise IndexError(f"there is no point {index}: the source has {size}")
        return self.case(place % size)

    def __iter__(self) -> Iterator[ParamCase]:
        """Yield the cases in order."""
        return map(self.case, range(len(self)))

    def case_ids(self) -> Iterator[str]:
        """Yield the fingerprint of the params of each case in order."""
        return (case.case_id for case in self)

    def __add__(self, other: ParamSource) -> Source:
        """Return the cases of this source, then those of the other."""
        return _joined(ConcatSource, self, other)

    def __radd__(self, other: ParamSource) -> Source:
        """Do for a source of another kind what ``+`` does."""
        return _joined(ConcatSource, other, self)

    def __mul__(self, other: ParamSource) -> Source:
        """Return every case of this source with every case of the other, the other fastest.

        A param that both have is refused with ValueError.
        """
        return _joined(ProductSource, self, other)

    def __rmul__(self, other: ParamSource) -> Source:
        """Do for a source of another kind what ``*`` does."""
        return _joined(ProductSource, other, self)

    def filter(self, predicate: Predicate) -> Source:
        """Keep the cases for whose params the predicate is true.

        Every case is looked at once, when the first is asked for; in another process the
        same cases are kept without looking again.
        """
        return FilteredSource(self, predicate)


@attrs.frozen(eq=False)
class _Part(Source):
    """Some of the cases of a source."""

    source: ParamSource

    @property
    def names(self) -> frozenset[str] | None:
        return _names(self.source)

    @property
    def distinct(self) -> bool:
        return _distinct(self.source)


@attrs.frozen(eq=False)
class SelectedSource(_Part):
    """The cases of a source that have certain indices, such as a slice of it."""

    indices: Sequence[int] = attrs.field(repr=shown)
    _manifest: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.indices)

    def case(self, index: int) -> ParamCase:
        """Return the case of an index."""
        return self.source[self.indices[index]]

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the source and the slice of it."""
        if not isinstance(self.indices, range):
            # What is left of a filter in another process describes itself as the filter did.
            return dict(self._manifest or {})
        start, stop, step = self.indices.start, self.indices.stop, self.indices.step
        document = composed("slice", source=self.source)
        return {**document, "start": start, "stop": stop, "step": step}


@attrs.frozen(eq=False)
class FilteredSource(_Part):
    """The cases of a source that a predicate of their params keeps."""

    predicate: Predicate = attrs.field()

    @predicate.validator
    def _check_predicate(self, _: object, value: object) -> None:
        if not callable(value):
            raise TypeError(f"filter wants a function of the params, not {shown(value)}")

    @cached_property
    def _kept(self) -> Sequence[int]:
        return array("Q", (i for i, case in enumerate(self.source) if self._keeps(i, case)))

    def _keeps(self, index: int, case: ParamCase) -> bool:
        try:
            verdict = self.predicate(case.params)
        except Exception as error:  # as a resolver's, it gets its place
            error.add_note(f"raised by the filter at point {index}: {shown(case.params)}")
            raise
        if verdict is None:
            raise TypeError(
                f"the filter returned None at point {index}: {shown(case.params)}; "
                "it returns True to keep a point, False to drop it"
            )
        return bool(verdict)

    def __len__(self) -> int:
        return len(self._kept)

    def case(self, index: int) -> ParamCase:
        """Return the case of an index."""
        return self.source[self._kept[index]]

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the source and name the predicate, if it has a name."""
        name, is_known = described_callable(self.predicate)
        document = composed("filtered", source=self.source)
        return marked({**document, "filter": name}, is_known=is_known)

    def __reduce__(self) -> tuple[Any, ...]:
        # A predicate that looks at anything but the params would keep other cases elsewhere.
        return SelectedSource, (self.source, self._kept, self.to_manifest_dict())


def _as_tuple(sources: Iterable[ParamSource]) -> tuple[ParamSource, ...]:
    return tuple(sources)


@attrs.frozen(eq=False)
class _Combination(Source):
    """Cases that come from several sources."""

    kind: ClassVar[str]
    sources: tuple[ParamSource, ...] = attrs.field(converter=_as_tuple)

    @property
    def names(self) -> frozenset[str] | None:
        names = [found for source in self.sources if (found := _names(source)) is not None]
        return frozenset[str]().union(*names) if len(names) == len(self.sources) else None

    def to_manifest_dict(self) -> dict[str, Any]:
        """Describe the sources."""
        return composed(self.kind, sources=self.sources)


@attrs.frozen(eq=False)
class ConcatSource(_Combination):
    """The cases of several sources, one source after the other."""

    kind = "concat"

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(accumulate(map(len, self.sources)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def case(self, index: int) -> ParamCase:
        """Return the case of an index."""
        place = bisect_right(self._ends, index)
        return self.sources[place][index - (self._ends[place - 1] if place else 0)]

    def __iter__(self) -> Iterator[ParamCase]:
        """Yield the cases in order."""
        return chain.from_iterable(self.sources)


@attrs.frozen(eq=False)
class ProductSource(_Combination):
    """Every case of each source with every case of the others, the last source fastest."""

    kind = "product"

    def __attrs_post_init__(self) -> None:
        _refuse_overlap("a * b", self.sources)
        checked_size(list(map(len, self.sources)), "a * b")

    def __len__(self) -> int:
        return prod(map(len, self.sources))

    def case(self, index: int) -> ParamCase:
        """Return the case of an index."""
        cases = []
        for source in reversed(self.sources):
            index, place = divmod(index, len(source))
            cases.append(source[place])
        return _merged("a * b", cases[::-1])

    def __iter__(self) -> Iterator[ParamCase]:
        """Yield the cases in order."""
        return (_merged("a * b", cases) for cases in _nested(self.sources))

    @property
    def distinct(self) -> bool:
        """Whether the cases of all sources are, and share no param."""
        return self.names is not None and all(map(_distinct, self.sources))


@attrs.frozen(eq=False)
class ZipSource(_Combination):
    """The first cases of several sources together, then the second ones, and so on."""

    kind = "zip"

    def __attrs_post_init__(self) -> None:
        sizes = [len(source) for source in self.sources]
        if len(set(sizes)) != 1:
            told = " and ".join(map(str, sizes)) or "none"
            raise ValueError(f"zip_ pairs sources of one length; these have {told} points")
        _refuse_overlap("zip_", self.sources)

    def __len__(self) -> int:
        return len(self.sources[0])

    def case(self, index: int) -> ParamCase:
        """Return the case of an index."""
        return _merged("zip_", [source[index] for source in self.sources])

    @property
    def distinct(self) -> bool:
        """Whether the cases of any source are, for those are part of these."""
        return self.names is not None and any(map(_distinct, self.sources))


def checked_size(sizes: Sequence[int], what: str) -> int:
    """Return the number of combinations; ValueError if there are more than can be counted."""
    if (size := prod(sizes)) > sys.maxsize:
        raise ValueError(f"{what} has {size} points, more than can be indexed")
    return size


def _joined(kind: type[_Combination], *sources: ParamSource) -> Source:
    flat: list[ParamSource] = []
    for source in sources:
        if not isinstance(source, ParamSource):
            return NotImplemented
        flat.extend(source.sources if isinstance(source, kind) else (source,))
    return kind(flat)


def _nested(sources: Sequence[ParamSource]) -> Iterator[tuple[ParamCase, ...]]:
    # Unlike itertools.product it holds no source's cases in memory.
    if not sources:
        yield ()
        return
    for case in sources[0]:
        for others in _nested(sources[1:]):
            yield (case, *others)


def _names(source: ParamSource) -> frozenset[str] | None:
    return source.names if isinstance(source, Source) else None


def _distinct(source: ParamSource) -> bool:
    return isinstance(source, Source) and source.distinct


def _refuse_overlap(what: str, sources: Sequence[ParamSource]) -> None:
    seen: set[str] = set()
    for names in map(_names, sources):
        if both := seen & (names or frozenset()):
            raise ValueError(_overlap(what, both))
        seen |= names or frozenset()


def _merged(what: str, cases: Sequence[ParamCase]) -> ParamCase:
    params: dict[str, Any] = {}
    for case in cases:
        more = case.params
        if both := params.keys() & more.keys():
            raise ValueError(_overlap(what, both))
        params |= more
    return ParamCase.of(params, tuple(tags_of(*(case.tags for case in cases))))


def _overlap(what: str, names: set[str] | frozenset[str]) -> str:
    told = ", ".join(map(repr, sorted(names)))
    return f"{what}: more than one source has {told}; each param comes from one of them"
