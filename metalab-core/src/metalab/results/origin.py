"""The origin of a record: what it says itself, joined with what is kept of its launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import attrs
import msgspec

if TYPE_CHECKING:
    from metalab.records import Provenance, RunRecord
    from metalab.results.reader import Reader

__all__ = ["provenance_of"]


def provenance_of(record: RunRecord, reader: Reader) -> Provenance:
    """Return a record's provenance with that of its launch in ``extra``.

    ``host`` is that of the worker. The machine that ``extra`` describes is the launch's: it
    is left out if the worker was on another one.
    """
    kept = record.provenance
    launch: dict[str, Any] = dict(reader.launch(record.launch or ""))
    if record.launch is not None:
        launch["launch"] = record.launch
    host = kept.host or _host(record, reader) or launch.get("host")
    if not _is_same_host(host, launch.get("host")):
        launch.pop("machine", None)
    elif kept.host is None:
        host = launch.get("host")  # which has its domain, too
    return attrs.evolve(
        kept,
        python_version=kept.python_version or launch.get("python"),
        metalab_version=kept.metalab_version or launch.get("metalab"),
        host=host,
        extra={**launch, **kept.extra},
    )


class _Written(msgspec.Struct):
    writer: str = ""


_decode = msgspec.json.Decoder(_Written).decode


def _host(record: RunRecord, reader: Reader) -> str | None:
    """Return the host that the name of the record's writer tells, without its domain."""
    if record.run_id not in reader.log:
        return None
    line = next(reader.log.lines([record.run_id]))
    parts = _decode(line).writer.split(".")
    return unquote(parts[-2]) if len(parts) > _PARTS_BEFORE_HOST else None


_PARTS_BEFORE_HOST = 3  # <launch>.<task>.<host>.<token>


def _is_same_host(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return _short(one) == _short(other)


def _short(host: str) -> str:
    # A writer's name is lower case or quoted, and cut where it is long.
    return host.partition(".")[0].partition("~")[0]
