"""What goes wrong around a store: torn files, stale listings, wrong clocks, lost connections."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from metalab.errors import StoreError
from metalab.store.query.query import Query
from metalab.testing.asking import asked_if
from metalab.testing.faults import patchy_listing, skewed_clock, slow_listing, stale_listing, torn
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import kept, made, put, run_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from metalab.records import RunRecord
    from metalab.store.base import Store
    from metalab.testing.store.place import OpenStore

__all__ = ["TroubleTests"]

_YEAR = 365 * 86400  # seconds


class TroubleTests(StorePlace):
    """What goes wrong around a store, and costs no more than it must."""

    @pytest.mark.parametrize("lost", [1, 2, 20, 200])
    def test_a_torn_line_costs_no_other(
        self, store: Store, open_store: OpenStore, lost: int
    ) -> None:
        for number in range(3):
            put(store, made(number=number))
        torn_record = made(number=3, notes="x" * 300)
        self._put_torn(store, torn_record, lost)
        other = open_store()
        missing = [n for n in range(3) if run_id(n) not in other.read()]
        assert not missing, f"a torn line of run 3 has cost runs {missing} as well"
        assert other.get_run_record(run_id(3)) in (None, torn_record), "run 3 is read half"
        put(other, made(number=4), made(number=3, attempt=2))
        assert kept(open_store(), 3).attempt == 2
        assert kept(open_store(), 4) == made(number=4)

    @pytest.mark.parametrize("lost", [1, 2, 20, 200])
    def test_a_writer_at_work_goes_on_after_the_torn_line_of_another(
        self, store: Store, open_store: OpenStore, lost: int
    ) -> None:
        acknowledged: list[int] = []
        with open_store().writer("launch") as writer:
            writer.put(made())
            writer.flush()
            before = store.read()
            torn_record = made(number=1, notes="x" * 300)
            self._put_torn(store, torn_record, lost)
            for number in (2, 3):
                writer.put(made(number=number), partial(acknowledged.append, number))
                writer.flush()
        assert acknowledged == [2, 3], "a writer that has flushed has not acknowledged its records"
        for log in (open_store().read(), store.read(before)):
            missing = [n for n in (0, 2, 3) if run_id(n) not in log]
            assert not missing, (
                f"runs {missing} were acknowledged, and are lost: their writer was open when "
                "another's last line was torn, and has appended to what was left of it"
            )
            assert len(log.damage) <= 1, f"one line was torn, and told are {log.damage}"
        assert open_store().get_run_record(run_id(1)) in (None, torn_record), "run 1 is read half"

    def test_a_damaged_line_is_told_and_costs_no_other(
        self, store: Store, open_store: OpenStore
    ) -> None:
        put(store, *(made(number=n, notes=f"note {n}") for n in range(3)))
        for path in self._files(store):
            path.write_bytes(path.read_bytes().replace(b"note 1", b"nope 1"))
        log = open_store().read()
        assert sorted(log) == [run_id(0), run_id(2)], "a damaged line counts, or costs others"
        assert len(log.damage) == 1, f"one line was damaged, and told are {log.damage}"

    def test_a_stale_listing_loses_nothing_for_good(
        self, store: Store, open_store: OpenStore
    ) -> None:
        other = open_store()
        put(store, made())
        with stale_listing():
            log = other.read()
            put(store, made(number=1))
            log = other.read(log)
            assert run_id(0) in log, "what was read once is lost by a listing that lacks it"
        log = other.read(log)
        assert sorted(log) == [run_id(0), run_id(1)], "what a listing lacked is never found"

    def test_what_was_read_stays_read_though_a_listing_lacks_it(
        self, store: Store, open_store: OpenStore
    ) -> None:
        other = open_store()
        for number in range(3):
            put(store, made(number=number))
        log = other.read()
        with patchy_listing():
            for _ in range(6):
                log = other.read(log)
                assert sorted(log) == [run_id(n) for n in range(3)], (
                    "what was read once is lost by a listing that lacks it"
                )
        assert log.damage == (), "what a listing lacks is told as damage"

    def test_what_is_put_while_a_listing_is_under_way_is_found_by_the_next(
        self, store: Store, open_store: OpenStore
    ) -> None:
        other = open_store()
        put(store, made())
        log = other.read()
        late = [made(number=1), made(number=0, attempt=2)]
        with slow_listing(lambda: put(store, late.pop(0), late.pop(0))):
            log = other.read(log)
            assert run_id(0) in log, "what was read once is lost by a listing under way"
        put(store, *late)  # where nothing was listed
        log = other.read(log)
        assert sorted(log) == [run_id(0), run_id(1)], "what was put during a listing is not found"
        assert kept(other).attempt == 2, "what was put during a listing is not found"

    @pytest.mark.parametrize("skew", [-_YEAR, _YEAR], ids=["behind", "ahead"])
    def test_a_wrong_clock_changes_nothing(
        self, store: Store, open_store: OpenStore, skew: float
    ) -> None:
        other = open_store()
        put(store, made(attempt=1))
        log = other.read()
        with skewed_clock(skew):
            put(store, made(attempt=3, metrics={"x": 3}))
            log = other.read(log)
        put(store, made(attempt=2), made(number=1))
        log = other.read(log)
        assert kept(other).metrics == {"x": 3}, "a clock has decided which record counts"
        assert len(log) == 2, "a reader with another clock lacks runs"

    @asked_if(tells_how_writers_ended=True)
    @pytest.mark.parametrize("skew", [-_YEAR, _YEAR], ids=["behind", "ahead"])
    def test_a_writer_at_work_is_not_over_by_a_wrong_clock(
        self, store: Store, open_store: OpenStore, skew: float
    ) -> None:
        with store.writer("launch") as writer:
            writer.join("f" * 32)
            writer.put(made())
            writer.flush()
            with skewed_clock(skew):
                ending = open_store().ending(writer.name)
                assert ending is None, "by a wrong clock a writer at work counts as ended"
            ending = open_store().ending(writer.name)
            assert ending is None, "after a wrong clock a writer at work counts as ended"

    @pytest.mark.parametrize("age", [0, 2**32], ids=["of 1970", "of 2106"])
    def test_the_times_of_files_decide_nothing(
        self, store: Store, open_store: OpenStore, age: int
    ) -> None:
        other = open_store()
        with store.writer("launch") as writer:
            writer.put(made(attempt=2, metrics={"x": 2}))
            writer.flush()
            for path in self._files(store):
                os.utime(path, (age, age))
            log = other.read()
            writer.put(made(number=1))
            writer.flush()
            for path in self._files(store):
                os.utime(path, (age, age))
            put(store, made(attempt=1))
            log = other.read(log)
        assert sorted(log) == [run_id(0), run_id(1)], "the time of a file hides what is in it"
        assert kept(open_store()).metrics == {"x": 2}, "the time of a file decides what counts"

    def test_a_lost_connection_loses_nothing(self, store: Store, open_store: OpenStore) -> None:
        cable = self.lost_connection()
        if cable is None:
            pytest.skip(f"{type(self).__name__}.lost_connection returns None")
        put(store, made())
        acknowledged: list[int] = []
        with cable, suppress(StoreError), store.writer("launch") as writer:
            for number in (1, 2):
                writer.put(made(number=number), partial(acknowledged.append, number))
        put(store, made(number=3))
        kept_now = open_store().read()
        lost = [n for n in (0, *acknowledged, 3) if run_id(n) not in kept_now]
        assert lost == [], f"runs {lost} were acknowledged, and are lost with the connection"
        assert len(store.query(Query())) == len(kept_now), "a query finds other runs than there are"

    def _put_torn(self, store: Store, record: RunRecord, lost: int) -> None:
        """Put a record as a machine does that dies of it, and loses the last bytes."""
        before = {path: path.read_bytes() for path in self._files(store)}
        with store.writer("launch") as writer:
            writer.put(record)
            writer.flush()
            after = {path: path.read_bytes() for path in self._files(store)}
        grown = {path: len(after[path]) - len(before.get(path, b"")) for path in after}
        assert any(grown.values()), "appended_files names no file that has grown by a record"
        for path in filter(grown.get, grown):
            path.write_bytes(after[path])  # as it was before the writer was closed
            torn(path, min(lost, grown[path]))

    def _files(self, store: Store) -> Sequence[Path]:
        files = self.appended_files(store)
        if not files:
            pytest.skip(f"{type(self).__name__}.appended_files names no file")
        return files
