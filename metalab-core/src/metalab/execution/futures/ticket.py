"""Tickets: a few tasks of a launch on their way into a pool, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.events import EventKind
    from metalab.execution.refusal import Description
    from metalab.execution.task import Task
    from metalab.execution.worker import Ended

__all__ = ["Address", "Answer", "Ticket"]


@attrs.frozen
class Address:
    """A launch, as a process of a pool finds it.

    ``token`` is known only in the process that submitted, which needs no ``payload``;
    ``store`` is the pickled configuration of the store that keeps that.
    """

    token: str
    store: bytes
    payload: str | None
    launch: str
    manifest: str
    executor: str


@attrs.frozen
class Ticket:
    """Tasks to be done one after the other, for about ``seconds`` seconds at most.

    ``heard`` are the kinds of event that somebody hears. With ``ends_at_failure`` nothing
    is begun after a run that has failed.
    """

    address: Address
    tasks: tuple[Task, ...]
    heard: frozenset[EventKind]
    ends_at_failure: bool
    seconds: float


@attrs.frozen
class Answer:
    """What has become of a ticket.

    ``ended`` says how its first tasks have ended, in order; the others were not begun. All
    of that is durable, except where it is ``told`` already to the launch itself, in whose
    process it happened. ``is_repeat`` says that the pool has called twice for a run that
    takes its process with it; ``refused`` why the launch cannot be executed there.
    """

    ended: Sequence[Ended | None] = ()
    seconds: float = 0.0
    events: Sequence[list[Any]] = ()
    told: bool = False
    is_repeat: bool = False
    refused: Description | None = None
