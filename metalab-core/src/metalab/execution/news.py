"""News of a run: what was made of it since a batch was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from metalab.records import RETRIED, Status

if TYPE_CHECKING:
    from metalab.execution.base import Batch
    from metalab.execution.dispatch import Dispatch

__all__ = ["is_news", "is_tried_again"]


def is_news(batch: Batch | Dispatch, run_id: str, status: str, epoch: int, attempt: int) -> bool:
    """Tell whether what is stored of a run is of an attempt that was made since a batch was."""
    known_epoch, tried = batch.tries.get(run_id, (0, 1))
    # The attempt that was running when the batch was made is news when it ends.
    known = tried - 1 if run_id in batch.started else tried
    if epoch != known_epoch:
        return epoch > known_epoch
    return status == Status.SUCCESS or attempt >= known


class _Provenance(msgspec.Struct, gc=False):
    extra: dict[str, Any] | None = None


class _Line(msgspec.Struct, gc=False):
    provenance: _Provenance | None = None


_decode = msgspec.json.Decoder(_Line).decode


def is_tried_again(line: bytes) -> bool:
    """Tell whether the stored line of a failed attempt says that its launch makes another."""
    provenance = _decode(line).provenance
    return provenance is not None and RETRIED in (provenance.extra or {})
