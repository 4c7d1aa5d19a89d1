"""The right executor."""

from __future__ import annotations

from right import RightContract


class TestRight(RightContract): ...
