"""Whether derived values still hold: they do for the very record they were computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalab.store.fold import fold_derived
from metalab.store.lines import crc_of, parse_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metalab.store.base import RunLog

__all__ = ["Entries", "fresh_beside", "fresh_entries", "values_of"]

Entries = dict[str, "Mapping[str, Any]"]
"""Derived values by the name of their function, as a store keeps them."""


def fresh_entries(log: RunLog, run_id: str) -> Entries:
    """Return those of a run's derived entries that were computed from its current record."""
    if run_id not in log or not (entries := log.derived(run_id)):
        return {}
    crc = crc_of(next(log.lines([run_id])))
    return {name: entry for name, entry in entries.items() if entry["of"] == crc}


def fresh_beside(log: RunLog, beside: RunLog, run_id: str) -> Entries:
    """Return what another log, which need not have the run, says of its current record."""
    if run_id not in log:
        return {}
    documents = map(parse_line, next(beside.history([run_id])))
    derived = (each for each in documents if each is not None and each.get("t") == "derived")
    crc = crc_of(next(log.lines([run_id])))
    folded = fold_derived(derived, crc)
    return {name: entry for name, entry in folded.items() if entry["of"] == crc}


def values_of(entries: Entries) -> dict[str, Any]:
    """Join the values of all functions; a name that two of them use becomes ``function.name``."""
    names = [name for function in sorted(entries) for name in entries[function]["values"]]
    shared = {name for name in names if names.count(name) > 1}
    return {
        f"{function}.{name}" if name in shared else name: value
        for function in sorted(entries)
        for name, value in entries[function]["values"].items()
    }
