"""Parcels: a plan on its way to other machines, through the store that they share.

A parcel is a payload of the store: a line of JSON that says who may open it, then the plan as
bytes and the ids of its runs. It is opened only by its owner, with the Python that wrote it.
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
from metalab.execution.payload import Surroundings, unpacked

if TYPE_CHECKING:
    from metalab.planning import Plan
    from metalab.store.base import Store

__all__ = ["Parcel", "keep_parcel", "open_parcel"]


@attrs.frozen(eq=False)
class Parcel:
    """A plan, what was packed with it, and the main_name of the process that packed it."""

    plan: Plan
    more: tuple[Any, ...]
    main: str


def keep_parcel(store: Store, plan: Plan, packed_plan: bytes) -> str:
    """Keep a plan that ``packed`` made bytes of, and return the name of the payload.

    Raises StoreError where the store cannot.
    """
    here = Surroundings.here()
    header = {
        "python": _python(),
        "owner": _user(),
        "main": here.main,
        "path": here.path,
        "plan": len(packed_plan),
    }
    return store.put_payload(
        b"".join((json.dumps(header).encode(), b"\n", packed_plan, plan.ids.packed))
    )


def open_parcel(store: Store, name: str) -> Parcel:
    """Make the plan of a parcel again; what it imports is found where its maker found it.

    Raises PayloadError if it is another user's, another Python's, or not what was kept;
    StoreError if it cannot be read; and whatever the user's own modules raise.
    """
    with store.open_payload(name) as file:
        data = file.read()
    if sha256(data).hexdigest() != name:
        raise PayloadError(f"the payload {name} is not what was written; run the experiment again")
    line, _, body = data.partition(b"\n")
    header = json.loads(line)
    _check(header, name)
    sys.path += [entry for entry in header["path"] if entry not in sys.path]
    view, size = memoryview(body), header["plan"]
    plan, *more = unpacked(view[:size], view[size:], header["main"])
    return Parcel(plan, tuple(more), header["main"])


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
