"""Offspring: a child that an operation forks goes on with nothing of its parent's launch."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["called_here"]


def called_here(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Return what a function returns to the process that called it.

    A forked child that comes back from it ends at once, with the status that an interpreter
    would end with: nothing of its parent's is written, removed or executed by it.
    """
    pid = os.getpid()
    try:
        value = function(**arguments)
    except BaseException as error:  # in a child nothing may pass, in the parent all does
        if os.getpid() != pid:
            _end(error)
        raise
    if os.getpid() != pid:
        _end(None)
    return value


def _end(error: BaseException | None) -> None:
    status = 1
    try:
        status = _status(error)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    finally:
        os._exit(status)


def _status(error: BaseException | None) -> int:
    if error is None:
        return 0
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
        return 1
    if isinstance(error.code, str):
        sys.stderr.write(f"{error.code}\n")
        return 1
    return (error.code or 0) & 0xFF
