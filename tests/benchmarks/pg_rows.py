"""Measuring on a PostgreSQL server of its own: the rows of P1."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.contests import Contender, Contest
from benchmarks.cost import WALL
from benchmarks.measure import Phase
from benchmarks.pg_work import DSN
from metalab.errors import MetalabError
from metalab_postgres.programs import choose_programs
from metalab_postgres.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["QUESTIONS", "absent", "server"]

_INDEXED = Phase("pg_ours:index")


def _question(name: str, what: str) -> Contest:
    return Contest(
        f"P1 {name}",
        Phase(f"pg_floors:{name}", after=_INDEXED),
        (Contender(what, Phase(f"pg_ours:{name}", after=_INDEXED)),),
        WALL,
    )


QUESTIONS = (
    _question("top", "20 times the ten best of a filter; floor: SQL by hand"),
    _question("points", "20 single runs"),
    _question("counts", "20 times the counts of statuses"),
    _question("replicates", "mean, sd, interval over replicates; floor: mean, sd"),
    _question("frame", "frame of 20 columns; floor: COPY by hand, types guessed"),
    _question("resume", "which runs are done; floor: by the files"),
)


def absent() -> str:
    """Say why there can be no server; empty if there can."""
    try:
        choose_programs()
    except MetalabError as error:
        return str(error)
    return ""


@contextmanager
def server() -> Iterator[None]:
    """Have a server, with its usual settings, for whose database phases are told the way."""
    with TemporaryDirectory(prefix="metalab-pg-") as folder:
        place = Path(folder)
        place.chmod(0o755)  # root's server is another account's
        started = Server(place / "server")
        os.environ[DSN] = started.start().dsn
        try:
            yield
        finally:
            del os.environ[DSN]
            started.stop()
