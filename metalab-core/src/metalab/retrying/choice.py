"""The choice of the runs that are executed again."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import attrs

from metalab.errors import RebuildError
from metalab.results.lookup import resolve_id
from metalab.store.query.query import Query

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from metalab.planning import Plan
    from metalab.resume import Remainder
    from metalab.store.base import RunLog, Store
    from metalab.store.query.expression import Expression

__all__ = ["Choice"]


@attrs.frozen
class Choice:
    """Which runs are meant: those that are ``named`` and ``pass`` a filter; None leaves all."""

    log: RunLog
    named: Collection[str] | None
    passing: Collection[str] | None

    @classmethod
    def of(
        cls,
        store: Store,
        log: RunLog,
        where: str | Expression | None,
        run_ids: Iterable[str] | None,
    ) -> Choice:
        """Read a filter as queries have it, and ids or what each of them alone begins with.

        Raises QueryError for a filter that cannot be understood, NameLookupError for what
        begins no stored run's id, or several.
        """
        if isinstance(run_ids, str):
            raise TypeError(f"run_ids is a list of ids; did you mean [{run_ids!r}]?")
        named = passing = None
        if run_ids is not None:
            there = list(log)
            named = {there[resolve_id(given, there)] for given in run_ids}
        if where is not None:
            answer = store.query(Query(filter=where, columns="run_id"))
            passing = {run_id for (run_id,) in answer.values}
        return cls(log, named, passing)

    def narrowed(self, left: Remainder, plan: Plan) -> Remainder:
        """Leave pending what is meant and has a record; what never began is no retry.

        Raises RebuildError for a named run that an earlier plan had, and this one has not.
        """
        strangers = set(self.named or ()).difference(plan.ids if self.named else ())
        if strangers:
            raise RebuildError(
                f"run {min(strangers)} is of an earlier plan of {plan.experiment_id}: the newest "
                "one has no such run; metalab run executes the experiment that has"
            )
        pending = array("Q", (index for index in left.pending if self._means(plan.ids[index])))
        return attrs.evolve(left, pending=pending)

    def _means(self, run_id: str) -> bool:
        chosen = (self.named, self.passing)
        return all(ids is None or run_id in ids for ids in chosen) and run_id in self.log
