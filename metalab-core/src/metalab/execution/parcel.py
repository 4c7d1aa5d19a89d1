"""Parcels: a plan on its way to other processes and machines, through the store they share.

A parcel is a payload of the store: a line of JSON that says who may open it, then the plan as
bytes, and the ids of its runs where those are not kept elsewhere. It is opened only by its
owner, with the Python that wrote it.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import attrs

from metalab.errors import PayloadError
from metalab.execution.payload import unpacked
from metalab.transport import Surroundings

if TYPE_CHECKING:
    from metalab.planning import RunIds
    from metalab.store.base import Store

__all__ = ["Parcel", "fetch_parcel", "keep_parcel"]


@attrs.frozen(eq=False)
class Parcel:
    """A plan that ``packed`` made bytes of, and where the process that did it was.

    Nothing of it is executed before it is opened.
    """

    packed: memoryview
    ids: memoryview
    surroundings: Surroundings

    def open(self, ids: RunIds | None = None) -> tuple[Any, ...]:
        """Return what was packed, the plan first, which gets the ids of its runs.

        What it imports is found where its maker found it. Raises PayloadError for code that
        is not what was packed, and whatever the user's own modules raise.
        """
        sys.path += [entry for entry in self.surroundings.path if entry not in sys.path]
        packed_ids = self.ids if ids is None else ids.packed
        return unpacked(self.packed, packed_ids, self.surroundings.main)


def keep_parcel(
    store: Store, packed_plan: bytes, surroundings: Surroundings, ids: RunIds | None = None
) -> str:
    """Keep a plan that ``packed`` made bytes of, and return the name of the payload.

    Raises StoreError where the store cannot.
    """
    header = {
        "python": _python(),
        "owner": _user(),
        "surroundings": attrs.asdict(surroundings),
        "plan": len(packed_plan),
    }
    rest = b"" if ids is None else ids.packed
    return store.put_payload(b"".join((json.dumps(header).encode(), b"\n", packed_plan, rest)))


def fetch_parcel(store: Store, name: str) -> Parcel:
    """Read a parcel. Raises PayloadError if it is another user's, another Python's, or not
    what was kept; StoreError if it cannot be read.
    """
    with store.open_payload(name) as file:
        data = file.read()
    if sha256(data).hexdigest() != name:
        raise PayloadError(f"the payload {name} is not what was written; run the experiment again")
    line, _, body = data.partition(b"\n")
    header = json.loads(line)
    _check(header, name)
    view, size = memoryview(body), header["plan"]
    return Parcel(view[:size], view[size:], Surroundings(**header["surroundings"]))


def _check(header: dict[str, Any], name: str) -> None:
    if header["owner"] != _user():
        raise PayloadError(
            f"the payload {name} was made by the user {header['owner']}, and this process is the "
            f"user {_user()}'s: what another user wrote is not executed"
        )
    if header["python"] != _python():
        raise PayloadError(
            f"the experiment was sent by Python {header['python']}, and this worker is Python "
            f"{_python()} on {platform.node()}; use one version for both"
        )


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _user() -> int | None:
    return os.geteuid() if hasattr(os, "geteuid") else None
