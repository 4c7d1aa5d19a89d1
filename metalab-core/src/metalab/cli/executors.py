"""The options that choose an executor: its name, how much it does at once, its own options."""

from __future__ import annotations

import argparse
import inspect
import json
from typing import TYPE_CHECKING, Any, NoReturn

from metalab.cli.usage import UsageError
from metalab.execution.choice import executor_class
from metalab.plugins import EXECUTORS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["add_executor", "count", "executor_of", "goes_on_by_itself", "option_of"]

_USUAL = "thread"


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say how runs are executed."""
    parser.add_argument(
        "--executor", metavar="NAME", help="how runs are executed; by default one at a time"
    )
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=count,
        help="up to N runs at once, or jobs on a cluster; on threads, if no executor is named",
    )
    parser.add_argument(
        "--executor-option",
        metavar="KEY=VALUE",
        action="append",
        type=option_of,
        default=[],
        help="an option of the executor that is named; may be given several times",
    )


def executor_of(arguments: argparse.Namespace) -> str | Mapping[str, Any] | None:
    """Return the executor that is meant, as ``metalab.run`` takes it; raises UsageError."""
    name, jobs = arguments.executor, arguments.jobs
    if name is not None and name not in EXECUTORS:
        raise UsageError(EXECUTORS.missing(name))
    options = _options(name, arguments.executor_option)
    if jobs is not None:
        key = _jobs_option(name or _USUAL)
        if key in options:
            raise UsageError(
                f"-j {jobs} and --executor-option {key} say the same: give one of them"
            )
        options[key] = jobs
    return {name or _USUAL: options} if options else name


def goes_on_by_itself(name: str | None) -> bool:
    """Tell whether what an executor of that name executes goes on when this process ends."""
    kind = None if name is None else executor_class(name)
    return kind is not None and kind.is_detached


def count(text: str) -> int:
    """Read a number of runs."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of runs; give 1 or more")


def option_of(text: str) -> tuple[str, Any]:
    """Read an option of an executor: JSON, or text, which needs no quotes here."""
    key, equals, value = text.partition("=")
    if not (equals and key.isidentifier()):
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE, such as partition=gpu")
    try:
        return key, json.loads(value, parse_constant=_refuse)
    except ValueError:
        return key, value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _options(name: str | None, given: list[tuple[str, Any]]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, value in given:
        if name is None:
            raise UsageError(f"--executor-option {key}: say of which executor, with --executor")
        if key in options:
            raise UsageError(f"--executor-option {key} is given twice")
        options[key] = value
    if options and name is not None:
        _check(name, options)
    return options


def _check(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that the executor's class does not name, where it names all it takes."""
    kind = executor_class(name)
    if kind is None:
        return
    taken = inspect.signature(kind).parameters
    if any(each.kind is each.VAR_KEYWORD for each in taken.values()):
        return
    for key in options:
        if key not in taken:
            there = f"there is {', '.join(taken)}" if taken else "it takes none"
            raise UsageError(f"--executor {name} has no option {key!r}; {there}")


def _jobs_option(name: str) -> str:
    kind = executor_class(name)
    if kind is None:
        raise UsageError(f"--executor {name} does not say what -j means; use --executor-option")
    if kind.jobs_option is None:
        raise UsageError(f"the {name} executor runs one at a time; leave out -j, or --executor")
    return kind.jobs_option
