"""The question: what an experiment asked, and what its answers were made with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from metalab.identity.values import to_jsonable
from metalab.results.run import Run
from metalab.store.query.order import sort_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["question_of"]

_SHOWN = 20
_MOST_LAUNCHES = 20


def question_of(
    reader: Reader, rows: Rows, columns: Mapping[str, Sequence[Any]]
) -> list[list[str]]:
    """Return what was asked as pairs of a name and a text, in the order to be told."""
    return [[name, text] for name, text in _told(reader, rows, columns) if text]


def _told(
    reader: Reader, rows: Rows, columns: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[str, str]]:
    if not len(rows):
        return
    (last,) = (Run(r, reader.store, reader=reader) for r in rows.records([len(rows) - 1]))
    info = last.experiment
    yield "Experiment", _distinct(columns["experiment_id"])
    yield "Description", info.description or ""
    yield "Tags", ", ".join(info.tags)
    for name, column in columns.items():
        if name.startswith("param_"):
            yield f"Param {name.removeprefix('param_')}", _distinct(column)
    yield "Replicates", _distinct(columns["replicate"])
    context = last.manifest.get("context")
    if context is not None:
        yield "Context", json.dumps(context, ensure_ascii=False, sort_keys=True)
    yield "Code", _distinct(columns["code_hash"])
    yield from _launches(reader, rows)


def _launches(reader: Reader, rows: Rows) -> Iterator[tuple[str, str]]:
    found: dict[str, int] = {}
    for place, record in enumerate(rows.records()):
        found.setdefault(record.launch or "", place)
    for number, (name, place) in enumerate(sorted(found.items())):
        if number == _MOST_LAUNCHES:
            yield "Launches", f"and {len(found) - _MOST_LAUNCHES:,} more"
            return
        (record,) = rows.records([place])
        yield f"Launch {name}".strip(), _launch(Run(record, reader.store, reader=reader))


def _launch(run: Run) -> str:
    made = run.provenance
    git = made.extra.get("git")
    told = [
        ("started", made.extra.get("started")),
        ("host", made.extra.get("host") or made.host),
        ("Python", made.python_version),
        ("metalab", made.metalab_version),
        ("commit", git.get("commit") if isinstance(git, dict) else None),
    ]
    text = ", ".join(f"{name} {value}" for name, value in told if value)
    if isinstance(git, dict) and git.get("dirty"):
        text += ", with changes that were not committed"
    return text


def _distinct(column: Sequence[Any]) -> str:
    """List the values of a column, each once, in the order in which they are met."""
    found: dict[Any, Any] = {}
    for value in column:
        if value is not None:
            found.setdefault(sort_key(value), value)
    texts = [_text(value) for value in list(found.values())[:_SHOWN]]
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return ", ".join(texts) + more


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(to_jsonable(value), ensure_ascii=False)
