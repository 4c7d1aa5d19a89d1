"""Ranges: which versions of core a distribution says it is made for, read from its metadata."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from itertools import zip_longest
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CORE", "Range", "ranges_of_core"]

CORE = "metalab-core"

# Both have one version: ``metalab`` is core with its extras.
_CORES = frozenset({CORE, "metalab"})
_REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?")
_CLAUSE = re.compile(r"(===|~=|==|!=|<=|>=|<|>)\s*(\d+(?:\.\d+)*)\S*?(\.\*)?")
_UPPER = frozenset({"<", "<=", "==", "===", "~="})


@attrs.frozen
class Range:
    """A requirement of core, as ``>=0.1,<0.2``."""

    text: str

    def admits(self, version: str) -> bool:
        """Tell whether a version lies in the range, by its release numbers alone."""
        return all(
            _holds(operator, _release(version), _release(bound), is_prefix=bool(star))
            for operator, bound, star in self._clauses()
        )

    @property
    def has_an_end(self) -> bool:
        """Whether it leaves out versions that nobody has tried yet."""
        return any(operator in _UPPER for operator, _, _ in self._clauses())

    def _clauses(self) -> Iterator[tuple[str, str, str]]:
        for clause in self.text.split(","):
            if found := _CLAUSE.fullmatch(clause.strip()):
                operator, bound, star = found.groups(default="")
                yield operator, bound, star


def ranges_of_core(distribution: str) -> list[Range]:
    """Return what an installed distribution requires of core, whatever its extras do."""
    try:
        texts = requires(distribution) or []
    except PackageNotFoundError:  # an interrupted uninstall leaves no name
        return []
    found = []
    for text in texts:
        match = _REQUIREMENT.fullmatch(text.strip())
        if match is None:
            continue
        name, bounds, marker = match.groups(default="")
        if re.sub(r"[-_.]+", "-", name).lower() in _CORES and "extra" not in marker:
            found.append(Range(bounds.strip()))
    return found


def _release(version: str) -> tuple[int, ...]:
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def _holds(
    operator: str, version: tuple[int, ...], bound: tuple[int, ...], *, is_prefix: bool
) -> bool:
    if operator == "~=":
        return _compare(version, bound) >= 0 and version[: len(bound) - 1] == bound[:-1]
    if is_prefix:
        return (version[: len(bound)] == bound) is (operator != "!=")
    order = _compare(version, bound)
    return {
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
        "!=": order != 0,
    }.get(operator, order == 0)


def _compare(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    for left, right in zip_longest(one, other, fillvalue=0):
        if left != right:
            return -1 if left < right else 1
    return 0
