"""Scripts: a python file of the user's, loaded as an import would, under its own name."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING

from metalab.errors import MetalabError
from metalab.experiment import Experiment
from metalab.identity.names import canonical_module, main_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, ModuleType

__all__ = [
    "LaunchReachedError",
    "LoadError",
    "NameTakenError",
    "definitions_only",
    "experiments_of",
    "load_script",
    "reach_launch",
    "script_of",
]


class LoadError(MetalabError):
    """A file of the user's raised something while it was loaded."""


class NameTakenError(LoadError):
    """A file has the name of a module that is imported already."""


class LaunchReachedError(BaseException):
    """Ends the loading of a module of which the definitions are wanted, at its first launch.

    It is no Exception, so that no handler in that module takes it for a failure.
    """


_are_definitions_wanted = ContextVar("_are_definitions_wanted", default=False)
_loaded: dict[str, str] = {}


@contextmanager
def definitions_only() -> Iterator[None]:
    """Have ``metalab.run`` raise LaunchReachedError in this block, in place of executing runs."""
    token = _are_definitions_wanted.set(True)
    try:
        yield
    finally:
        _are_definitions_wanted.reset(token)


def reach_launch() -> None:
    """End the loading that this call is part of, if definitions alone are wanted."""
    if _are_definitions_wanted.get():
        raise LaunchReachedError


def load_script(given: Path) -> ModuleType:
    """Load a file under its own name, its folder first on ``sys.path``; a file is loaded once.

    What stands under ``if __name__ == "__main__"`` is left out. Among ``definitions_only``
    the rest of the file, from its first launch on, is left out as well. Raises
    NameTakenError, and LoadError that names the line if the file itself fails.
    """
    path = str(given.absolute())
    name = given.stem
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) == path:
            return known
        raise NameTakenError(
            f"{given} has the name of {name!r}, a module that is imported already; rename the file"
        )
    loader = _Loader(name, path)
    spec = ModuleSpec(name, loader, origin=path)
    spec.has_location = True
    module = module_from_spec(spec)
    # As python does for a script: its folder goes first, with links resolved.
    folder = str(Path(os.path.realpath(path)).parent)
    sys.path.insert(0, folder)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except LaunchReachedError:
        pass  # which the caller asked for
    except (Exception, SystemExit) as error:  # a file of the user's may raise anything at all
        del sys.modules[name]
        raise LoadError(f"{_place(error, path, given)}: {_fault(error)}") from error
    _loaded[name] = path
    return module


def experiments_of(module: ModuleType) -> dict[str, Experiment]:
    """Return the experiments at the top level of a module, each once, by its first name."""
    names = {id(value): name for name, value in reversed(vars(module).items())}
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, Experiment) and names[id(value)] == name
    }


def script_of(module: str) -> str | None:
    """Return the absolute path of the script that makes use of a module, or None.

    That is the file that was loaded here as a script, or else the one that Python runs.
    """
    if module in _loaded:
        return _loaded[module]
    if _loaded and canonical_module(module) != main_name():
        return next(reversed(_loaded.values()))
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    # Text from a pipe says "<stdin>".
    return None if not file or file.startswith("<") else str(Path(file).absolute())


class _Loader(SourceFileLoader):
    """Compiles a file as it stands: bytecode kept from an edit in the same second would differ."""

    is_script = True  # to import it by its name in another process would run it once more

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _place(error: BaseException, path: str, given: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{given if error.filename == path else error.filename}:{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f"{given}:{lines[-1]}" if lines else str(given)


def _fault(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, SystemExit):
        return 'the file exits while it is loaded; put that under if __name__ == "__main__":'
    if isinstance(error, SyntaxError):
        return f"{kind}: {error.msg}"
    return f"{kind}: {error}" if str(error) else kind
