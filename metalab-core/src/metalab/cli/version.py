"""The version that ``metalab --version`` prints."""

from __future__ import annotations

import os
import sys
from importlib import import_module

__all__ = ["installed_version"]

_STEM, _SUFFIX = "metalab_core-", ".dist-info"


def installed_version() -> str:
    """Return the version of metalab-core, ``0+source`` where it is not installed.

    It is read off the name of the installed metadata's folder: importlib.metadata knows
    more, but its import alone costs as much CPU as all else that ``--version`` does.
    """
    for folder in sys.path:
        try:
            names = os.listdir(folder or os.curdir)  # noqa: PTH208  pathlib costs an import here
        except OSError:  # a zip file, or a folder that is not there
            continue
        for name in names:
            if name.startswith(_STEM) and name.endswith(_SUFFIX):
                return name[len(_STEM) : -len(_SUFFIX)]
    metadata = import_module("importlib.metadata")
    try:
        return str(metadata.version("metalab-core"))
    except metadata.PackageNotFoundError:
        return "0+source"
