"""The executor that a user means: by name, by name and options, or the very one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metalab.errors import PluginError
from metalab.execution.base import Executor
from metalab.plugins import EXECUTORS

__all__ = ["chosen_executor", "executor_class"]


def chosen_executor(executor: str | Mapping[str, Any] | Executor | None) -> Executor:
    """Return the executor that is meant; None is one run at a time in the background.

    Raises TypeError for what names none, MissingPluginError for a name that no plugin serves.
    """
    if executor is None:
        return _made("thread", {"max_workers": 1})
    if isinstance(executor, Executor):
        return executor
    if isinstance(executor, str):
        return _made(executor, {})
    if isinstance(executor, Mapping) and len(executor) == 1:
        ((name, options),) = executor.items()
        if isinstance(name, str):
            return _made(name, options)
    raise TypeError(
        f"executor={executor!r} names no executor; give a name ({_names()}), "
        "{'name': {options}}, or an Executor such as metalab.ThreadExecutor(4)"
    )


def executor_class(name: str) -> type[Executor] | None:
    """Return the class of the executors of a name, None where its plugin does not say.

    Raises MissingPluginError for a name that no plugin serves.
    """
    found: type[Executor] | None = EXECUTORS[name].metalab_executor_class(name=name)
    return found


def _made(name: str, options: Mapping[str, Any] | None) -> Executor:
    options = {} if options is None else options
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise TypeError(f"the options of executor {name!r} are a dict by name, not {options!r}")
    made: Executor | None = EXECUTORS[name].metalab_make_executor(name=name, options=options)
    if made is None:
        raise PluginError(
            f"{EXECUTORS.info(name)} declines to make an executor from the options {dict(options)}"
        )
    return made


def _names() -> str:
    return ", ".join(repr(info.name) for info in EXECUTORS.installed())
