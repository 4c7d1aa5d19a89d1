"""What the commands that launch runs share: their options, the waiting, and the summary."""

from __future__ import annotations

import sys
from contextlib import ExitStack, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, get_args

import attrs

from metalab.cli.causes import causes_of
from metalab.cli.executors import add_executor, count, executor_of, goes_on_by_itself
from metalab.cli.output import print_json
from metalab.cli.text import say
from metalab.resume import CodeChangePolicy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from metalab.execution.handle import RunHandle
    from metalab.execution.ledger import RunStatus
    from metalab.results import Results, Run

__all__ = ["add_launch", "launch"]

_CAUSES = 5
_SHORT = 8
_COUNTS = ("completed", "skipped", "failed", "cancelled", "lost", "pending", "running")
_WORDS = {"completed": "done", "skipped": "done before", "pending": "left", "running": "running"}


def add_launch(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say how runs are executed, and what is shown."""
    add_executor(parser)
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for a launch that would go on by itself, as one on a cluster does",
    )
    parser.add_argument(
        "--on-code-change",
        metavar="POLICY",
        choices=get_args(CodeChangePolicy),
        default="ask",
        help=f"results of other code: {', '.join(get_args(CodeChangePolicy))}; by default ask",
    )
    parser.add_argument(
        "--on-failure",
        metavar="POLICY",
        type=_policy,
        default="continue",
        help="continue, stop, or the number of failed runs at which to stop",
    )
    parser.add_argument(
        "--retry",
        metavar="N",
        type=count,
        help="try a run that fails up to N times in all; by default the next launch tries it",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        help="end a run that takes longer; needs --executor process",
    )
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help="how much memory a run may have, such as 500M or 4G; needs --executor process",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress and no summary")
    parser.add_argument("--json", action="store_true", help="print the summary as a JSON object")


def launch(
    arguments: argparse.Namespace,
    begin: Callable[..., RunHandle],
    failed: Callable[[RunHandle, Results], Iterable[Run]],
    idle: str = "",
) -> int:
    """Begin a launch, wait for it and say how it ended; 1 unless all of its runs succeeded.

    ``begin`` is called with the options that these commands share, ``failed`` returns the
    runs whose failures are told. ``idle`` is said where there was nothing to execute.
    """
    executor = executor_of(arguments)
    is_left = goes_on_by_itself(arguments.executor) and not arguments.wait
    with ExitStack() as stack:
        if arguments.json:  # what the file and its operations print belongs to no JSON
            stack.enter_context(redirect_stdout(sys.stderr))
        handle = begin(
            executor=executor,
            progress=False if arguments.quiet or is_left else None,
            on_code_change=arguments.on_code_change,
            on_failure=arguments.on_failure,
            retry=arguments.retry,
            timeout=arguments.timeout,
            memory=arguments.memory,
        )
        is_left = is_left and not handle.is_complete
        results = None if is_left else _awaited(handle, quiet=arguments.quiet)
    if results is None:
        return _left(handle, arguments)
    status, failures = handle.status, list(failed(handle, results))
    with suppress(BrokenPipeError):  # the exit code is that of the runs, whoever reads
        if arguments.json:
            print_json(_document(handle, failures, status))
        elif not arguments.quiet:
            _show(handle, failures, status, idle if status.skipped == status.total else "")
    return 0 if status.completed + status.skipped == status.total else 1


def _awaited(handle: RunHandle, *, quiet: bool) -> Results:
    try:
        return handle.result()
    except KeyboardInterrupt:
        if not quiet:
            say(f"metalab: stopped; {_counted(handle.status)}", to_errors=True)
        raise


def _left(handle: RunHandle, arguments: argparse.Namespace) -> int:
    """Say where a launch is that goes on by itself; 0, for it was begun."""
    with suppress(BrokenPipeError):
        if arguments.json:
            print_json(_document(handle, (), handle.status))
        elif not arguments.quiet:
            say(handle.announcement() or "")
    return 0


def _policy(text: str) -> str | int:
    return text if text in {"continue", "stop"} else count(text)


def _counted(status: RunStatus) -> str:
    counts = {name: getattr(status, name) for name in _COUNTS}
    told = [f"{n:,} {_WORDS.get(name, name)}" for name, n in counts.items() if n]
    return f"{status.total:,} run{'s' * (status.total != 1)}: {', '.join(told) or 'nothing to do'}"


def _document(handle: RunHandle, failed: Iterable[Run], status: RunStatus) -> dict[str, Any]:
    return {
        "experiment_id": handle.store.experiment_id,
        "store": handle.store.locator,
        "job_id": handle.job_id,
        "detached": handle.is_detached,
        "total": status.total,
        **{name: getattr(status, name) for name in _COUNTS},
        "failures": [attrs.asdict(cause) for cause in causes_of(failed)],
    }


def _show(handle: RunHandle, failed: Iterable[Run], status: RunStatus, idle: str) -> None:
    told = "; ".join(filter(None, (idle, _counted(status))))
    say(f"{handle.store.experiment_id}: {told}, in {handle.store.locator}")
    causes = causes_of(failed)
    for each in causes[:_CAUSES]:
        say(f"  {each.runs:,} failed: {each.cause} (metalab show {each.example[:_SHORT]})")
    if len(causes) > _CAUSES:
        say(f"  and {len(causes) - _CAUSES} other causes; metalab status lists them")
