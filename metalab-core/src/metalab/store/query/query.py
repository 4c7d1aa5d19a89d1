"""Queries as frozen values, made of text; ``metalab.store.query`` says what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import QueryError
from metalab.store.query.expression import Column, columns_of
from metalab.store.query.grammar import parse_columns, parse_filter

if TYPE_CHECKING:
    from metalab.store.query.expression import Expression

__all__ = ["Aggregate", "Query", "Sort"]

Columns = str | Iterable[str | Column]


@attrs.frozen
class Sort:
    """A column to sort by."""

    column: Column
    descending: bool = False


def _each(given: Any) -> list[Any]:
    return ([given] if given.strip() else []) if isinstance(given, str) else list(given)


def _columns(given: Columns) -> tuple[Column, ...]:
    found: list[Column] = []
    for each in _each(given):
        for column, minus in parse_columns(each) if isinstance(each, str) else [(each, False)]:
            if minus:
                raise QueryError(f"-{column}: a minus stands only before a column to sort by")
            found.append(column)
    return tuple(found)


def _sort(given: Any) -> tuple[Sort, ...]:
    found: list[Sort] = []
    for each in _each(given):
        found += [each] if isinstance(each, Sort) else [Sort(*one) for one in parse_columns(each)]
    return tuple(found)


def _filter(given: Any) -> Expression | None:
    parsed: Expression | None = parse_filter(given) if isinstance(given, str) else given
    return parsed


def _not_negative(_query: Query, field: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and value < 0:
        raise QueryError(f"{field.name} is {value}; it cannot be less than 0")


@attrs.frozen
class Aggregate:
    """Groups runs by the columns ``by``, and takes numbers together from the columns ``of``."""

    by: tuple[Column, ...] = attrs.field(default=(), converter=_columns)
    of: tuple[Column, ...] = attrs.field(default=(), converter=_columns)


@attrs.frozen
class Query:
    """What is asked of a store: which runs, in which order, and which columns of them.

    ``filter`` is a text as ``"status = success and loss < 0.3"``, or parsed. ``sort`` and
    ``columns`` are names as ``"-loss, run_id"``, a minus for descending; by default runs come
    in the order of the plan with their ``run_id`` and ``status``, and groups with all their
    columns. ``limit`` None is no limit. Raises QueryError for what cannot be understood.
    """

    filter: Expression | None = attrs.field(default=None, converter=_filter)
    sort: tuple[Sort, ...] = attrs.field(default=(), converter=_sort)
    limit: int | None = attrs.field(default=None, validator=_not_negative)
    offset: int = attrs.field(default=0, validator=_not_negative)
    columns: tuple[Column, ...] = attrs.field(default=(), converter=_columns)
    aggregate: Aggregate | None = None

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns of the answer, of runs."""
        return self.columns or (Column("run_id"), Column("status"))

    def needed(self) -> tuple[Column, ...]:
        """Return the columns that must be known of each run."""
        found = list(columns_of(self.filter)) if self.filter is not None else []
        if self.aggregate is None:
            found += [*self.shown, *(each.column for each in self.sort)]
        else:
            found += [Column("status"), *self.aggregate.by, *self.aggregate.of]
        return tuple(dict.fromkeys(found))
