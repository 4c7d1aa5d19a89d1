"""What looking after a store finds and does: values that every kind of store answers with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import attrs

__all__ = ["Compaction", "Flaw", "Inspection", "IsOver", "Kept", "Severity"]

IsOver = Callable[[Mapping[str, Any]], bool]
"""Tells from the ``open`` line of a segment that was never closed whether its writer is dead.

It may say so only where that is proved, by the process or by the scheduler; never because
of silence.
"""


@attrs.frozen
class Kept:
    """A segment, or all of one writer's, that a compaction leaves as it is, and why."""

    place: str
    reason: str


@attrs.frozen
class Compaction:
    """What a compaction did, or would do.

    ``merged`` are the paths of the segments whose lines now lie in those of ``made``; they
    are removed. ``bytes_before`` are theirs, ``bytes_after`` those of what was made (None
    for a dry run). ``dropped`` counts the lines that were left out. ``kept`` says what was
    left alone. ``checkpoints`` counts those that were removed, since their runs have succeeded
    or were begun anew.
    """

    merged: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    bytes_before: int = 0
    bytes_after: int | None = 0
    dropped: int = 0
    kept: tuple[Kept, ...] = ()
    checkpoints: int = 0


class Severity(StrEnum):
    """How bad a flaw is: a note costs no result, and needs nobody's care at once."""

    NOTE = "note"
    DAMAGE = "damage"


@attrs.frozen
class Flaw:
    """Something in a store that is not as it was written: where, and what is wrong with it.

    ``kind`` is a word for programs, ``text`` says what is wrong and what to do.
    """

    kind: str
    severity: Severity
    place: str
    text: str


@attrs.frozen
class Inspection:
    """What was looked at, and all that was found.

    ``removed`` are the stray temporary files that were removed, where that was asked for.
    """

    segments: int = 0
    lines: int = 0
    artifacts: int = 0
    flaws: tuple[Flaw, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not any(flaw.severity is Severity.DAMAGE for flaw in self.flaws)
