"""Packages: the distributions that are installed, and the libraries that a process has imported.

The names of metadata folders say which versions there are, so that no file need be read: in
an environment of 300 distributions that is a hundred times as fast as to ask each of them.
"""

from __future__ import annotations

import os
import re
import sys

from metalab.identity.ownership import Ownership, module_file

__all__ = ["imported_libraries", "installed_packages"]

_METADATA = re.compile(
    r"(?P<name>.+?)-(?P<version>[^-]+?)(?:-py[\d.]+(?:-.+)?)?\.(?:dist-info|egg-info)"
)


def installed_packages() -> dict[str, str]:
    """Return the version of every distribution that can be imported from, by name, sorted.

    Names are normalised (``scikit-learn``). Of two versions the one first on ``sys.path``
    is told, which is the one that an import takes.
    """
    found: dict[str, str] = {}
    for place in dict.fromkeys(sys.path):
        for name in _names(place):
            if name.endswith("-info") and (told := _METADATA.fullmatch(name)) is not None:
                found.setdefault(re.sub(r"[-_.]+", "-", told["name"]).lower(), told["version"])
    return dict(sorted(found.items()))


def imported_libraries() -> list[str]:
    """Return the top-level modules of libraries that this process has imported, sorted.

    The standard library and the user's own modules are left out.
    """
    ownership = Ownership("")
    roots = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
    return sorted(root for root in roots if _is_library(root, ownership))


def _is_library(root: str, ownership: Ownership) -> bool:
    # Among those that begin so are the hooks of editable installs, and Python's own settings.
    file = None if root.startswith("_") else module_file(root)
    return file is not None and not ownership.owns_file(root, file)


def _names(place: str) -> list[str]:
    try:
        # Surrogates, and the folder removed since: whatever stands in sys.path.
        return os.listdir(place or ".")  # noqa: PTH208  a Path of each name would take long
    except (OSError, ValueError):
        return []
