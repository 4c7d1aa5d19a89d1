"""The options of commands that choose runs by a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.cli.usage import UsageError
from metalab.errors import QueryError
from metalab.store.query.expression import And, Column, Comparison
from metalab.store.query.query import Query

if TYPE_CHECKING:
    import argparse

__all__ = ["add_query", "filter_of", "query_of"]


def add_query(parser: argparse.ArgumentParser) -> None:
    """Declare the options that make a query."""
    parser.add_argument(
        "--where", metavar="FILTER", help="only runs for which it holds: 'lr < 0.1 and loss < 1'"
    )
    parser.add_argument(
        "--sort",
        metavar="COLUMNS",
        help="by these, a minus for descending: --sort=-loss,lr; else in the order of the plan",
    )
    parser.add_argument(
        "--columns", metavar="COLUMNS", help="show these and no others: run_id,lr,loss"
    )


def query_of(arguments: argparse.Namespace) -> Query | None:
    """Return the query that is asked for, ``--status`` included; None if no option of one is given.

    Raises UsageError if it cannot be understood.
    """
    given = (arguments.where, arguments.sort, arguments.columns)
    if given == (None, None, None):
        return None
    query = _asked(arguments.where, arguments.sort or "", arguments.columns or "")
    if arguments.status is None:
        return query
    status = Comparison(Column("status"), "=", arguments.status)
    both = status if query.filter is None else And((status, query.filter))
    return Query(both, query.sort, columns=query.columns)


def filter_of(where: str) -> Query:
    """Return the query for the ids of the runs that a filter is true of.

    Raises UsageError if it cannot be understood.
    """
    return _asked(where, "", "run_id")


def _asked(where: str | None, sort: str, columns: str) -> Query:
    try:
        return Query(filter=where, sort=sort, columns=columns)
    except QueryError as error:
        raise UsageError(str(error)) from error
