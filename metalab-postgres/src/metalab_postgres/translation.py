r"""Filters as SQL: exactly where SQL can say it, else as two bounds between which the truth is.

All that SQL is given are literals quoted by psycopg and the names of this schema; ``COPY``
takes no parameters. Of each condition null counts as false. What lies between the bounds of a
filter comes back as rows on which Python decides, as it does for files:

==============================  ==========================================================
part of a query                 in SQL
==============================  ==========================================================
``= != < <= > >= in`` of        exact: numbers by value, texts by code point
  booleans, numbers, texts
the same of tagged values       exact of floats, of integers up to 2,000 bits and of tuples;
                                of others a superset, in which any may hold
a literal with U+0000 or half   of ``< <= > >=`` all texts, of the rest none; no row of plain
  of a surrogate pair           values has such a text
``~=``                          exact, but any tagged value of those others may hold
``has``                         exact, but lists and tuples with tagged elements may hold
``is missing``                  exact
``and or not``                  exact of exact parts
order, limit and offset         exact of missing values, NaN, booleans, numbers, texts, and
                                of lists whose JSON is plain; runs with other values in what
                                is sorted by are all fetched, and put in their places
no limit                        all that pass the filter come back and are sorted here
groups                          by the texts of values; equal ones are merged here
aggregates                      the numbers of a group come back, and are summed exactly
a bare name                     looked up in the catalogue, then in the rows
odd rows                        all are fetched, and taken from their lines
==============================  ==========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.store.query.expression import And, Comparison, Has, Member, Missing, Not, Or
from metalab_postgres.comparisons import comparison, has, is_missing, member
from metalab_postgres.conditions import Condition, joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.query.expression import Column, Expression
    from metalab_postgres.sources import Source

__all__ = ["condition_of"]


def condition_of(expression: Expression, sources: Mapping[Column, Source]) -> Condition:
    """Translate a filter."""
    match expression:
        case And(parts) | Or(parts):
            word = " AND " if isinstance(expression, And) else " OR "
            return joined(word, [condition_of(part, sources) for part in parts])
        case Not(part):
            return condition_of(part, sources).negated()
        case Missing(column):
            return Condition.exactly(is_missing(sources[column]))
        case Member(column, values):
            return member(sources[column], values)
        case Has(column, value):
            return has(sources[column], value)
        case Comparison(column, sign, value):
            return comparison(sources[column], sign, value)
