"""Payloads: a plan as bytes, from which another process of this Python makes it again.

What an import finds again travels by reference. What it does not, travels by value: whatever
is defined in the script that runs, in a notebook, inside a function, or in a module that a
fresh interpreter would not find.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections import ChainMap
from contextlib import contextmanager
from hashlib import sha256
from importlib.machinery import PathFinder
from io import BytesIO
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

import attrs
import cloudpickle

from metalab.errors import PayloadError
from metalab.identity.code import code_fingerprint
from metalab.identity.following import BYTECODE
from metalab.identity.names import adopt_main, main_name
from metalab.identity.ownership import Ownership
from metalab.operation import OperationWrapper
from metalab.planning import Plan, RunIds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

__all__ = [
    "Surroundings",
    "is_found",
    "own_modules",
    "packed",
    "stand_in_for_main",
    "unpacked",
]


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


def packed(plan: Plan, *more: Any) -> bytes:
    """Return a plan, without the ids of its runs, and what belongs to it as bytes.

    Raises PayloadError that names the part which cannot be sent.
    """
    parts = (attrs.evolve(plan, ids=RunIds(b"")), *more)
    with _by_value():
        try:
            data = _dumped(parts)
        except Exception as error:  # whatever the objects' own __reduce__ does
            raise _explained(plan, error) from error
    return data


def unpacked(
    data: bytes | memoryview, ids: bytes | memoryview, main: str, *, takes_edits: bool = False
) -> tuple[Any, ...]:
    """Return what ``packed`` was given; ``main`` is the main_name of the process that did it.

    Where a module that was imported here is not the one that was there, the plan's code is
    that which was found if this ``takes_edits``; otherwise PayloadError is raised.
    """
    plan, *more = pickle.loads(data)  # noqa: S301  from the process that started this one
    function = plan.experiment.operation.function
    adopt_main(main, function.__globals__ if function.__module__ == "__main__" else None)
    if edited := _edited(plan):
        code = code_fingerprint(function)
        # A comment may have been edited, or a function that the operation does not use.
        if code.hash != plan.code.hash and not takes_edits:
            raise PayloadError(
                f"{', '.join(edited)}: the code of {plan.experiment_id} was edited since it was "
                "imported; run the experiment again from a new process"
            )
        plan = attrs.evolve(plan, standing=attrs.evolve(plan.standing, code=code))
    return attrs.evolve(plan, ids=RunIds(ids)), *more


def _edited(plan: Plan) -> list[str]:
    """Name what is not the code that the results are to be recorded with."""
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    files = plan.code.files
    edited = [path for path in files if path in loaded and _hash(path) != files[path]]
    # What was edited between its import there and the launch stands in the plan as bytecode.
    return edited + [part for part in plan.code.parts if _is_bytecode_of_module(part)]


def _is_bytecode_of_module(part: str) -> bool:
    module = part.partition(":")[0]
    # The script's own code is sent by value; typed at a prompt or piped, it never had a source.
    return part.endswith(BYTECODE) and module != "__main__" and module in sys.modules


def _hash(path: str) -> str | None:
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # gone since it was imported
        return None


def stand_in_for_main(plan: Plan) -> None:
    """Let ``__main__`` hold what the operation uses of its script.

    Processes that the operation forks find functions there by name, as ``multiprocessing``
    sends them. For a process of its own, which gives up its own main module.
    """
    function = plan.experiment.operation.function
    if function.__module__ == "__main__":
        main = ModuleType("__main__")
        vars(main).update(function.__globals__)
        # By its file those that are spawned would execute the script.
        vars(main).pop("__file__", None)
        sys.modules["__main__"] = main


def _explained(plan: Plan, error: Exception) -> PayloadError:
    parts = {
        "the context": plan.context.spec,
        "the operation": plan.experiment.operation,
        "the params": plan.cases,
        "the metadata": plan.experiment.metadata,
    }
    culprit = next((name for name, part in parts.items() if not _can_be_sent(part)), "the plan")
    return PayloadError(
        f"{culprit} of {plan.experiment_id} cannot be sent to another process "
        f"({type(error).__name__}: {error}); make it where it is used, inside the operation, "
        "or use executor='thread'"
    )


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


def _dumped(parts: object) -> bytes:
    with BytesIO() as file:
        _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(parts)
        return file.getvalue()


def _can_be_sent(part: object) -> bool:
    try:
        _dumped(part)
    except Exception:  # noqa: BLE001  as above
        return False
    return True


@contextmanager
def _by_value() -> Iterator[None]:
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
