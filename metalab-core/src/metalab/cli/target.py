"""``FILE[:NAME]``: a python file, and the experiment in it that is meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from metalab.cli.usage import UsageError
from metalab.experiment import Experiment
from metalab.script import NameTakenError, experiments_of, load_script

if TYPE_CHECKING:
    import argparse
    from types import ModuleType

__all__ = ["add_target", "load_experiment"]


def add_target(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that says which experiment is meant."""
    parser.add_argument(
        "target",
        metavar="FILE[:NAME]",
        help="a python file, and the variable that holds the experiment if it has several",
    )


def load_experiment(target: str) -> Experiment:
    """Load the file and return the experiment at its top level: the only one, or that of NAME.

    The file is loaded as an import would, under its own name, so that ids are those of
    ``python FILE``; what stands under ``if __name__ == "__main__"`` is left out. Raises
    UsageError if no single experiment is meant, LoadError if the file itself fails.
    """
    path, name = _taken_apart(target)
    try:
        module = load_script(path)
    except NameTakenError as error:
        raise UsageError(str(error)) from error
    if name is not None:
        return _named(module, name, path)
    found = experiments_of(module)
    if not found:
        raise UsageError(
            f"{path} has no experiment at its top level; assign a metalab.Experiment to a variable"
        )
    if len(found) > 1:
        there = ", ".join(f"{path}:{each}" for each in found)
        raise UsageError(f"{path} has {len(found)} experiments; choose one of {there}")
    return next(iter(found.values()))


def _taken_apart(target: str) -> tuple[Path, str | None]:
    path, colon, name = target.rpartition(":")
    given = Path(target)
    if colon and name.isidentifier() and not given.exists():
        given = Path(path)
    else:
        name = ""
    if given.is_dir():
        raise UsageError(f"{given} is a folder; name a python file in it")
    if not given.exists():
        raise UsageError(f"there is no file {given}")
    return given, name or None


def _named(module: ModuleType, name: str, path: Path) -> Experiment:
    value = vars(module).get(name)
    if isinstance(value, Experiment):
        return value
    there = ", ".join(experiments_of(module)) or "none"
    kind = type(value).__name__
    fault = f"no {name!r}" if value is None else f"no experiment {name!r} (a {kind})"
    raise UsageError(f"{path} has {fault} at its top level; its experiments: {there}")
