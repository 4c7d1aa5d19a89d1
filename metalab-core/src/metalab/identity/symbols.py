"""Symbols: what stands for a value whose class is not loaded."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["Symbol"]


@attrs.frozen
class Symbol:
    """A stored value whose class is not loaded here: its ``ref`` and what it was made of.

    ``tag`` says how it was written, so that it can be written again unchanged.
    """

    ref: str
    value: Any
    tag: str = "object"

    def __hash__(self) -> int:
        return hash((self.ref, self.tag))

    def __str__(self) -> str:
        if self.tag == "enum":
            return f"{self.ref}.{self.value}"
        return self.ref if self.tag == "ref" else f"{self.ref}({self.value!r})"

    def to_payload(self) -> Any:
        """Return what stood under the tag, its parts not yet written as JSON."""
        if self.tag == "ref":
            return self.ref
        if self.tag == "plugin":
            return [*self.ref.split(":", 1), self.value]
        return [self.ref, self.value] if self.ref else self.value
