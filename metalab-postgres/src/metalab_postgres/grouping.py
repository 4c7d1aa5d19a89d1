"""Aggregates: runs grouped by the server by the texts of their values, and merged here.

Texts tell more values apart than are different, as 1 and 1.0, and an equal value has no other
text than one of those. What is told of numbers is worked out here from the numbers themselves,
since SQL's sums of floats depend on their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from psycopg import sql

from metalab.identity.values import from_jsonable
from metalab.records import Status
from metalab.store.query.expression import Column
from metalab.store.query.groups import Group, is_number
from metalab.store.query.order import sort_key
from metalab_postgres.numbers import NAN
from metalab_postgres.schema import KINDS
from metalab_postgres.sources import NUMBER, OBJECT, JsonSource, NumberSource, TextSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from metalab.store.query.query import Aggregate
    from metalab_postgres.fetching import Reader
    from metalab_postgres.sources import Source

__all__ = ["groups_of"]

_decode = msgspec.json.Decoder(list[Any]).decode_lines
_STATUS = Column("status")

# The first run of a group has the least text of its place and id.
_GROUPS = """
SELECT json_build_array(
    min(lpad(plan_index::text, {digits}, '0') || run_id), count(*),
    count(*) FILTER (WHERE status = {failed}), json_build_array({by}), json_build_array({numbers})
)::text
FROM (SELECT {columns} {runs}) AS chosen GROUP BY {keys}
"""
_DIGITS = 20
_NO_KEY = "()"  # all runs are one group


def groups_of(
    reader: Reader,
    aggregate: Aggregate,
    where: sql.Composable,
    sources: Mapping[Column, Source],
    odd: Iterable[list[Any]],
) -> list[tuple[Any, ...]]:
    """Return the rows of the groups of the runs that ``where`` chooses, in the plan's order.

    ``odd`` are runs besides, as rows with values in the order of ``sources``.
    """
    merged: dict[Any, Group] = {}
    for group in _found(reader, aggregate, where, sources):
        _merge(merged, group)
    for group in _of_odd(aggregate, sources, odd):
        _merge(merged, group)
    return [group.row() for group in sorted(merged.values(), key=lambda group: group.place)]


def _found(
    reader: Reader,
    aggregate: Aggregate,
    where: sql.Composable,
    sources: Mapping[Column, Source],
) -> Iterator[Group]:
    keys = [sql.Identifier(f"by{place}") for place in range(len(aggregate.by))]
    taken = [sql.Identifier(f"of{place}") for place in range(len(aggregate.of))]
    columns = [sql.SQL("plan_index, run_id, status")]
    pairs = [
        *((_text(sources[column]), key) for column, key in zip(aggregate.by, keys, strict=True)),
        *((_number(sources[column]), key) for column, key in zip(aggregate.of, taken, strict=True)),
    ]
    comma = sql.SQL(", ")
    query = sql.SQL(_GROUPS).format(
        digits=sql.Literal(_DIGITS),
        failed=sql.Literal(Status.FAILED.value),
        by=comma.join(sql.SQL("{}::json").format(key) for key in keys),
        numbers=comma.join(
            _listed(sources[column], each) for column, each in zip(aggregate.of, taken, strict=True)
        ),
        columns=comma.join([*columns, *(sql.SQL("{} AS {}").format(*pair) for pair in pairs)]),
        runs=reader.runs(where),
        keys=comma.join(keys) if keys else sql.SQL(_NO_KEY),
    )
    for block in reader.documents(query):
        rows = _decode(block)
        is_plain = b"{" not in block  # an object is a tagged number, or none at all
        for first, runs, failed, by, numbers in rows:
            if not runs:  # there is one group of everything even where there is nothing
                continue
            given, lists = by, [each or [] for each in numbers]
            if not is_plain:
                given = from_jsonable(by)
                lists = [list(filter(is_number, from_jsonable(each))) for each in lists]
            place = int(first[:_DIGITS]), first[_DIGITS:]
            yield Group(place, tuple(given), lists, runs, failed)


def _of_odd(
    aggregate: Aggregate, sources: Mapping[Column, Source], odd: Iterable[list[Any]]
) -> Iterator[Group]:
    places = {column: place for place, column in enumerate(sources, 2)}
    for row in odd:
        values = [row[places[column]] for column in aggregate.of]
        numbers = [[each] if is_number(each) else [] for each in values]
        by = tuple(row[places[column]] for column in aggregate.by)
        failed = row[places[_STATUS]] == Status.FAILED
        yield Group((row[0], row[1]), by, numbers, 1, int(failed))


def _merge(groups: dict[Any, Group], group: Group) -> None:
    key = tuple(map(sort_key, group.shown))
    known = groups.setdefault(key, group)
    if known is group:
        return
    if group.place < known.place:
        known.place, known.shown = group.place, group.shown
    known.runs += group.runs
    known.failed += group.failed
    for numbers, more in zip(known.numbers, group.numbers, strict=True):
        numbers.extend(more)


def _text(source: Source) -> sql.Composable:
    if isinstance(source, JsonSource):
        return sql.SQL("coalesce({}::text, 'null')").format(source.value)
    return sql.SQL("coalesce(to_json({})::text, 'null')").format(source.value)


def _is_plain(source: Source) -> bool:
    """Tell whether all values there are numbers of JSON, or missing."""
    return isinstance(source, JsonSource) and not source.kinds & ~(NUMBER | KINDS["null"])


def _listed(source: Source, values: sql.Composable) -> sql.Composable:
    """Return the JSON list of the values in a group that ``_number`` has not made null."""
    if _is_plain(source):  # their texts are theirs in JSON, and far cheaper
        return sql.SQL("('[' || string_agg({}, ',') || ']')::json").format(values)
    return sql.SQL("json_agg({0}) FILTER (WHERE {0} IS NOT NULL)").format(values)


def _number(source: Source) -> sql.Composable:
    """Return what may be a number, null where it is none that an aggregate takes."""
    if isinstance(source, NumberSource):
        return source.value
    if isinstance(source, JsonSource) and _is_plain(source):
        return sql.SQL("{} #>> '{{}}'").format(source.value)
    if isinstance(source, TextSource) or not source.may_be(NUMBER | OBJECT):
        return sql.SQL("NULL::jsonb")
    if not source.may_be(OBJECT):
        return sql.SQL("CASE {} WHEN 'number' THEN {} END").format(source.kind, source.value)
    return sql.SQL(
        "CASE WHEN {kind} IN ('number', 'object') AND {value} <> {nan} THEN {value} END"
    ).format(kind=source.kind, value=source.value, nan=NAN)
