"""``metalab postgres``: a local server for people who have none."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalab.cli.usage import UsageError
from metalab.store.config import DEFAULT_STORE_ROOT
from metalab_postgres.server import RunningServer, Server

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]

_PORTS = range(1, 65536)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    place = _default_place()
    parser.description = (
        "Start a PostgreSQL server for this machine, and print the locator of a store that has its "
        "index there; or stop it, or tell how it stands. All that it has is in one folder."
    )
    parser.add_argument(
        "action", metavar="ACTION", choices=["start", "stop", "status"], help="start, stop, status"
    )
    parser.add_argument(
        "place",
        metavar="PLACE",
        nargs="?",
        type=Path,
        default=place,
        help=f"the server's folder, on a local disk; by default {place}".replace("%", "%%"),
    )
    parser.add_argument(
        "--port",
        metavar="PORT",
        type=int,
        help="listen on this port of 127.0.0.1 too, not only on a Unix socket",
    )
    parser.add_argument(
        "--file-root",
        metavar="FOLDER",
        default=DEFAULT_STORE_ROOT,
        help=f"the folder of the store's files, for the locator; by default {DEFAULT_STORE_ROOT}",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the status of a server that does not run is 1."""
    server = Server(arguments.place.expanduser())
    port = arguments.port
    if port is not None and (arguments.action != "start" or port not in _PORTS):
        raise UsageError("--port is for start, and a number from 1 to 65535")
    if arguments.action == "start":
        served: RunningServer | None = server.start(port)
    elif arguments.action == "stop":
        stopped, served = server.stop(), None
    else:
        served = server.status()
    if arguments.json:
        print(json.dumps(_document(server, served, arguments.file_root), indent=2))
    elif served is not None:
        print(served.locator(arguments.file_root))
        print(
            f"PostgreSQL {served.major} runs in {server.place} (process {served.pid})",
            file=sys.stderr,
        )
    elif arguments.action == "stop" and stopped:
        print(f"stopped the server in {server.place}")
    else:
        print(f"no server runs in {server.place}")
    return 1 if arguments.action == "status" and served is None else 0


def _document(server: Server, served: RunningServer | None, file_root: str) -> dict[str, Any]:
    told: dict[str, Any] = {"running": served is not None, "place": str(server.place)}
    if served is not None:
        told |= {
            "pid": served.pid,
            "major": served.major,
            "port": served.port,
            "dsn": served.dsn,
            "locator": served.locator(file_root),
            "log": str(server.log),
        }
    return told


def _default_place() -> Path:
    # What runs root's server cannot enter root's own folder.
    if os.geteuid() == 0:
        return Path("/var/lib/metalab/postgres")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "metalab" / "postgres"
