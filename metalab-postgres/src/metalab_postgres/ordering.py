"""The order of an answer in SQL: the parts in which rows are asked for, each in its order.

What is sorted by first divides the rows by kind: booleans, numbers, texts, the rest, NaN, what
is missing. Each such group comes wholly before the next, so a query with a limit need not ask
for groups that it does not reach, and the group of numbers can be served by an index. Within
a group, and by all columns after the first, the order is an expression.

A row is *apart* if a column that is sorted by holds something whose order SQL cannot say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from psycopg import sql

from metalab_postgres.numbers import NAN, number_key
from metalab_postgres.sources import (
    ARRAY,
    BOOLEAN,
    NUMBER,
    OBJECT,
    TEXT,
    JsonSource,
    NumberSource,
    Source,
    TextSource,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Part", "groups_in_order", "is_apart"]

_PLAN = sql.SQL("plan_index, run_id")
_TRUE = sql.SQL("true")
_FALSE = sql.SQL("false")

# What has the very text in jsonb that Python gives it: no names to be sorted, no character
# that is escaped, no float that is written with an exponent.
_PLAIN_TEXT = (
    "({kind} = 'array' OR {value} ? '$tuple' AND {kind} = 'object') "
    'AND {value}::text COLLATE "C" ~ \'^([{{]"[$]tuple": )?[ -z|]*[}}]?$\' '
    "AND {value}::text !~ '0[.]0000'"
)


@attrs.frozen
class Part:
    """Rows that are asked for together: which ones, and in which order."""

    where: sql.Composable
    order: sql.Composable


def is_apart(sources: Sequence[Source]) -> sql.Composable | None:
    """Tell which rows hold something to sort by whose order SQL cannot say; None for none."""
    tests = [
        _is_apart(source)
        for source in sources
        if isinstance(source, JsonSource) and source.may_be(ARRAY | OBJECT)
    ]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(tests)) if tests else None


def groups_in_order(sorting: Sequence[tuple[Source, bool]]) -> list[list[Part]]:
    """Return groups of parts: all rows of a group come before those of the next.

    ``sorting`` has what is sorted by, and whether it descends. Rows apart are in no part.
    """
    if not sorting:
        return [[Part(_TRUE, _PLAN)]]
    (first, descending), *others = sorting
    later = [key for source, down in others for key in _keys(source, down)]
    if not isinstance(first, JsonSource):
        return [[Part(_TRUE, _order([*_keys(first, descending), *later]))]]
    groups = _present(first, descending)
    if descending:
        groups.reverse()
    last: list[sql.Composable] = (
        [sql.SQL("{} = {}").format(first.value, NAN)] if first.may_be(OBJECT) else []
    )
    last.append(first.is_missing)
    return [
        *([Part(where, _order([*keys, *later])) for where, keys in group] for group in groups),
        *([Part(where, _order(later))] for where in last),
    ]


_Group = list[tuple[sql.Composable, list[sql.Composable]]]


def _present(source: JsonSource, descending: bool) -> list[_Group]:
    """Return the groups of values that are no NaN, ascending; in each the order is as wanted."""

    def of_kind(kind: str) -> sql.Composable:
        return sql.SQL("{} = {}").format(source.kind, sql.Literal(kind))

    groups: list[_Group] = []
    if source.may_be(BOOLEAN):
        key = sql.SQL("({} = 'true'::jsonb)").format(source.value)
        groups.append([(of_kind("boolean"), [_directed(key, descending)])])
    numbers = _numbers(source, descending)
    if numbers:
        groups.append(numbers)
    if source.may_be(TEXT):
        groups.append([(of_kind("string"), [_directed(source.text, descending)])])
    if source.may_be(ARRAY | OBJECT):
        key = sql.SQL('{}::text COLLATE "C"').format(source.value)
        groups.append([(_is_plain(source), [_directed(key, descending)])])
    return groups


def _numbers(source: JsonSource, descending: bool) -> _Group:
    exact = _directed(number_key(source), descending)
    as_float = source.number
    parts: _Group = []
    if source.may_be(NUMBER) and as_float is not None:
        # An index gives this order; where float8 cannot hold all digits, the numeric refines it.
        keys = [_directed(as_float, descending), *([exact] if source.has_integers else [])]
        parts.append((sql.SQL("{} IS NOT NULL").format(as_float), keys))
    elif source.may_be(NUMBER):
        parts.append((sql.SQL("{} = 'number'").format(source.kind), [exact]))
    if source.may_be(OBJECT):
        tagged = sql.SQL("{kind} = 'object' AND {value} ? '$float' AND {value} <> {nan}").format(
            kind=source.kind, value=source.value, nan=NAN
        )
        parts.append((_narrowed(source, tagged), [exact]))
    return parts


def _narrowed(source: JsonSource, test: sql.Composable) -> sql.Composable:
    """Let an index of numbers find what is none."""
    if source.number is None:
        return test
    return sql.SQL("{} IS NULL AND {}").format(source.number, test)


def _keys(source: Source, descending: bool) -> list[sql.Composable]:
    """Return the keys of a column that need not be the first, whatever kinds it has."""
    if isinstance(source, TextSource | NumberSource):
        return [_directed(source.value, descending)]
    ranks = {"boolean": 0, "number": 1, "string": 2, "array": 3, "object": 3}
    cases = sql.SQL(" ").join(
        sql.SQL("WHEN {} THEN {}").format(
            sql.Literal(kind), sql.Literal(-rank if descending else rank)
        )
        for kind, rank in ranks.items()
    )
    number = number_key(source)
    rank = sql.SQL(
        "CASE WHEN {value} = {nan} THEN 5 WHEN ({number}) IS NOT NULL THEN {of_number} "
        "ELSE CASE {kind} {cases} ELSE 6 END END"
    ).format(
        value=source.value,
        nan=NAN,
        number=number,
        of_number=sql.Literal(-1 if descending else 1),
        kind=source.kind,
        cases=cases,
    )
    truth = sql.SQL("({} = 'true'::jsonb)").format(source.value)
    text = sql.SQL(
        "CASE {kind} WHEN 'string' THEN {text} WHEN 'array' THEN {value}::text "
        "WHEN 'object' THEN {value}::text END COLLATE \"C\""
    ).format(kind=source.kind, text=source.text, value=source.value)
    if source.may_be(OBJECT):  # among numbers the texts of tagged ones count for nothing
        text = sql.SQL("CASE WHEN ({}) IS NULL THEN {} END").format(number, text)
    keys = [number] if source.may_be(NUMBER | OBJECT) else []
    if source.may_be(BOOLEAN):
        keys.append(sql.SQL("CASE {} WHEN 'boolean' THEN {} END").format(source.kind, truth))
    if source.may_be(TEXT | ARRAY | OBJECT):
        keys.append(text)
    # Plain numbers alone need no rank: what is missing is last.
    ranks_first = [rank] if source.may_be(BOOLEAN | TEXT | ARRAY | OBJECT) else []
    return [*ranks_first, *(_directed(key, descending) for key in keys)]


def _is_plain(source: JsonSource) -> sql.Composable:
    return sql.SQL("({})").format(sql.SQL(_PLAIN_TEXT).format(kind=source.kind, value=source.value))


def _is_apart(source: JsonSource) -> sql.Composable:
    test = sql.SQL(
        "({kind} IN ('array', 'object') AND {value} <> {nan} AND NOT {plain} "
        "AND NOT ({kind} = 'object' AND {value} ? '$float'))"
    ).format(kind=source.kind, value=source.value, nan=NAN, plain=_is_plain(source))
    return sql.SQL("coalesce({}, false)").format(_narrowed(source, test))


def _directed(key: sql.Composable, descending: bool) -> sql.Composable:
    word = "DESC NULLS LAST" if descending else "ASC NULLS LAST"
    return sql.SQL("{} {}").format(key, sql.SQL(word))


def _order(keys: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join([*keys, _PLAN])
