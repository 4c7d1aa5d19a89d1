"""Inquiries: asking the executor of a writer whether that is at work, and how it ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from metalab.errors import MetalabError
from metalab.plugins import EXECUTORS

if TYPE_CHECKING:
    from metalab.execution.base import Executor
    from metalab.store.claiming import Ending

__all__ = ["Inquiry"]

_LOG = logging.getLogger(__name__)


class Inquiry:
    """Asks executors, each made once, so that it may remember what it was told."""

    def __init__(self) -> None:
        self._made: dict[str, Executor | None] = {}

    def __call__(self, executor: str, owner: str) -> Ending | bool | None:
        """Return how the worker that an executor calls so ended, True if it is alive, or None."""
        if executor not in self._made:
            self._made[executor] = _made(executor)
        asked = self._made[executor]
        alive = None if asked is None else asked.alive(owner)
        return asked.ending(owner) if asked is not None and alive is False else alive


def _made(name: str) -> Executor | None:
    try:
        made: Executor | None = EXECUTORS[name].metalab_make_executor(name=name, options={})
    except (MetalabError, TypeError, ValueError) as error:
        # It is not installed here, or cannot be made without options.
        _LOG.debug("the executor %s cannot be asked: %s", name, error)
        return None
    return made
