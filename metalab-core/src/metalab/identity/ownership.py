"""Ownership: which code is the user's own, and which is Python's or a library's."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType

__all__ = ["Ownership", "module_file"]

_LIBRARY_FOLDERS = frozenset({"dist-packages", "site-packages"})
_THIS_PACKAGE = "metalab"


class Ownership:
    """Tells own code from others'.

    Own is what lies outside the standard library and site-packages. The package of the
    function asked about is own wherever it is installed; metalab is not.
    """

    def __init__(self, package: str) -> None:
        self._package = package

    def owns_function(self, function: FunctionType) -> bool:
        """Tell whether a function was written by the user."""
        name, file = function.__module__ or "__main__", function.__code__.co_filename
        return self.owns_module(name) if file.startswith("<") else self.owns_file(name, file)

    def owns_class(self, cls: type) -> bool:
        """Tell whether a class was written by the user."""
        return self.owns_module(cls.__module__)

    def owns_module(self, name: str) -> bool:
        """Tell whether a module was written by the user; it need not be loaded."""
        if name in sys.builtin_module_names:
            return False
        file = module_file(name)
        if file is None:  # a notebook, a prompt, or text that was executed
            return _root(name) not in sys.stdlib_module_names | {_THIS_PACKAGE}
        return self.owns_file(name, file)

    def owns_file(self, name: str, file: str) -> bool:
        """Tell whether a module that lies in a file was written by the user."""
        root = _root(name)
        if root == _THIS_PACKAGE or file.startswith(_this_folder()):
            return False
        return root == self._package or not _is_library_file(file)


def module_file(name: str) -> str | None:
    """Return the file of a loaded module, or None."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
    return file if isinstance(file, str) else None


def _root(name: str) -> str:
    return name.partition(".")[0]


@cache
def _is_library_file(file: str) -> bool:
    return file.startswith(("<", *_library_folders())) or not _LIBRARY_FOLDERS.isdisjoint(
        Path(file).parts
    )


@cache
def _library_folders() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(str(Path(sysconfig.get_path(name), "_")).removesuffix("_") for name in names)


@cache
def _this_folder() -> str:
    return str(Path(__file__).parent.parent / "_").removesuffix("_")
