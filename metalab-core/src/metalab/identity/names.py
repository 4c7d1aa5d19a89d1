"""Names: what functions, classes and modules are called, whoever runs them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import MappingProxyType, MethodType, ModuleType
from typing import TYPE_CHECKING

from metalab.errors import IdentityError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["adopt_main", "canonical_module", "main_name", "reference", "resolve"]

_MAIN_ALIASES = frozenset({"__main__", "__mp_main__"})


class _AdoptedMain:
    """The script whose objects this process received, where it did not run that script itself."""

    name: str | None = None
    namespace: Mapping[str, object] = MappingProxyType({})


def adopt_main(name: str | None, namespace: Mapping[str, object] | None = None) -> None:
    """Let ``__main__`` mean another process's script, for a worker that received objects from it.

    ``name`` is that script's ``main_name()``, ``namespace`` where its top-level names are
    found. None returns to the process's own script.
    """
    _AdoptedMain.name = name
    _AdoptedMain.namespace = MappingProxyType({}) if namespace is None else namespace


def main_name() -> str:
    """Return what the running script would be called by an import.

    That is the module's name under ``python -m``, the file's stem under ``python file.py``,
    and ``__main__`` where there is no file, as in a notebook.
    """
    if _AdoptedMain.name is not None:
        return _AdoptedMain.name
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name not in _MAIN_ALIASES:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    # Text from a pipe says "<stdin>".
    return Path(file).stem if file and not file.startswith("<") else "__main__"


def canonical_module(name: str) -> str:
    """Return a module's name with ``__main__`` replaced by the script's own."""
    return main_name() if name in _MAIN_ALIASES else name


def reference(obj: object) -> str:
    """Return ``module:qualname`` of an importable function or class.

    Raises IdentityError for lambdas, for what is defined inside a function, and for what
    its own name does not lead back to.
    """
    module = getattr(obj, "__module__", None)
    qualname = getattr(obj, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        raise IdentityError(f"a {type(obj).__name__} has no name it could be imported by")
    ref = f"{canonical_module(module)}:{qualname}"
    if "<lambda>" in qualname:
        raise IdentityError(
            f"the lambda {ref} has no name it could be imported by; "
            "define it with def at the top level of a module"
        )
    if "<locals>" in qualname:
        raise IdentityError(
            f"{ref} is defined inside a function; move it to the top level of a module"
        )
    if not _leads_back(obj, module, qualname):
        raise IdentityError(f"{ref} does not lead back to the object: the name is unset or reused")
    return ref


def resolve(ref: str) -> object | None:
    """Return what ``module:qualname`` names among the modules loaded, or None; imports nothing."""
    module, _, qualname = ref.partition(":")
    if module == main_name():
        found = _walk(_AdoptedMain.namespace, qualname)
        if found is None:
            found = _in_module("__main__", qualname)
        if found is not None:
            return found
    return _in_module(module, qualname)


def _leads_back(obj: object, module: str, qualname: str) -> bool:
    is_sent = module in _MAIN_ALIASES or module not in sys.modules
    if is_sent and _AdoptedMain.name is not None:
        return True  # by value: its module is another process's
    found = _in_module(module, qualname)
    # A bound class method is a new object each time it is looked up.
    return found is obj or (isinstance(obj, MethodType) and found == obj)


def _in_module(name: str, qualname: str) -> object | None:
    module = sys.modules.get(name)
    return _walk(vars(module), qualname) if isinstance(module, ModuleType) else None


def _walk(namespace: Mapping[str, object], qualname: str) -> object | None:
    # The first step reads the namespace itself: a module's __getattr__ might import.
    head, *rest = qualname.split(".")
    found = namespace.get(head)
    for name in rest:
        found = getattr(found, name, None)
    return found
