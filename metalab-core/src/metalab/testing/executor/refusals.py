"""Refusals: what an executor has to say no to, in which words, and what it has not to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["nothing_raised", "refused"]


@contextmanager
def refused(kind: type[Exception], what: str, *, naming: str) -> Iterator[None]:
    """Expect that what the block does is refused with an exception that names something.

    ``what`` says for people what has happened if it is not.
    """
    said = None
    try:
        yield
    except kind as error:
        said = str(error)
    if said is None:
        pytest.fail(what)
    assert naming in said, f"the refusal does not say {naming!r}: {said}"


@contextmanager
def nothing_raised(what: str) -> Iterator[None]:
    """Expect that the block raises nothing; ``what`` says for people what it does."""
    try:
        yield
    except Exception as error:  # whatever a plugin raises is said in a sentence
        raise AssertionError(f"{what} raises {error!r}") from error
