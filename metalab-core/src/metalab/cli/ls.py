"""``metalab ls``: the experiments of a store, or the runs of one experiment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from attrs import evolve

from metalab.cli.causes import cause_of
from metalab.cli.collection import (
    Experiment,
    add_experiment,
    add_store,
    experiments_of,
    open_store,
    short_ids,
)
from metalab.cli.output import add_formats, iso, print_csv, print_json
from metalab.cli.overview import Overview, overview_columns, show_overviews
from metalab.cli.query import add_query, query_of
from metalab.cli.text import show_table
from metalab.cli.usage import UsageError
from metalab.records import Status
from metalab.results import Results
from metalab.results.cells import is_numeric, written

if TYPE_CHECKING:
    import argparse

    from metalab.results import Run
    from metalab.store.base import Store
    from metalab.store.query.query import Query
    from metalab.store.query.table import Table

__all__ = ["add_arguments", "run"]

_ON_TERMINAL = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "List the experiments of a store; or the runs of one, if it is chosen with "
        "--experiment or STORE is its folder. --where, --sort and --columns are about runs."
    )
    add_store(parser)
    add_experiment(parser)
    parser.add_argument(
        "--status",
        choices=[status.value for status in Status],
        help="of the runs, only those with this status",
    )
    add_query(parser)
    parser.add_argument(
        "-n",
        "--limit",
        metavar="N",
        type=int,
        help=f"show at most N runs, 0 for all; by default {_ON_TERMINAL} on a terminal, else all",
    )
    add_formats(parser, "list")


def run(arguments: argparse.Namespace) -> int:
    """List experiments or runs."""
    query = query_of(arguments)
    store = open_store(arguments.store)
    if arguments.experiment is None and not store.is_scoped:
        if query is not None:
            raise UsageError("--where, --sort and --columns need --experiment, to choose the runs")
        _list_experiments(store, arguments)
        return 0
    (only,) = experiments_of(store, arguments.experiment)
    if query is not None and query.columns:
        _list_columns(only, query, arguments)
    else:
        _list_runs(only, query, arguments)
    return 0


def _list_experiments(store: Store, arguments: argparse.Namespace) -> None:
    found = [Overview.of(Experiment.read(each)) for each in experiments_of(store)]
    if arguments.json:
        print_json([each.document() for each in found])
    elif arguments.csv:
        print_csv(overview_columns(found))
    else:
        show_overviews(found, store.locator)


def _list_runs(store: Store, query: Query | None, arguments: argparse.Namespace) -> None:
    results = _results(store, query)
    if query is None and arguments.status is not None:
        results = results.filter(status=arguments.status)
    shown = results[: _limit(arguments) or len(results)]
    if arguments.json:
        print_json([_described(each) for each in shown])
    elif arguments.csv:
        print_csv(shown.to_dict())
    else:
        _show_runs(shown)
        _show_left_out(len(results) - len(shown))


def _results(store: Store, query: Query | None) -> Results:
    if query is None:
        return Experiment.read(store).results()
    order = store.query(evolve(query, columns="run_id")).to_dict()["run_id"]
    return Results.from_store(store, order=order)


def _list_columns(store: Store, query: Query, arguments: argparse.Namespace) -> None:
    limit = _limit(arguments)
    # One more row than is shown would not say how many are left out.
    table = store.query(evolve(query, limit=limit if limit and _is_read(arguments) else None))
    if arguments.json:
        print_json(list(table.rows()))
    elif arguments.csv:
        print_csv(table.to_dict())
    else:
        _show_columns(table, limit)


def _show_columns(table: Table, limit: int) -> None:
    shown = table.values[: limit or len(table)]
    if not shown:
        print("no runs")
        return
    columns = list(zip(*shown, strict=True))
    numeric = [place for place, column in enumerate(columns) if is_numeric(column)]
    cells = list(zip(*map(written, columns), strict=True))
    show_table(list(table.columns), cells, numeric)
    _show_left_out(len(table) - len(shown))


def _show_left_out(count: int) -> None:
    if count:
        print(f"and {count:,} more; --limit 0 shows all")


def _limit(arguments: argparse.Namespace) -> int:
    if arguments.limit is not None:
        return max(int(arguments.limit), 0)
    return _ON_TERMINAL if sys.stdout.isatty() and not _is_read(arguments) else 0


def _is_read(arguments: argparse.Namespace) -> bool:
    """Tell whether a program reads what is printed."""
    return bool(arguments.json or arguments.csv)


def _described(each: Run) -> dict[str, Any]:
    return {
        "run_id": each.run_id,
        "status": each.status.value,
        "params": each.params,
        "seed": each.seed,
        "replicate": each.replicate,
        "metrics": each.metrics,
        "tags": each.tags,
        "started_at": iso(each.started_at),
        "finished_at": iso(each.finished_at),
        "duration_ms": each.duration_ms,
        "error": None if each.error is None else cause_of(each),
    }


def _show_runs(results: Results) -> None:
    runs = results.runs
    if not runs:
        print("no runs")
        return
    params = dict.fromkeys(name for each in runs for name in each.params)
    metrics = dict.fromkeys(name for each in runs for name in each.metrics)
    table: list[tuple[str, list[Any]]] = [
        ("run", list(short_ids([each.run_id for each in runs]))),
        ("status", [each.status.value for each in runs]),
        *((name, [each.params.get(name) for each in runs]) for name in params),
        ("replicate", [each.replicate for each in runs]),
        *((name, [each.metrics.get(name) for each in runs]) for name in metrics),
    ]
    if any(each.error for each in runs):
        table.append(("error", [cause_of(each) if each.error else None for each in runs]))
    cells = [written(column) for _, column in table]
    numeric = [place for place, (_, column) in enumerate(table) if is_numeric(column)]
    show_table([name for name, _ in table], list(zip(*cells, strict=True)), numeric)
