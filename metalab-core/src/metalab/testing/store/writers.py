"""Writers: shared by threads, acknowledged when durable, ended once."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from metalab.errors import StoreError
from metalab.records import Status
from metalab.testing.asking import asked_if
from metalab.testing.faults import watched_syncs
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import made, run_id

if TYPE_CHECKING:
    from metalab.store.base import Store
    from metalab.store.config import StoreConfig
    from metalab.testing.store.place import OpenStore

__all__ = ["WriterTests"]


class WriterTests(StorePlace):
    """Writers, which may be shared by threads and end once."""

    def test_everything_put_is_acknowledged_once_after_a_flush(self, store: Store) -> None:
        acknowledged: list[int] = []
        with store.writer("launch") as writer:
            for n in range(20):
                writer.put(made(number=n), partial(acknowledged.append, n))
            writer.flush()
            assert acknowledged == list(range(20)), "flush() returns before all is acknowledged"
        assert acknowledged == list(range(20)), "close() acknowledges something once more"

    def test_what_was_put_is_readable_at_once(self, store: Store, open_store: OpenStore) -> None:
        other = open_store()
        with store.writer("launch") as writer:
            for number in range(3):
                writer.put(made(number=number))
                assert other.get_run_record(run_id(number)) == made(number=number), (
                    "put() has returned, and another handle does not read the record"
                )

    def test_writers_have_names_of_their_own(self, store: Store) -> None:
        with store.writer("launch") as one, store.writer("launch") as two:
            assert one.name != two.name, "two writers have one name"
            assert one.name.startswith("launch.0."), (
                f"a writer of launch 'launch' and task '0' is called {one.name!r}; writer_name() "
                "makes such names"
            )

    def test_threads_share_a_writer(self, store: Store) -> None:
        with store.writer("launch") as writer:

            def work(worker: int) -> None:
                for n in range(50):
                    writer.put(made(number=worker * 50 + n))

            threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        log = store.read()
        assert len(log) == 200, f"of 200 runs that four threads put there are {len(log)}"
        assert log.damage == (), "threads that share a writer have written into each other's lines"

    def test_two_writers_of_one_run_leave_one_record(
        self, store: Store, open_store: OpenStore
    ) -> None:
        with store.writer("a") as one, store.writer("b") as two:
            one.put(made(metrics={"x": 1}))
            two.put(made(metrics={"x": 2}))
        first = store.get_run_record(run_id())
        assert len(store.list_run_records()) == 1, "a run that two writers put is listed twice"
        assert open_store().get_run_record(run_id()) == first, (
            "of two records of one run another counts where the store is opened anew"
        )

    def test_a_closed_writer_refuses_and_closing_twice_is_nothing(self, store: Store) -> None:
        writer = store.writer("launch")
        writer.put(made())
        writer.close()
        writer.close()
        with pytest.raises(StoreError, match="closed"):
            writer.put(made())

    def test_a_writer_that_wrote_nothing_leaves_nothing(
        self, config: StoreConfig, store: Store
    ) -> None:
        store.writer("launch").close()
        assert config.list_experiments() == [], "a writer that wrote nothing made an experiment"

    @asked_if(syncs_through_os=True)
    def test_nothing_is_acknowledged_before_it_is_synced(self, store: Store) -> None:
        events: list[str] = []
        with store.writer("launch") as writer, watched_syncs(lambda _: events.append("sync")):
            writer.put(made())
            writer.flush()
            for number in range(1, 4):
                events.clear()
                writer.put(made(number=number), lambda: events.append("acknowledged"))
                writer.flush()
                assert "acknowledged" in events, "a record is not acknowledged once it is flushed"
                assert "sync" in events[: events.index("acknowledged")], (
                    "a record was acknowledged before os.fsync or os.fdatasync was called for it; "
                    "where a database does that itself, syncs_through_os is False"
                )

    @asked_if(syncs_through_os=True)
    def test_a_run_that_must_not_begin_unseen_is_synced_when_start_returns(
        self, store: Store
    ) -> None:
        events: list[str] = []
        with store.writer("launch") as writer, watched_syncs(lambda _: events.append("sync")):
            writer.put(made())
            writer.flush()
            events.clear()
            writer.start(run_id(1), lambda: made(Status.RUNNING, 1), careful=True)
            assert events, "start(careful=True) returned before the line was synced"
