"""What a launch leaves in the store beside its runs: who started it, where, with what."""

from __future__ import annotations

import getpass
import os
import platform
import secrets
import socket
import string
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalab.plugins import EXTENSION_POINTS
from metalab.script import script_of
from metalab.store.lines import readable
from metalab.surroundings import (
    describe_machine,
    imported_libraries,
    installed_packages,
    masked_words,
    telling_variables,
)

if TYPE_CHECKING:
    from metalab.surroundings import Checkout

__all__ = ["describe_launch", "new_launch"]

_ALPHABET = string.ascii_lowercase + string.digits


def new_launch() -> str:
    """Return a name for a launch: six letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(6))


def describe_launch(module: str, checkout: Checkout, **details: Any) -> dict[str, Any]:
    """Describe this process and its surroundings once a launch, as strict JSON.

    ``module`` is that of the operation: ``main`` is the script that it belongs to or is used by.
    Passwords and tokens in the command are masked as far as they can be told from the rest.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="microseconds"),
        "command": [readable(word) for word in masked_words(sys.argv)],
        "directory": _directory(),
        "main": _readable(script_of(module)),
        "user": _user(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "executable": _readable(sys.executable),
        "platform": _platform(),
        "metalab": version("metalab-core"),
        "plugins": [
            {"group": p.group, "name": p.name, "distribution": p.distribution, "version": p.version}
            for point in EXTENSION_POINTS
            for p in point.loaded()
        ],
        "packages": installed_packages(),
        "imported": imported_libraries(),
        "machine": describe_machine(),
        "variables": telling_variables(),
        **details,
        "git": checkout.state(),  # which git has had all this time for
    }


def _platform() -> str:
    # platform.platform() would start a process to ask for the name of the processor.
    c_library = "".join(platform.libc_ver())
    words = platform.system(), platform.release(), platform.machine(), c_library
    return "-".join(filter(None, words))


def _directory() -> str | None:
    try:
        return readable(str(Path.cwd()))
    except FileNotFoundError:  # removed since the process began
        return None


def _readable(text: str | None) -> str | None:
    return text and readable(text)


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        return None
