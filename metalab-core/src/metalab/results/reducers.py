"""Artifact reducers: functions that turn an artifact of each run into columns of a table."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from metalab.progress.iteration import watched
from metalab.results.derived import named, said
from metalab.results.run import Run

if TYPE_CHECKING:
    from metalab.results.reader import Reader
    from metalab.results.rows import Rows

__all__ = ["ReducerWarning", "Reducers", "reduced_values"]

Reducers = Mapping[str, Callable[..., Any]]
"""Functions of an object, or of an object and its run, by the name of the artifact."""


class ReducerWarning(UserWarning):
    """An artifact of one run could not be reduced; its columns stay empty for that run."""


def reduced_values(
    reader: Reader, rows: Rows, reducers: Reducers, *, progress: bool
) -> Iterator[dict[str, Any]]:
    """Yield what the reducers make of each run; a run without the artifact has nothing."""
    functions = {name: _of_object_and_run(function) for name, function in reducers.items()}
    for record in watched(rows.records(), len(rows), "artifacts", progress):
        run = Run(record, reader.store, reader=reader)
        names = {artifact.name for artifact in record.artifacts}
        values: dict[str, Any] = {}
        for name, function in functions.items():
            if name in names:
                values |= _reduced(run, name, function)
        yield values


def _reduced(run: Run, name: str, function: Callable[[Any, Run], Any]) -> dict[str, Any]:
    try:
        value = function(run.artifact(name), run)
        return named(value) if isinstance(value, Mapping) else {name: value}
    except Exception as error:  # noqa: BLE001  a user's function may raise anything
        reason = f"{type(error).__name__}: {said(error)}"
        text = f"artifact {name!r} of run {run.run_id} was not reduced: {reason}"
        warnings.warn(text, ReducerWarning, stacklevel=2)
        return {}


def _of_object_and_run(function: Callable[..., Any]) -> Callable[[Any, Run], Any]:
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C do not say what they take
        return lambda obj, _: function(obj)
    required = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
    ]
    return function if len(required) > 1 else lambda obj, _: function(obj)
