"""Resuming: which runs of a plan are left to do, and what to do about results of other code."""

from __future__ import annotations

import warnings
from array import array
from typing import TYPE_CHECKING, Literal, get_args

import attrs

from metalab.errors import CodeChangedError, CodeChangedWarning
from metalab.identity.code import changed_parts
from metalab.records import Status
from metalab.store.document import record_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from metalab.planning import Plan
    from metalab.store.base import RunLog, Store

__all__ = ["CodeChangePolicy", "Remainder", "remainder", "settle_code_change"]

CodeChangePolicy = Literal["ask", "rerun", "keep", "warn", "error"]
"""What is done about stored results of other code; see ``settle_code_change``."""

_POLICIES: tuple[str, ...] = get_args(CodeChangePolicy)

_CHEAP_MS = 60_000
_NAMES_SHOWN = 5


@attrs.frozen
class Remainder:
    """What is left of a plan: indices into it, and the tries to begin with.

    ``failed`` and ``unfinished`` runs are among the ``pending``, ``started`` are the ids of
    those of them that were under way; ``other_code`` are among the ``done``.
    """

    pending: Sequence[int]
    done: Sequence[int]
    failed: int = 0
    unfinished: int = 0
    other_code: Sequence[int] = ()
    tries: Mapping[str, tuple[int, int]] = attrs.Factory(dict)
    started: Collection[str] = ()


def remainder(plan: Plan, log: RunLog | None, *, resume: bool = True) -> Remainder:
    """Compare a plan with what is stored: a run is done if a success of it is.

    Without ``resume`` every run is pending, and its next record displaces the stored one.
    """
    if log is None:
        return Remainder(range(len(plan)), ())
    pending, done, other_code = array("Q"), array("Q"), array("Q")
    tries: dict[str, tuple[int, int]] = {}
    started: set[str] = set()
    failed = unfinished = 0
    code = plan.code.hash
    for index, (run_id, state) in enumerate(zip(plan.ids, log.states(plan.ids), strict=True)):
        if resume and state is not None and state.status is Status.SUCCESS:
            done.append(index)
            if state.code and state.code != code:
                other_code.append(index)
            continue
        pending.append(index)
        if state is not None:
            tries[run_id] = (state.epoch, state.attempt + 1) if resume else (state.epoch + 1, 1)
            failed += state.status is Status.FAILED
            unfinished += state.status in {Status.RUNNING, Status.CANCELLED}
            if resume and state.status is Status.RUNNING:
                started.add(run_id)
        elif epoch := log.forgotten(run_id):
            tries[run_id] = (epoch, 1)
    return Remainder(pending, done, failed, unfinished, other_code, tries, started)


def settle_code_change(
    plan: Plan, left: Remainder, log: RunLog | None, store: Store | None, policy: CodeChangePolicy
) -> Remainder:
    """Decide about stored successes that were made by other code than the plan's.

    ``"ask"`` executes them again, with a CodeChangedWarning, when they took under a minute
    in all, and raises CodeChangedError otherwise. ``"rerun"`` executes them again,
    ``"keep"`` takes them, ``"warn"`` takes them with a warning, ``"error"`` raises.
    """
    if not left.other_code or log is None or store is None or policy == "keep":
        return left
    change = _describe(plan, left, log, store)
    if policy == "warn":
        warnings.warn(f"{change}; they are kept", CodeChangedWarning, stacklevel=3)
        return left
    if policy == "ask":
        if not _is_cheap(plan, left, log):
            raise CodeChangedError(f"{change}. {_CHOICES}")
        notice = f"{change}; they took under a minute and are executed again"
        warnings.warn(notice, CodeChangedWarning, stacklevel=3)
    if policy == "error":
        raise CodeChangedError(f"{change}. {_CHOICES}")
    return _with_reruns(plan, left, log)


def check_policy(policy: str) -> None:
    """Refuse a policy that does not exist; raises ValueError."""
    if policy not in _POLICIES:
        choices = ", ".join(map(repr, _POLICIES))
        raise ValueError(f"on_code_change={policy!r} is unknown: use one of {choices}")


_CHOICES = (
    "Choose: on_code_change='rerun' executes them again, 'keep' takes them as they are, "
    "'warn' takes them and says so; a new Experiment(version=...) keeps both"
)


def _is_cheap(plan: Plan, left: Remainder, log: RunLog) -> bool:
    spent = 0.0
    for line in log.lines(plan.ids[index] for index in left.other_code):
        spent += record_of(line).duration_ms or 0.0
        if spent >= _CHEAP_MS:
            return False
    return True


def _describe(plan: Plan, left: Remainder, log: RunLog, store: Store) -> str:
    old = {state.code for i in left.other_code if (state := log.state(plan.ids[i])) is not None}
    parts = [
        manifest["code"].get("parts", {})
        for manifest in store.manifests().values()
        if manifest.get("code", {}).get("hash") in old
    ]
    names = sorted({name for before in parts for name in changed_parts(before, plan.code.parts)})
    shown = ", ".join(names[:_NAMES_SHOWN]) + (" and others" if len(names) > _NAMES_SHOWN else "")
    count = len(left.other_code)
    return (
        f"{count} stored result{'s' * (count != 1)} of {plan.experiment_id} "
        f"{'were' if count != 1 else 'was'} made by other code (changed: {shown or 'unknown'})"
    )


def _with_reruns(plan: Plan, left: Remainder, log: RunLog) -> Remainder:
    again = set(left.other_code)
    tries = dict(left.tries)
    for index in again:
        state = log.state(plan.ids[index])
        tries[plan.ids[index]] = ((state.epoch if state else 0) + 1, 1)
    return attrs.evolve(
        left,
        pending=array("Q", sorted([*left.pending, *again])),
        done=array("Q", (index for index in left.done if index not in again)),
        other_code=(),
        tries=tries,
    )
