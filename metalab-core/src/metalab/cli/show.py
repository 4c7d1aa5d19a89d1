"""``metalab show``: all that is known of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from metalab.cli.collection import add_store_option, find_run, open_store
from metalab.cli.output import add_formats, cell, iso, local, print_csv, print_json, took
from metalab.cli.provenance import provenance_lines, show_patch
from metalab.cli.text import columns, say
from metalab.cli.usage import UsageError
from metalab.results import Results

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from metalab.records import RunRecord
    from metalab.results import Run
    from metalab.store.base import Store

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = "Show all that is known of a run: what it was given and what it left."
    parser.add_argument("run_id", metavar="RUN", help="the run's id, or what it alone begins with")
    add_store_option(parser)
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--provenance", action="store_true", help="show where the run comes from")
    told.add_argument(
        "--diff", action="store_true", help="print what had been changed in the checkout's code"
    )
    add_formats(parser, "object")


def run(arguments: argparse.Namespace) -> int:
    """Show one run."""
    if arguments.diff and (arguments.json or arguments.csv):
        raise UsageError("--diff prints what git did, which is neither JSON nor CSV")
    if arguments.provenance and arguments.csv:
        raise UsageError("--provenance is no table, so --csv has no form for it; take --json")
    store, found = find_run(open_store(arguments.store), arguments.run_id)
    if arguments.diff:
        show_patch(found)
    elif arguments.provenance and arguments.json:
        print_json(attrs.asdict(found.provenance, recurse=False))
    elif arguments.provenance:
        say("\n".join(provenance_lines(found)))
    elif arguments.json:
        print_json(_document(store, found))
    elif arguments.csv:
        only = Results.from_store(store, order=[found.run_id])
        print_csv(only.to_dict(include_derived=True))
    else:
        say("\n".join(_lines(store, found)))
    return 0


def _document(store: Store, run: Run) -> dict[str, Any]:
    record = run.record
    return {
        "run_id": run.run_id,
        "experiment_id": run.experiment_id,
        "status": run.status.value,
        "params": run.params,
        "seed": run.seed,
        "replicate": run.replicate,
        "tags": run.tags,
        "metrics": run.metrics,
        "derived": run.derived,
        "data": run.list_data(),
        "artifacts": [attrs.asdict(artifact) for artifact in run.artifacts()],
        "logs": store.list_logs(run.run_id),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "duration_ms": run.duration_ms,
        "error": run.error,
        "warnings": record.warnings,
        "notes": record.notes,
        "attempts": [_attempt(each) for each in run.attempts()],
        "provenance": attrs.asdict(run.provenance, recurse=False),
    }


def _attempt(record: RunRecord) -> dict[str, Any]:
    return {
        "epoch": record.epoch,
        "attempt": record.attempt,
        "status": record.status.value,
        "started_at": iso(record.started_at),
        "finished_at": iso(record.finished_at),
        "duration_ms": record.duration_ms,
        "error": record.error,
        "worker": record.provenance.executor_id,
    }


def _lines(store: Store, run: Run) -> Iterable[str]:
    yield from _pairs(_head(run))
    yield from _section("params", _pairs(run.params))
    yield from _section("metrics", _pairs(run.metrics))
    yield from _section("derived", _pairs(run.derived))
    yield from _section("data", run.list_data())
    yield from _section("artifacts", _artifacts(run))
    yield from _section("logs", store.list_logs(run.run_id))
    yield from _section("warnings", run.record.warnings)
    if run.record.notes:
        yield from _section("notes", run.record.notes.splitlines())
    yield from _section("attempts", _attempts(run.attempts()))
    yield from _section("provenance", _pairs(_made_by(run)))
    yield from _section("error", _error(run))


def _section(title: str, lines: Iterable[str]) -> Iterable[str]:
    indented = [f"  {line}".rstrip() for line in lines]
    return ["", f"{title}:", *indented] if indented else []


def _pairs(values: Mapping[str, Any]) -> list[str]:
    # A text is shown as it is; what is no text is shortened where it is long.
    rows = [[name, v if isinstance(v, str) else cell(v)] for name, v in values.items()]
    return columns(rows).splitlines() if rows else []


def _head(run: Run) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "experiment": run.experiment_id,
        "status": run.status.value,
        "seed": run.seed,
        "replicate": run.replicate,
        **({"tags": ", ".join(run.tags)} if run.tags else {}),
        "started": local(run.started_at),
        "finished": local(run.finished_at) or "not yet",
        **({} if run.duration_ms is None else {"took": took(run.duration_ms)}),
    }


def _artifacts(run: Run) -> list[str]:
    rows = [[a.name, a.format, f"{a.size_bytes or 0:,} bytes", a.uri] for a in run.artifacts()]
    return columns(rows, {2}).splitlines() if rows else []


def _attempts(records: Sequence[RunRecord]) -> list[str]:
    rows = [
        [
            str(number),
            record.status.value,
            local(record.started_at),
            took(record.duration_ms),
            record.provenance.executor_id or "",
            (record.error or {}).get("type", ""),
        ]
        for number, record in enumerate(records, start=1)
    ]
    return columns(rows, {0, 3}).splitlines() if len(rows) > 1 else []


def _made_by(run: Run) -> dict[str, Any]:
    made = run.provenance
    git = made.extra.get("git") or {}
    commit = f"{git.get('commit')}{' with changes' if git.get('dirty') else ''}" if git else None
    known = {
        "code": made.code_hash,
        "worker": made.executor_id,
        "host": made.host,
        "user": made.extra.get("user"),
        "command": " ".join(map(str, made.extra.get("command", ()))),
        "folder": made.extra.get("directory"),
        "git": commit,
        "python": made.python_version,
        "metalab": made.metalab_version,
        "launch": made.extra.get("launch"),
    }
    return {name: value for name, value in known.items() if value}


def _error(run: Run) -> list[str]:
    if run.error is None:
        return []
    told = run.error.get("traceback") or f"{run.error.get('type')}: {run.error.get('message')}"
    return told.splitlines()
