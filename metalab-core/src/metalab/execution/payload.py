"""Payloads: a plan as bytes, from which another process of this Python makes it again."""

from __future__ import annotations

import pickle
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from metalab.errors import PayloadError
from metalab.identity.code import code_fingerprint
from metalab.identity.following import BYTECODE
from metalab.identity.names import adopt_main
from metalab.planning import Plan, RunIds
from metalab.transport import by_value, dumped

__all__ = ["packed", "stand_in_for_main", "unpacked"]


def packed(plan: Plan, *more: Any) -> bytes:
    """Return a plan, without the ids of its runs, and what belongs to it as bytes.

    Raises PayloadError that names the part which cannot be sent.
    """
    parts = (attrs.evolve(plan, ids=RunIds(b"")), *more)
    with by_value():
        try:
            data = dumped(parts)
        except Exception as error:  # whatever the objects' own __reduce__ does
            raise _explained(plan, error) from error
    return data


def unpacked(
    data: bytes | memoryview, ids: bytes | memoryview, main: str, *, takes_edits: bool = False
) -> tuple[Any, ...]:
    """Return what ``packed`` was given; ``main`` is the main_name of the process that did it.

    Where a module that was imported here is not the one that was there, the plan's code is
    that which was found if this ``takes_edits``; otherwise PayloadError is raised.
    """
    plan, *more = pickle.loads(data)  # noqa: S301  from the process that started this one
    function = plan.experiment.operation.function
    adopt_main(main, function.__globals__ if function.__module__ == "__main__" else None)
    if edited := _edited(plan):
        code = code_fingerprint(function)
        # A comment may have been edited, or a function that the operation does not use.
        if code.hash != plan.code.hash and not takes_edits:
            raise PayloadError(
                f"{', '.join(edited)}: the code of {plan.experiment_id} was edited since it was "
                "imported; run the experiment again from a new process"
            )
        plan = attrs.evolve(plan, standing=attrs.evolve(plan.standing, code=code))
    return attrs.evolve(plan, ids=RunIds(ids)), *more


def _edited(plan: Plan) -> list[str]:
    """Name what is not the code that the results are to be recorded with."""
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    files = plan.code.files
    edited = [path for path in files if path in loaded and _hash(path) != files[path]]
    # What was edited between its import there and the launch stands in the plan as bytecode.
    return edited + [part for part in plan.code.parts if _is_bytecode_of_module(part)]


def _is_bytecode_of_module(part: str) -> bool:
    module = part.partition(":")[0]
    # The script's own code is sent by value; typed at a prompt or piped, it never had a source.
    return part.endswith(BYTECODE) and module != "__main__" and module in sys.modules


def _hash(path: str) -> str | None:
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # gone since it was imported
        return None


def stand_in_for_main(plan: Plan) -> None:
    """Let ``__main__`` hold what the operation uses of its script.

    Processes that the operation forks find functions there by name, as ``multiprocessing``
    sends them. For a process of its own, which gives up its own main module.
    """
    function = plan.experiment.operation.function
    if function.__module__ == "__main__":
        main = ModuleType("__main__")
        vars(main).update(function.__globals__)
        # By its file those that are spawned would execute the script.
        vars(main).pop("__file__", None)
        sys.modules["__main__"] = main


def _explained(plan: Plan, error: Exception) -> PayloadError:
    parts = {
        "the context": plan.context.spec,
        "the operation": plan.experiment.operation,
        "the params": plan.cases,
        "the metadata": plan.experiment.metadata,
    }
    culprit = next((name for name, part in parts.items() if not _can_be_sent(part)), "the plan")
    return PayloadError(
        f"{culprit} of {plan.experiment_id} cannot be sent to another process "
        f"({type(error).__name__}: {error}); make it where it is used, inside the operation, "
        "or use executor='thread'"
    )


def _can_be_sent(part: object) -> bool:
    try:
        dumped(part)
    except Exception:  # noqa: BLE001  as above
        return False
    return True
