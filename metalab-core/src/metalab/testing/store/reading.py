"""What is read of many runs at one moment, and what is read on from there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from metalab.records import Status
from metalab.store.document import document_of, record_of
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import made, put, run_id

if TYPE_CHECKING:
    from metalab.store.base import Store
    from metalab.testing.store.place import OpenStore

__all__ = ["ReadingTests"]


class ReadingTests(StorePlace):
    """What is read of many runs at one moment."""

    def test_a_log_counts_and_names_the_runs(self, store: Store) -> None:
        put(store, *(made(number=n) for n in range(3)))
        log = store.read()
        assert len(log) == 3, "len() of a log of three runs"
        assert set(log) == {run_id(n) for n in range(3)}
        assert run_id(2) in log, "a run that was put is not in the log"
        assert run_id(3) not in log, "a run that was never put is in the log"
        assert 7 not in log, "what is no id is in the log"
        assert log.damage == (), "damage is told of a store that nobody has harmed"

    def test_states_of_many_are_those_of_each(self, store: Store) -> None:
        put(store, made(), made(Status.FAILED, number=1), made(Status.RUNNING, number=2))
        log = store.read()
        asked = [run_id(n) for n in (2, 3, 0, 1, 0)]
        assert list(log.states(iter(asked))) == [log.state(each) for each in asked], (
            "states() of many says other than state() of each"
        )

    def test_blocks_hold_the_lines_of_all_runs_or_of_those_asked_for(self, store: Store) -> None:
        put(store, *(made(number=n) for n in range(5)))
        log = store.read()
        assert sorted(b"\n".join(log.blocks()).split(b"\n")) == sorted(log.lines()), (
            "blocks() hold other lines than lines()"
        )
        asked = [run_id(n) for n in (4, 0, 4)]
        assert b"\n".join(log.blocks(asked)).split(b"\n") == list(log.lines(asked)), (
            "blocks() of some runs hold other lines than lines(), or in another order"
        )

    def test_lines_come_in_the_order_asked_for_even_twice(self, store: Store) -> None:
        put(store, *(made(number=n) for n in range(5)))
        wanted = [run_id(n) for n in (4, 0, 4, 2)]
        assert [record_of(line).run_id for line in store.read().lines(wanted)] == wanted

    def test_all_lines_come_when_none_is_named(self, store: Store) -> None:
        put(store, *(made(number=n) for n in range(5)))
        assert {record_of(line).run_id for line in store.read().lines()} == {
            run_id(n) for n in range(5)
        }

    def test_a_line_is_the_record_s_document(self, store: Store) -> None:
        put(store, made(metrics={"x": 1}))
        (line,) = store.read().lines()
        assert record_of(line) == made(metrics={"x": 1})
        assert document_of(made())["t"] == "run"

    def test_a_line_of_a_run_without_a_record_is_a_key_error(self, store: Store) -> None:
        with pytest.raises(KeyError):
            next(store.read().lines([run_id()]))

    def test_a_log_does_not_change_when_the_store_does(self, store: Store) -> None:
        put(store, made())
        log = store.read()
        put(store, made(number=1))
        assert len(log) == 1, "a log that was read has changed with the store"
        assert len(store.read(log)) == 2, "reading on from a log does not find what was put since"

    def test_reading_on_gives_what_reading_anew_gives(
        self, store: Store, open_store: OpenStore
    ) -> None:
        log = store.read()
        for n in range(4):
            put(store, made(Status.FAILED, number=n), made(number=n // 2))
            log = store.read(log)
        anew = open_store().read()
        assert {i: log.state(i) for i in log} == {i: anew.state(i) for i in anew}, (
            "reading on gives other states than reading anew"
        )

    def test_reading_on_sees_what_other_writers_have_put_meanwhile(
        self, store: Store, open_store: OpenStore
    ) -> None:
        other = open_store()
        with store.writer("launch") as early, store.writer("launch") as late:
            early.put(made(number=0))
            log = other.read()
            late.put(made(number=1))
            early.put(made(number=2))
            log = other.read(log)
            assert sorted(log) == [run_id(n) for n in range(3)], "reading on has missed a run"
            late.put(made(Status.FAILED, number=3))
            early.put(made(number=0, attempt=2))
            log = other.read(log)
        assert sorted(log) == [run_id(n) for n in range(4)], "reading on has missed a run"
        attempts = [state and state.attempt for state in log.states(sorted(log))]
        assert attempts == [2, 1, 1, 1], "reading on has missed a later attempt"

    def test_a_log_of_before_can_be_read_on_from_twice(self, store: Store) -> None:
        put(store, made())
        first = store.read()
        put(store, made(number=1))
        assert len(store.read(first)) == 2, "reading on from a log does not find what was put since"
        put(store, made(number=2))
        assert len(store.read(first)) == 3, "a log can be read on from only once"

    def test_who_reads_while_others_write_sees_whole_records_and_never_fewer(
        self, store: Store, open_store: OpenStore
    ) -> None:
        records = [made(number=n, index=n, metrics={"n": n}) for n in range(100)]
        writing = threading.Thread(target=put, args=(store, *records))
        reader = open_store()
        log, seen = reader.read(), 0
        writing.start()
        try:
            while writing.is_alive():
                log = reader.read(log)
                assert len(log) >= seen, "who reads on sees fewer runs than before"
                seen = len(log)
                found = [record_of(line) for line in log.lines()]
                assert found == [records[record.index] for record in found], (
                    "who reads while others write sees records that are not whole"
                )
                writing.join(0.002)
        finally:
            writing.join()
        assert len(reader.read(log)) == 100, "in the end a reader lacks runs"

    def test_it_is_told_which_runs_have_changed(self, store: Store) -> None:
        put(store, made(Status.RUNNING), made(number=1))
        before = store.read()
        put(store, made(), made(number=2))
        assert sorted(store.read(before).changed(before)) == [run_id(0), run_id(2)], (
            "changed() names others than the run that has ended since, and the new one"
        )

    def test_pieces_hold_every_line_once(self, store: Store) -> None:
        put(store, *(made(number=n, attempt=a) for n in range(300) for a in (1, 2)))
        log = store.read()
        pieces = list(log.pieces())
        lines = [
            line for piece in pieces for block in piece.blocks() for line in block.split(b"\n")
        ]
        assert sorted(lines) == sorted(log.lines()), "pieces() hold other lines than lines()"
        assert sum(piece.size for piece in pieces) == 300, (
            "the sizes of the pieces are not of 300 runs"
        )

    def test_reading_twice_is_reading_once(self, store: Store) -> None:
        put(store, made())
        first = store.read()
        again = store.read(first)
        assert list(again.lines()) == list(first.lines()), "a second reading reads other lines"
