"""The modules that an experiment needs to be made again: its operation's, and its script."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from metalab.errors import RebuildError
from metalab.identity.names import main_name, resolve
from metalab.identity.ownership import Ownership
from metalab.script import LaunchReachedError, definitions_only, load_script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from metalab.retrying.origin import Origin

__all__ = ["modules_of"]


def modules_of(origin: Origin) -> Iterator[ModuleType]:
    """Yield the operation's module, then, if it is another one, the script of the launch.

    Each is loaded when it is asked for, unless it is already. A script is loaded as
    ``metalab run`` does it, up to its first launch. Raises RebuildError that names the file.
    """
    with definitions_only():
        module = _known(origin) or _loaded(origin)
    yield module
    script = _script(origin)
    if script is None or getattr(module, "__file__", None) == str(script):
        return
    main = sys.modules["__main__"]
    if getattr(main, "__file__", None) != str(script):
        with definitions_only():
            main = load_script(script)
    yield main


def _script(origin: Origin) -> Path | None:
    """Return the script of the launch if it is one of the user's: a tool may have launched."""
    main = origin.main
    if main is None or main.suffix != ".py" or not main.is_file():
        return None
    return main if Ownership("").owns_file(main.stem, str(main)) else None


def _known(origin: Origin) -> ModuleType | None:
    """Return the operation's module if this process has it, as the script that launched does."""
    if resolve(origin.ref) is None:
        return None
    name = "__main__" if origin.module == main_name() else origin.module
    return sys.modules.get(name) or sys.modules.get(origin.module)


def _loaded(origin: Origin) -> ModuleType:
    main = origin.main
    if main is not None and main.stem == origin.module:
        if not main.is_file():
            raise RebuildError(
                f"there is no file {main} any more, which defines the operation {origin.ref} of "
                f"{origin.experiment_id}; metalab run FILE, wherever it is now, executes all runs "
                "that have no success"
            )
        return load_script(main)
    if origin.module == "__main__":
        raise RebuildError(
            f"the operation {origin.ref} of {origin.experiment_id} was defined at a prompt or in "
            "a notebook, which alone has it; run the experiment again there"
        )
    return _imported(origin)


def _imported(origin: Origin) -> ModuleType:
    _extend_path(origin)
    try:
        return import_module(origin.module)
    except LaunchReachedError:
        reason = 'it launches an experiment; put that under if __name__ == "__main__":'
        raise RebuildError(_refusal(origin, reason)) from None
    except Exception as error:  # a module of the user's may raise anything at all
        raise RebuildError(_refusal(origin, f"{type(error).__name__}: {error}")) from error


def _extend_path(origin: Origin) -> None:
    """Let imports find what the launch's did: first the script's folder, as python has it."""
    main, directory = origin.main, origin.directory
    if main is None or (main.parent / "__init__.py").exists():  # a prompt, or python -m
        first = directory
    else:
        first = str(main.parent)
    if first is not None and first not in sys.path:
        sys.path.insert(0, first)
    if directory is not None and directory not in sys.path:
        sys.path.append(directory)


def _refusal(origin: Origin, reason: str) -> str:
    return (
        f"the module {origin.module!r} of the operation {origin.ref} of {origin.experiment_id} "
        f"cannot be imported here: {reason}"
    )
