"""Warnings about results and stores, in a line of words: where in metalab says nothing."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from metalab.cli.text import say
from metalab.errors import AggregateWarning, CodeChangedWarning, StoreWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["plain_warnings"]

_OURS = (AggregateWarning, CodeChangedWarning, StoreWarning)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show ours so while this lasts; those of the user's code are shown as Python does."""
    with warnings.catch_warnings():
        as_python_does = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, _OURS):
                say(f"metalab: warning: {message}", to_errors=True)
            else:
                as_python_does(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield
