"""Comparing the index with the files, run by run.

The files are read by the file store's own reader, and each run's lines are put in order by
``metalab.store.fold``: nothing here is shared with what makes the index but the schema.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from metalab.store.file.reader import read_runs
from metalab.store.fold import key_of
from metalab.store.lines import crc_of
from metalab_postgres.migrations import enter
from metalab_postgres.status import bad_lines
from metalab_postgres.watermarks import Watermarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from psycopg import Connection, Cursor

    from metalab.store.file.runlog import FileRunLog

__all__ = ["differences"]

_BATCH = 2000
_decode = msgspec.json.Decoder().decode
_KEY = "run_id, epoch, rank, attempt, writer, part, seq"

Facts = dict[str, dict[str, Any]]


def differences(
    connection: Connection[Any], schema: str, experiment_id: str, runs: Path
) -> Iterator[str]:
    """Yield what the index has otherwise than the files of an experiment, in words."""
    log = read_runs(runs)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        enter(cursor, schema)
        cursor.execute("SELECT exp FROM experiments WHERE experiment_id = %s", [experiment_id])
        found = cursor.fetchone()
        if found is None:
            yield f"{experiment_id}: it is not in the index"
            return
        yield from _damage(cursor, found[0], experiment_id, log)
        wanted = iter(sorted({*log.subjects(), *_subjects(cursor, found[0])}))
        while batch := list(islice(wanted, _BATCH)):
            there, here = _of_index(cursor, found[0], batch), _of_files(log, batch)
            for run_id in batch:
                yield from _between(f"{experiment_id} {run_id}", here[run_id], there[run_id])


def _damage(cursor: Cursor[Any], exp: int, experiment_id: str, log: FileRunLog) -> Iterator[str]:
    counted = bad_lines(Watermarks(exp).read(cursor))
    if counted != len(log.damage):
        yield f"{experiment_id}: {len(log.damage)} bad lines in files, {counted} in the index"


def _between(what: str, here: dict[str, Any], there: dict[str, Any]) -> Iterator[str]:
    for name, value in here.items():
        if value != there[name]:
            yield f"{what}: {name} is {value!r} in files, {there[name]!r} in the index"


def _subjects(cursor: Cursor[Any], exp: int) -> Iterable[str]:
    tables = ("runs", "attempts", "losses", "forgotten", "series", "derived")
    parts = " UNION ".join(f"SELECT run_id FROM {table} WHERE exp = %(exp)s" for table in tables)  # noqa: S608
    cursor.execute(parts, {"exp": exp})
    return [row[0] for row in cursor.fetchall()]


def _nothing() -> dict[str, Any]:
    return {"record": None, "lines": set(), "lost": set(), "chunks": set(), "derived": set()}


def _of_files(log: FileRunLog, run_ids: list[str]) -> Facts:
    facts: Facts = {}
    for run_id, lines in zip(run_ids, log.history(run_ids), strict=True):
        facts[run_id] = fact = _nothing()
        current: tuple[Any, ...] | None = None
        for line in lines:
            document = _decode(line)
            current = max(filter(None, (current, _note(fact, line, document))), default=None)
        if current is not None and current[0][1] >= 0:
            fact["record"] = _record(current[0], current[1])
    return facts


def _note(fact: dict[str, Any], line: bytes, document: dict[str, Any]) -> tuple[Any, ...] | None:
    """Note what a line says; of one about the record, return its key and itself."""
    at = tuple(document.get(name, missing) for name, missing in _PLACE)
    match document["t"]:
        case "run" | "start" | "forget":
            key = key_of({"status": "running", **document})
            fact["lines"].add(key)
            return key, line
        case "lost":
            fact["lost"].add((*at[:2], document["died"], document["cause"]))
        case "series":
            points = document["points"]
            fact["chunks"].add((*at, document["name"], len(points)))
        case "derived":
            of, rev = document.get("of", ""), document.get("rev", 1)
            value = _text(document.get("values"))
            fact["derived"].add((document["name"], of, rev, *at[2:], document.get("code"), value))
    return None


_PLACE = (("epoch", 0), ("attempt", 0), ("writer", ""), ("part", 1), ("seq", 0))


def _record(key: tuple[Any, ...], line: bytes) -> dict[str, Any]:
    document = _decode(line)
    error = document.get("error")
    time = document.get("time") or {}
    return {
        "key": key,
        "crc": crc_of(line),
        "status": document.get("status", "running"),
        "code": document.get("code", ""),
        "plan_index": max(document.get("index", 0), 0),
        "seed": _text(document.get("seed")),
        "replicate": document.get("replicate"),
        "params": _text(document.get("params")),
        "metrics": _text(document.get("metrics")),
        "tags": _text(document.get("tags")),
        "notes": document.get("notes"),
        "error": _text(error and {name: error[name] for name in error if name != "traceback"}),
        "times": (time.get("start"), time.get("end")),
        "ms": document.get("ms"),
        "artifacts": sorted(each["uri"] for each in document.get("artifacts") or ()),
    }


def _of_index(cursor: Cursor[Any], exp: int, run_ids: list[str]) -> Facts:
    facts = {run_id: _nothing() for run_id in run_ids}
    where = {"exp": exp, "ids": run_ids}
    artifacts: dict[str, list[str]] = {}
    for run_id, uri in _rows(cursor, "SELECT run_id, uri FROM artifacts", where):
        artifacts.setdefault(run_id, []).append(uri)
    columns = (
        "crc, line, status, code, plan_index, seed, replicate, params, metrics, tags, notes, "
        "error, started_at, finished_at, duration_ms::text"
    )
    for run_id, *row in _rows(cursor, f"SELECT {_KEY}, {columns} FROM runs", where):  # noqa: S608
        key, (crc, line, *values) = tuple(row[:6]), row[6:]
        facts[run_id]["lines"].add(key)
        if key[1] < 0:
            continue
        uris = sorted(artifacts.get(run_id, ()))
        record = _record(key, line) if line is not None else _shown(key, crc, values)
        facts[run_id]["record"] = {**record, "artifacts": uris}
    for run_id, *place in _rows(cursor, f"SELECT {_KEY} FROM attempts", where):  # noqa: S608
        facts[run_id]["lines"].add(tuple(place))
    lost = "SELECT run_id, epoch, attempt, died, cause FROM losses"
    for run_id, *loss in _rows(cursor, lost, where):
        facts[run_id]["lost"].add(tuple(loss))
    chunks = "SELECT run_id, epoch, attempt, writer, part, seq, name, n FROM series"
    for run_id, *chunk in _rows(cursor, chunks, where):
        facts[run_id]["chunks"].add(tuple(chunk))
    derived = "SELECT run_id, name, of_crc, rev, writer, part, seq, code, value, line FROM derived"
    for run_id, *said, value, line in _rows(cursor, derived, where):
        kept = value if line is None else _decode(bytes(line)).get("values")
        facts[run_id]["derived"].add((*said, _text(kept)))
    return facts


def _rows(cursor: Cursor[Any], query: str, where: dict[str, Any]) -> list[tuple[Any, ...]]:
    cursor.execute(query + " WHERE exp = %(exp)s AND run_id = ANY(%(ids)s)", where)
    return cursor.fetchall()


def _shown(key: tuple[Any, ...], crc: str, values: list[Any]) -> dict[str, Any]:
    status, code, index, seed, replicate, params, metrics, tags, notes, error, *times, ms = values
    return {
        "key": key,
        "crc": crc,
        "status": status,
        "code": code,
        "plan_index": index,
        "seed": _text(seed),
        "replicate": replicate,
        "params": _text(params),
        "metrics": _text(metrics),
        "tags": _text(tags),
        "notes": notes,
        "error": _text(error),
        "times": tuple(times),
        "ms": None if ms is None else json.loads(ms),
    }


def _text(value: Any) -> str | None:
    """Return what tells any two JSON values apart, but not the order of their keys."""
    return None if value is None else json.dumps(value, sort_keys=True)
