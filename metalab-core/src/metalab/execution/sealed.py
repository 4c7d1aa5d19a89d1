"""Sealed plans: the runs of another process's plan, by their ids.

What makes the runs, the user's own code among it, is opened only where one is asked for. A
process that looks after others, or only looks, therefore runs none of it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from metalab.planning import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from metalab.context import FrozenContext
    from metalab.experiment import Experiment
    from metalab.identity.code import CodeFingerprint
    from metalab.identity.runs import RunIdentity
    from metalab.params.base import ParamSource
    from metalab.planning import RunIds
    from metalab.standing import Standing

__all__ = ["SealedPlan"]


class SealedPlan(Plan):
    """A plan of which the ids are known; ``unseal`` makes the rest when it is wanted."""

    def __init__(
        self,
        experiment_id: str,
        digest: str,
        code: CodeFingerprint,
        ids: RunIds,
        unseal: Callable[[], Plan],
    ) -> None:
        vars(self).update(_experiment_id=experiment_id, _code=code, _unseal=unseal)
        for name, value in {"digest": digest, "ids": ids}.items():
            object.__setattr__(self, name, value)

    @cached_property
    def opened(self) -> Plan:
        """The plan itself; raises whatever opening it does."""
        plan: Plan = vars(self)["_unseal"]()
        return plan

    @property
    def experiment_id(self) -> str:
        """The experiment's name and version."""
        return str(vars(self)["_experiment_id"])

    @property
    def code(self) -> CodeFingerprint:
        """The fingerprint of the operation's code."""
        code: CodeFingerprint = vars(self)["_code"]
        return code

    @property
    def experiment(self) -> Experiment:
        """The experiment; opens the plan."""
        return self.opened.experiment

    @property
    def context(self) -> FrozenContext:
        """The experiment's context; opens the plan."""
        return self.opened.context

    @property
    def standing(self) -> Standing:
        """What the operation counts as; opens the plan."""
        return self.opened.standing

    @property
    def identity(self) -> RunIdentity:
        """What the ids were made from; opens the plan."""
        return self.opened.identity

    @property
    def cases(self) -> ParamSource:
        """The params; opens the plan."""
        return self.opened.cases

    @property
    def points(self) -> Sequence[int]:
        """Which of the cases are no duplicates; opens the plan."""
        return self.opened.points
