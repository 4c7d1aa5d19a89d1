"""Finding the results that a user names: by a path, a locator, a configuration or a store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from metalab.errors import StoreError
from metalab.results.results import Results
from metalab.store.base import Store
from metalab.store.config import StoreConfig, parse_to_config

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["open_experiment", "open_results"]


def open_results(
    store: str | os.PathLike[str] | StoreConfig | Store, experiment_id: str | None = None
) -> Results:
    """Read the results of an experiment, from its own folder or from a collection's root.

    Of a collection with one experiment that one is taken, of several ``experiment_id``
    chooses. Raises StoreNotFoundError where there is no store; StoreError, listing what
    there is, if no experiment is meant or more than one; TypeError for what names no store.
    """
    return Results.from_store(open_experiment(store, experiment_id, "load_results"))


def open_experiment(
    store: str | os.PathLike[str] | StoreConfig | Store, experiment_id: str | None, caller: str
) -> Store:
    """Open an experiment's store to read it; errors are those of ``open_results``.

    ``caller`` is the function that a user who named no experiment is shown how to call.
    """
    opened = _opened(store)
    if opened.is_scoped:
        return opened if experiment_id is None else opened.scoped(experiment_id)
    there = opened.list_experiments()
    chosen = _only(there, opened.locator, caller) if experiment_id is None else experiment_id
    if chosen not in there:
        raise StoreError(f"{opened.locator} has no experiment {chosen!r}; {_names(there)}")
    return opened.scoped(chosen)


def _opened(store: str | os.PathLike[str] | StoreConfig | Store) -> Store:
    if isinstance(store, Store):
        return store
    if isinstance(store, StoreConfig):
        return store.open()
    if isinstance(store, (str, os.PathLike)):
        return parse_to_config(store).open()
    raise TypeError(
        f"store={store!r} is a {type(store).__name__}; give a path, a locator, "
        "a StoreConfig or a Store"
    )


def _only(there: Sequence[str], place: str, caller: str) -> str:
    if len(there) == 1:
        return there[0]
    if not there:
        raise StoreError(f"{place} holds no experiment yet; run one with store={place!r}")
    raise StoreError(
        f"{place} holds {len(there)} experiments; {_names(there)}: choose one, as in "
        f"{caller}({place!r}, experiment_id={there[0]!r})"
    )


def _names(there: Sequence[str]) -> str:
    return f"there are {', '.join(there)}" if there else "there is none"
