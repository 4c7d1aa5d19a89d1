"""What the command line refuses by itself, before anything is asked of metalab."""

from __future__ import annotations

from metalab.errors import MetalabError

__all__ = ["UsageError"]


class UsageError(MetalabError):
    """A command that cannot be meant as it was given; the command line ends with 2."""
