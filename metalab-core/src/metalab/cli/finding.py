"""What a check of ``metalab doctor`` finds."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import attrs

__all__ = ["Finding", "State"]


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@attrs.frozen
class Finding:
    """What was checked, how it stands, in words, and in figures for programs."""

    topic: str
    state: State
    text: str
    details: dict[str, Any] = attrs.Factory(dict)
