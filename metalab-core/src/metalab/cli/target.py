"""``FILE[:NAME]``: a python file, and the experiment in it that is meant."""

from __future__ import annotations

import os
import sys
import traceback
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.cli.usage import UsageError
from metalab.errors import MetalabError
from metalab.experiment import Experiment

if TYPE_CHECKING:
    import argparse
    from types import CodeType, ModuleType

__all__ = ["LoadError", "add_target", "load_experiment"]


class LoadError(MetalabError):
    """A file of the user's raised something while it was loaded."""


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
    module = _loaded(path)
    if name is not None:
        return _named(module, name, path)
    found = _experiments(module)
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


def _experiments(module: ModuleType) -> dict[str, Experiment]:
    """Return the experiments of a module, each once, by its first name."""
    names = {id(value): name for name, value in reversed(vars(module).items())}
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, Experiment) and names[id(value)] == name
    }


def _named(module: ModuleType, name: str, path: Path) -> Experiment:
    value = vars(module).get(name)
    if isinstance(value, Experiment):
        return value
    there = ", ".join(_experiments(module)) or "none"
    fault = f"no {name!r}" if value is None else f"no experiment {name!r} (a {_kind(value)})"
    raise UsageError(f"{path} has {fault} at its top level; its experiments: {there}")


def _kind(value: object) -> str:
    return type(value).__name__


class _Loader(SourceFileLoader):
    """Compiles a file as it stands: bytecode kept from an edit in the same second would differ."""

    is_script = True  # to import it by its name in another process would run it once more

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _loaded(given: Path) -> ModuleType:
    path = str(given.absolute())
    name = given.stem
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) == path:
            return known
        raise UsageError(
            f"{given} has the name of {name!r}, a module that is imported already; rename the file"
        )
    loader = _Loader(name, path)
    spec = ModuleSpec(name, loader, origin=path)
    spec.has_location = True
    module = module_from_spec(spec)
    # As python does for a script: its folder goes first, with links resolved.
    sys.path.insert(0, str(Path(os.path.realpath(path)).parent))
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a file of the user's may raise anything at all
        raise LoadError(f"{_place(error, path, given)}: {_fault(error)}") from error
    return module


def _place(error: BaseException, path: str, given: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{given if error.filename == path else error.filename}:{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f"{given}:{lines[-1]}" if lines else str(given)


def _fault(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return 'the file exits while it is loaded; put that under if __name__ == "__main__":'
    if isinstance(error, SyntaxError):
        return f"{_kind(error)}: {error.msg}"
    return f"{_kind(error)}: {error}" if str(error) else _kind(error)
