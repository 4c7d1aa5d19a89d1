"""Transport: objects as bytes, from which another process of this Python makes them again.

What an import finds again travels by reference. What it does not, travels by value: whatever
is defined in the script that runs, in a notebook, inside a function, or in a module that a
fresh interpreter would not find.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import ChainMap
from contextlib import contextmanager
from importlib.machinery import PathFinder
from io import BytesIO
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

import attrs
import cloudpickle

from metalab.identity.names import main_name
from metalab.identity.ownership import Ownership
from metalab.operation import OperationWrapper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

__all__ = ["Surroundings", "by_value", "dumped", "interpreter", "is_found", "own_modules"]


@attrs.frozen
class Surroundings:
    """What a fresh interpreter must know to import what this one could, and read its arguments."""

    path: list[str]
    arguments: list[str]
    directory: str | None
    main: str

    @classmethod
    def here(cls) -> Surroundings:
        """Describe this process."""
        try:
            directory = os.getcwd()  # noqa: PTH109  a str
        except FileNotFoundError:  # removed since the process began
            directory = None
        # An empty entry means the current folder, which may change.
        path = [entry or directory or "" for entry in sys.path]
        return cls(path, list(sys.argv), directory, main_name())

    def enter(self) -> None:
        """Make this process's surroundings the same."""
        if self.directory is not None:
            os.chdir(self.directory)
        sys.path[:] = self.path
        sys.argv[:] = self.arguments


def interpreter() -> list[str]:
    """Return the words that start another interpreter like this one: -X, -W, -E and the like.

    -P is among them: a file of the working folder must not stand in for a module that a worker
    begins with.
    """
    flags: Any = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001  multiprocessing uses it, too
    return [sys.executable, *flags, "-P"]


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it ships no types
    """Keeps the file names of functions, so that their tracebacks show where they are from."""


_reduced = cloudpickle.Pickler.dispatch_table[CodeType]


def _reduced_code(code: CodeType) -> tuple[Any, ...]:
    # cloudpickle writes "<dynamic-code>" in place of each file's name.
    make, details = _reduced(code)
    return make, tuple(code.co_filename if part == _NO_FILE else part for part in details)


def _reduced_operation(operation: OperationWrapper) -> str | tuple[Any, ...]:
    # It travels as its function does, whose module may be sent by value.
    if operation.function.__module__ in cloudpickle.list_registry_pickle_by_value():
        return OperationWrapper, (operation.function, operation.name)
    return operation.__reduce__()


_NO_FILE = "<dynamic-code>"
_Pickler.dispatch_table = ChainMap(
    {CodeType: _reduced_code, OperationWrapper: _reduced_operation},
    cloudpickle.Pickler.dispatch_table,
)


def dumped(parts: object) -> bytes:
    """Return objects as bytes for ``pickle.loads``; raises whatever their own __reduce__ does."""
    with BytesIO() as file:
        _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(parts)
        return file.getvalue()


@contextmanager
def by_value() -> Iterator[None]:
    """Have modules that a fresh interpreter would not find sent by value for a while."""
    known = set(cloudpickle.list_registry_pickle_by_value())
    modules = [m for m in own_modules() if m.__name__ not in known and not is_found(m)]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def own_modules() -> list[ModuleType]:
    """Return the modules of the user's own code that this process has imported."""
    ownership = Ownership("")
    return [
        module
        for name, module in list(sys.modules.items())
        if getattr(module, "__file__", None)
        and getattr(module, "__name__", None) == name != "__main__"
        and ownership.owns_module(name)
    ]


def is_found(module: ModuleType) -> bool:
    """Tell whether an import in a fresh interpreter would find this very file."""
    spec = module.__spec__
    if spec is None or getattr(spec.loader, "is_script", False):
        return False
    enclosing = spec.name.rpartition(".")[0]
    if enclosing:
        package = sys.modules.get(enclosing)
        return package is not None and is_found(package)
    found = PathFinder.find_spec(spec.name)
    return found is not None and _place(found) == _place(spec)


def _place(spec: ModuleSpec) -> tuple[str | None, list[str]]:
    # What names a package without an __init__.py is its folders.
    return spec.origin, list(spec.submodule_search_locations or ())
