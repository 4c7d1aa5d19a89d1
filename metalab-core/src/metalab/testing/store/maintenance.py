"""Looking after a store: what is merged and checked stays what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from metalab.testing.asking import asked_if
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import made, put, run_id
from metalab.testing.store.telling import fill, said

if TYPE_CHECKING:
    from metalab.store.base import Store
    from metalab.testing.store.place import OpenStore

__all__ = ["MaintenanceTests"]


class MaintenanceTests(StorePlace):
    """Looking after a store: what is merged and checked stays what it was."""

    @asked_if(can_compact=True)
    @pytest.mark.parametrize("gzip", [False, True], ids=["plain", "compressed"])
    def test_compacting_loses_nothing(
        self, store: Store, open_store: OpenStore, *, gzip: bool
    ) -> None:
        fill(store)
        for number in range(3, 6):
            put(store, made(number=number))
        before = said(store)
        store.close()  # which ends its own writer
        store.compact(gzip=gzip)
        assert said(store) == before, "compacting changes what the store says"
        assert said(open_store()) == before, "once compacted it says other things opened anew"

    @asked_if(can_compact=True)
    def test_a_dry_compaction_writes_nothing(self, store: Store) -> None:
        put(store, made())
        put(store, made(number=1))
        store.close()
        planned = store.compact(dry_run=True)
        assert planned.made == (), "a dry compaction has made something"
        assert store.compact().merged == planned.merged, "another one than the dry one announced"

    @asked_if(can_compact=True)
    def test_what_is_at_work_goes_on_while_a_store_is_compacted(
        self, store: Store, open_store: OpenStore
    ) -> None:
        put(store, made())
        with store.writer("launch") as writer:
            writer.put(made(number=1))
            open_store().compact()
            writer.put(made(number=2))
        assert sorted(open_store().read()) == [run_id(n) for n in range(3)], (
            "what a writer at work puts is lost where the store is compacted meanwhile"
        )

    @asked_if(can_compact=True)
    def test_a_compaction_that_drops_attempts_keeps_what_counts(self, store: Store) -> None:
        fill(store)
        before = said(store)
        store.close()
        store.compact(drop_attempts=True)
        after = said(store)
        for what in ("runs", "manifests"):
            assert after[what] == before[what], f"dropping attempts has changed {what}"

    @asked_if(can_inspect=True)
    def test_a_store_as_it_was_written_is_sound(self, store: Store) -> None:
        fill(store)
        found = store.inspect()
        assert found.is_sound, f"inspect() of a store that nobody has harmed finds {found.flaws}"
        assert found.lines > 0, "inspect() has counted no line"
        assert found.artifacts == 2, "inspect() has counted more or fewer artifacts than there are"
