"""Finding: the files of modules that code imports only when it runs, without importing them."""

from __future__ import annotations

import sys
from importlib.util import resolve_name
from typing import TYPE_CHECKING

from metalab.identity.ownership import module_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

__all__ = ["absolute_name", "find_module_file"]


def absolute_name(name: str, level: int, package: str | None) -> str | None:
    """Return the full name of a module imported from within a package, or None if it has none."""
    try:
        return resolve_name("." * level + name, package or None)
    except ImportError:
        return None


def find_module_file(name: str) -> str | None:
    """Return the source file that an import of a module would read, or has read, or None."""
    if (known := module_file(name)) is not None:
        return known
    spec, parts = None, name.split(".")
    for i in range(len(parts)):
        folders = None if spec is None else spec.submodule_search_locations
        if spec is not None and folders is None:
            return None
        spec = _find(".".join(parts[: i + 1]), folders)
        if spec is None:
            return None
    return spec.origin if spec is not None and spec.has_location else None


def _find(name: str, folders: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find_spec(name, folders) if find_spec is not None else None
        if spec is not None:
            return spec
    return None
