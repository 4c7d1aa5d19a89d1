"""What goes wrong with the index: one family of errors, in words, and each told once."""

from __future__ import annotations

import logging
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors

from metalab.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "IndexReadOnly",
    "IndexRefused",
    "IndexUnavailable",
    "is_passing",
    "is_refusal",
    "tell",
    "translated",
]

_log = logging.getLogger(__name__)
_told: set[str] = set()
_lock = threading.Lock()
_PASSING = (
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.IdleInTransactionSessionTimeout,
)


class IndexUnavailable(StoreError):  # noqa: N818  a state of the index, not a fault of the caller
    """The database cannot be used now. The files are complete without it."""


class IndexReadOnly(IndexUnavailable):
    """The database can be read, but not be brought up to date by this role or server."""


class IndexRefused(IndexUnavailable):
    """The schema is another store's, a newer metalab's, or none of metalab's."""


def is_passing(error: BaseException) -> bool:
    """Tell whether the same may succeed when tried again: a deadlock, or a lost connection."""
    if isinstance(error, _PASSING):
        return True
    # Without a state the server said nothing: the connection is gone.
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def is_refusal(error: psycopg.Error) -> bool:
    """Tell whether the server cannot take what it was sent, and would take less of it."""
    limits = "54"  # the class of what is too deep, too long or too much
    return isinstance(error, psycopg.DataError) or (error.sqlstate or "").startswith(limits)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn errors of the driver and the server into IndexUnavailable; ``where`` is redacted."""
    try:
        yield
    except (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege) as error:
        raise IndexReadOnly(f"{where} can only be read: {_said(error)}") from None
    except psycopg.OperationalError as error:
        raise IndexUnavailable(f"{where} cannot be reached: {_said(error)}") from None
    except psycopg.Error as error:
        raise IndexUnavailable(f"{where} cannot be used: {_said(error)}") from None


def _said(error: psycopg.Error) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    # libpq repeats what it was given where it cannot make sense of it.
    return re.sub(r"(?i)(password\s*=?\s*)('[^']*'|\"[^\"]*\"|\S+=\S*|(?<==)\S+)", r"\1***", text)


def tell(error: StoreError) -> None:
    """Warn of the trouble, once for each process and cause."""
    cause = str(error).partition(": ")[0]  # how a server is out of reach changes as it starts
    with _lock:
        if cause in _told:
            return
        _told.add(cause)
    _log.warning("%s; files are read and written as ever, the index follows later", error)
