"""One tree of exceptions: everything metalab raises on purpose is a MetalabError."""

from __future__ import annotations

__all__ = [
    "AggregateWarning",
    "CancelledError",
    "CaptureError",
    "CodeChangedError",
    "CodeChangedWarning",
    "ExperimentFailedError",
    "IdentityError",
    "MetalabError",
    "MissingExtraError",
    "MissingPluginError",
    "PayloadError",
    "PluginError",
    "QueryError",
    "RebuildError",
    "RunFailedError",
    "RunTimeoutError",
    "StoreError",
    "StoreNotFoundError",
    "StoreWarning",
    "WorkerDiedError",
]


class MetalabError(Exception):
    """The base of every error that metalab raises on purpose."""


class PluginError(MetalabError):
    """A plugin is missing, ambiguous, disabled, or does not load."""


class MissingExtraError(MetalabError, ImportError):
    """What was asked for is not installed; the text says what to install."""


class MissingPluginError(PluginError, MissingExtraError, ValueError):
    """No installed plugin serves the name that was asked for; the text says what brings it."""


class IdentityError(MetalabError, TypeError):
    """A value cannot be told apart from others for certain, so it may not enter a run's id."""


class AggregateWarning(UserWarning):
    """Tells what would mislead whoever compares groups of runs."""


class CodeChangedError(MetalabError):
    """Stored results were made by other code than the experiment's present code."""


class CodeChangedWarning(UserWarning):
    """Tells that stored results were made by other code, and what is done about them."""


class StoreError(MetalabError):
    """A store cannot be read or written."""


class StoreNotFoundError(StoreError, FileNotFoundError):
    """There is no store at the place named."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class StoreWarning(UserWarning):
    """Tells what of a store could not be read or copied, while all else was."""


class QueryError(MetalabError, ValueError):
    """A query cannot be understood, or names what no run has or what may mean two things."""


class RebuildError(MetalabError):
    """An experiment cannot be made again from what a store keeps of it."""


class CaptureError(MetalabError):
    """A captured value cannot be stored; the run that captured it fails."""


class CancelledError(MetalabError):
    """Raised inside an operation that asks whether its run was cancelled."""


class PayloadError(MetalabError):
    """An experiment cannot be sent to another process, or not be made there."""


class RunFailedError(MetalabError):
    """A run returned something that is no result."""


class RunTimeoutError(MetalabError, TimeoutError):
    """A run did not end within its time limit."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class WorkerDiedError(MetalabError):
    """Whatever executed a run died of it, as often as that is put up with."""


class ExperimentFailedError(MetalabError):
    """A launch stopped for a reason that is no single run's failure."""
