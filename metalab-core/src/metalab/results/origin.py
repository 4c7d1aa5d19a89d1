"""The origin of a record: what it says itself, joined with what is kept of its launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import attrs
import msgspec

from metalab.store.names import writer_name

if TYPE_CHECKING:
    from metalab.records import Provenance, RunRecord
    from metalab.results.reader import Reader

__all__ = ["provenance_of"]

_PARTS = 4  # of a writer's name: <launch>.<task>.<host>.<token>


def provenance_of(record: RunRecord, reader: Reader) -> Provenance:
    """Return a record's provenance with that of its launch in ``extra``.

    ``host`` is that of the worker. The machine that ``extra`` describes is the launch's: it
    is left out if the worker was on another one.
    """
    kept = record.provenance
    launch: dict[str, Any] = dict(reader.launch(record.launch or ""))
    if record.launch is not None:
        launch["launch"] = record.launch
    host = kept.host or _host(record, reader, launch.get("host"))
    if host != launch.get("host"):
        launch.pop("machine", None)
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


def _host(record: RunRecord, reader: Reader, launch: str | None) -> str | None:
    """Return the host of the record's writer: the launch's by its full name, or another's."""
    if record.run_id not in reader.log:
        return launch
    parts = _decode(next(reader.log.lines([record.run_id]))).writer.split(".")
    if len(parts) != _PARTS:
        return launch
    if launch is not None and writer_name("", "", launch, "").split(".")[2] == parts[2]:
        return launch
    return unquote(parts[2])
