"""Columns as they are kept: typed memory in parts, which look like the values they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, overload

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOT_A_TIME", "Coded", "Column", "Ids", "Listed", "Moments", "Numbers", "Part"]

NOT_A_TIME = -(1 << 63)
"""What stands for None among moments; pandas and numpy say so, too."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEX = 32  # digits of a run's id


class Part(Protocol):
    """The values of a column for the runs of one piece."""

    def __len__(self) -> int: ...
    def values(self) -> list[Any]:
        """Return the values as Python objects."""
        ...


@attrs.frozen
class Numbers:
    """Floats, integers of 64 bits, or booleans; ``gaps`` are true where the value is None."""

    data: memoryview[Any]
    gaps: memoryview[Any] | None = None

    def __len__(self) -> int:
        return len(self.data)

    def values(self) -> list[Any]:
        """Return the numbers, and None in the gaps."""
        numbers = self.data.tolist()
        if self.gaps is None:
            return numbers
        return [None if gap else n for n, gap in zip(numbers, self.gaps, strict=True)]


@attrs.frozen
class Moments:
    """Moments as microseconds since 1970 in UTC, or NOT_A_TIME; the values are ISO 8601."""

    data: memoryview[Any]

    def __len__(self) -> int:
        return len(self.data)

    def values(self) -> list[Any]:
        """Return each moment as a text as a record has it, or None."""
        return [None if each == NOT_A_TIME else _iso(each) for each in self.data]


def _iso(microseconds: int) -> str:
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@attrs.frozen
class Coded:
    """Values of which there are few different ones: numbers of places in a table of them."""

    codes: memoryview[Any]
    table: list[Any]

    def __len__(self) -> int:
        return len(self.codes)

    def values(self) -> list[Any]:
        """Return the values; equal ones are one object."""
        return list(map(self.table.__getitem__, self.codes))


@attrs.frozen
class Ids:
    """Ids of runs, 16 bytes each."""

    data: memoryview[Any]

    def __len__(self) -> int:
        return len(self.data) * 2 // _HEX

    def values(self) -> list[Any]:
        """Return the ids in hex."""
        digits = self.data.hex()
        return [digits[start : start + _HEX] for start in range(0, len(digits), _HEX)]


@attrs.frozen
class Listed:
    """Values of any kind."""

    listed: list[Any]

    def __len__(self) -> int:
        return len(self.listed)

    def values(self) -> list[Any]:
        """Return the values."""
        return self.listed


@attrs.define(eq=False)
class Column(Sequence[Any]):
    """A column of several parts; ``order`` says which of their rows stands where.

    What takes it for a list gets one; a frame is made of the parts themselves.
    """

    parts: Sequence[Part]
    order: Sequence[int] | None = None
    _values: list[Any] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it has all rows of its parts."""
        return self.order is None or len(self.order) == sum(map(len, self.parts))

    def values(self) -> list[Any]:
        """Return the values in their order."""
        if self._values is None:
            listed: list[Any] = []
            for part in self.parts:
                listed += part.values()
            if self.order is not None:
                listed = list(map(listed.__getitem__, self.order))
            self._values = listed
        return self._values

    def __len__(self) -> int:
        return sum(map(len, self.parts)) if self.order is None else len(self.order)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        return self.values()[place]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())

    def count(self, value: Any) -> int:
        """Count the values that are equal to one."""
        return self.values().count(value)
