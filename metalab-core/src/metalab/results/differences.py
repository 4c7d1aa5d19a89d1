"""Differences: in what two runs differ, and of what it is unknown whether they do."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from metalab.identity.values import to_jsonable
from metalab.results.aspects import ASPECTS, DECIDERS, UNKNOWN, Beginning, facts_of, shared_aspects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metalab.results.aspects import Facts
    from metalab.results.run import Run

__all__ = ["Change", "Differences", "Kind", "differences"]


class Kind(StrEnum):
    """What is said of one thing that two runs do not have alike."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    UNKNOWN = "unknown"


@attrs.frozen
class Change:
    """One thing in which two runs differ, or of which at least one of them has no record.

    ``before`` and ``after`` are what the first and the second run have; where ``kind`` says
    that one has nothing, it is None there. Where it is unknown, None is what has no record.
    Where ``name`` is None it is about all that is not named. ``by`` is the difference of two
    numbers.
    """

    name: str | None
    kind: Kind
    before: Any
    after: Any
    by: float | int | None = None


@attrs.frozen
class Differences:
    """In what two runs differ; each field but the ids lists changes, and is empty if it has none.

    ``place`` (launch, host, user, folder, command, scheduler) and ``duration`` are told, but do
    not make two runs different.
    """

    left: str
    right: str
    params: tuple[Change, ...]
    context: tuple[Change, ...]
    seeds: tuple[Change, ...]
    code: tuple[Change, ...]
    environment: tuple[Change, ...]
    variables: tuple[Change, ...]
    packages: tuple[Change, ...]
    git: tuple[Change, ...]
    metrics: tuple[Change, ...]
    status: tuple[Change, ...]
    place: tuple[Change, ...]
    duration: tuple[Change, ...]

    @property
    def known(self) -> dict[str, tuple[Change, ...]]:
        """The changes that are certain, by field; a field without any is left out."""
        return self._of(is_unknown=False)

    @property
    def unknown(self) -> dict[str, tuple[Change, ...]]:
        """What is not recorded of at least one of the runs, by field."""
        return self._of(is_unknown=True)

    @property
    def are_different(self) -> bool | None:
        """Whether the runs differ in more than place and duration; None if it is unknown."""
        passed = {"place", "duration"}
        if self.known.keys() - passed:
            return True
        return None if self.unknown.keys() - passed else False

    def _of(self, *, is_unknown: bool) -> dict[str, tuple[Change, ...]]:
        chosen = {
            name: tuple(c for c in getattr(self, name) if (c.kind is Kind.UNKNOWN) is is_unknown)
            for name in ASPECTS
        }
        return {name: changes for name, changes in chosen.items() if changes}


def differences(left: Run, right: Run) -> Differences:
    """Compare two runs; see ``Run.diff``."""
    one, other = facts_of(left), facts_of(right)
    shared = shared_aspects(left, right)
    found = {
        name: () if name in shared else tuple(_changes(name, one[name], other[name]))
        for name in ASPECTS
    }
    return Differences(left.run_id, right.run_id, **found)


def _changes(aspect: str, one: Facts, other: Facts) -> Iterator[Change]:
    decider = DECIDERS.get(aspect)
    if decider is not None:
        first, second = (facts.values.get(decider) for facts in (one, other))
        if first is not None and first == second:
            return
    for name in dict.fromkeys([*one.values, *other.values]):
        if _are_comparable(name, one, other):
            yield from _change(name, one.values, other.values)
    if not (one.are_all and other.are_all):
        yield Change(None, Kind.UNKNOWN, None, None)


def _change(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Change]:
    found = one.get(name), other.get(name)
    before, after = map(_told, found)
    if any(each is UNKNOWN for each in found) or _are_beginnings(*found):
        yield Change(name, Kind.UNKNOWN, before, after)
    elif name not in other:
        yield Change(name, Kind.REMOVED, before, None)
    elif name not in one:
        yield Change(name, Kind.ADDED, None, after)
    elif not _is_same(before, after):
        yield Change(name, Kind.CHANGED, before, after, _by(before, after))


def _are_comparable(name: str, one: Facts, other: Facts) -> bool:
    """Tell whether a fact's absence, if it is absent on one side, says anything."""
    return all(name in facts.values or facts.are_all for facts in (one, other))


def _are_beginnings(before: Any, after: Any) -> bool:
    """Tell whether no more is known than that two things begin alike."""
    return isinstance(before, Beginning) and before == after


def _told(value: Any) -> Any:
    if value is UNKNOWN:
        return None
    return value.sha256 if isinstance(value, Beginning) else value


def _is_same(before: Any, after: Any) -> bool:
    # As JSON 1 and 1.0 differ, and NaN equals itself.
    return _text(before) == _text(after)


def _text(value: Any) -> str:
    return json.dumps(to_jsonable(value), sort_keys=True)


def _by(before: Any, after: Any) -> float | int | None:
    numbers = [v for v in (before, after) if isinstance(v, int | float) and type(v) is not bool]
    if len(numbers) != 2:  # noqa: PLR2004  both of them
        return None
    try:
        by = numbers[1] - numbers[0]
    except OverflowError:  # an integer that no float holds
        return None
    # isnan() would make a float of an integer.
    return by if by == by else None  # noqa: PLR0124  NaN
