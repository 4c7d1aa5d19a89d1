"""The executor contract as a whole."""

from __future__ import annotations

from metalab.testing.executor.cancelling import CancellingContract
from metalab.testing.executor.detached import DetachedContract
from metalab.testing.executor.failures import FailuresContract
from metalab.testing.executor.limits import LimitsContract
from metalab.testing.executor.owners import OwnersContract
from metalab.testing.executor.results import ResultsContract
from metalab.testing.executor.sending import SendingContract
from metalab.testing.executor.sharing import SharingContract

__all__ = ["ExecutorContract"]


class ExecutorContract(
    ResultsContract,
    FailuresContract,
    LimitsContract,
    CancellingContract,
    OwnersContract,
    SharingContract,
    SendingContract,
    DetachedContract,
):
    """What is asked of every executor.

    Give a subclass a fixture ``executor`` that yields a new one, and set those capabilities to
    False that it does not have: see ``Capabilities``, which says what each means.
    """
