"""Points: cases listed one by one, or taken from the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from metalab.params.algebra import Source
from metalab.params.base import ParamCase, own
from metalab.params.manifest import described, headed, marked, revived
from metalab.params.words import checked_name, checked_text, listed, shown

__all__ = ["ManualSource", "from_frame", "manual"]


def _checked_cases(cases: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    found = listed(cases, "manual", "manual([{}])")
    return tuple(_checked_case(place, case) for place, case in enumerate(found))


def _checked_case(place: int, case: object) -> dict[str, Any]:
    where = f"manual: cases[{place}]"
    if not isinstance(case, Mapping):
        raise TypeError(f"{where} is {shown(case)}; a case is a dict of params by name")
    return {checked_name(name, where): own(value) for name, value in case.items()}


def _checked_tags(tags: Sequence[str | Sequence[str]] | None) -> tuple[tuple[str, ...], ...] | None:
    if tags is None:
        return None
    found = listed(tags, "manual: tags", "tags=[{}]")
    return tuple(_tags_of(place, tag) for place, tag in enumerate(found))


def _tags_of(place: int, tag: object) -> tuple[str, ...]:
    tags = (tag,) if isinstance(tag, str) else tag
    if isinstance(tags, list | tuple) and all(isinstance(each, str) for each in tags):
        return tuple(checked_text(each, f"manual: tags[{place}]") for each in tags)
    raise TypeError(f"manual: tags[{place}] is {shown(tag)}; it is a str or a list of them")


@attrs.frozen(eq=False)
class ManualSource(Source):
    """Cases as they were listed; without ``tags`` case i has the tag ``manual_<i>``."""

    cases: tuple[dict[str, Any], ...] = attrs.field(converter=_checked_cases, repr=shown)
    tags: tuple[tuple[str, ...], ...] | None = attrs.field(
        default=None, converter=_checked_tags, repr=shown
    )

    def __attrs_post_init__(self) -> None:
        if self.tags is not None and len(self.tags) != len(self.cases):
            raise ValueError(
                f"manual: there are {len(self.tags)} tags for {len(self.cases)} cases; "
                "each case has its own, or a list of several"
            )

    @property
    def names(self) -> frozenset[str]:
        """The names of the params of any case."""
        return frozenset().union(*self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def case(self, index: int) -> ParamCase:
        """Return the case of an index."""
        tags = (f"manual_{index}",) if self.tags is None else self.tags[index]
        return ParamCase.of(self.cases[index], tags)

    def to_manifest_dict(self) -> dict[str, Any]:
        """List the cases, types and all."""
        cases, is_known = described(list(self.cases))
        tags = None if self.tags is None else [list(each) for each in self.tags]
        return marked({**headed("manual"), "cases": cases, "tags": tags}, is_known=is_known)

    @classmethod
    def from_manifest_dict(cls, document: Mapping[str, Any]) -> ManualSource:
        """Return the source that ``to_manifest_dict`` described."""
        return cls(revived(document["cases"], document), document["tags"])


def manual(
    cases: Iterable[Mapping[str, Any]], tags: Sequence[str | Sequence[str]] | None = None
) -> ManualSource:
    """List the cases one by one, each a dict of params by name.

    ``tags`` gives each case a tag, or several. Raises TypeError for what is no list of
    dicts and says what was meant, ValueError for an empty list.
    """
    return ManualSource(cases, tags)


def from_frame(frame: Any) -> ManualSource:
    """Take a case from each row of a table, a param from each column.

    The table is a pandas, polars or pyarrow frame, a dict of columns, or any iterable of
    rows that are dicts, such as ``csv.DictReader``. Numbers become plain Python ones; case i
    has the tag ``row_<i>``. Raises TypeError for column names that are no strings,
    ValueError for columns of one name or a table without rows.
    """
    columns = _columns_of(frame)
    if columns is None:
        cases = list(frame)
    else:
        _check_columns(columns)
        values = [_items_of(name, column) for name, column in columns]
        names = [name for name, _ in columns]
        cases = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    if not cases:
        raise ValueError("from_frame: the table has no rows, so there would be no runs")
    return ManualSource(cases, [f"row_{place}" for place in range(len(cases))])


def _columns_of(frame: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(frame, Mapping):
        return list(frame.items())
    names = getattr(frame, "column_names", None)  # pyarrow, whose columns are no names
    if names is None:
        names = getattr(frame, "columns", None)
    if names is not None:
        return [(name, frame[name]) for name in names]
    if isinstance(frame, Iterable) and not isinstance(frame, str | bytes):
        return None
    raise TypeError(f"from_frame wants a table or an iterable of rows, not {shown(frame)}")


def _check_columns(columns: Sequence[tuple[Any, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in columns:
        if checked_name(name, "from_frame") in seen:
            raise ValueError(f"from_frame: two columns are called {name!r}")
        seen.add(name)


def _items_of(name: str, column: Any) -> Sequence[Any]:
    for convert in ("to_pylist", "tolist", "to_list"):
        method = getattr(column, convert, None)
        if callable(method):
            return list(method())
    return listed(column, f"from_frame: column {name!r}", "[{}]")
