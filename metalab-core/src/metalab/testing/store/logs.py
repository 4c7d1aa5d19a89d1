"""What runs log: lines that come back in order, each with its run and attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from metalab.records import Status
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import HOSTILE, made, put, run_id

if TYPE_CHECKING:
    from metalab.store.base import Store

__all__ = ["LogTests"]


class LogTests(StorePlace):
    """What runs log."""

    def test_lines_come_back_in_order(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.append_log(made(), "one")
            writer.append_log(made(), "two\nthree ü")
            writer.append_log(made(), "elsewhere", "my log")
            writer.put(made())
        assert store.get_log(run_id()) == "one\ntwo\nthree ü\n"
        assert store.get_log(run_id(), "my log") == "elsewhere\n"
        assert store.list_logs(run_id()) == ["my log", "run"]

    def test_runs_and_attempts_do_not_mix(self, store: Store) -> None:
        with store.writer("launch") as writer:
            for n, attempt in ((0, 1), (1, 1), (0, 2), (1, 1)):
                writer.append_log(made(number=n, attempt=attempt), f"{n} {attempt}")
            writer.put(made(attempt=2))
            writer.put(made(number=1))
        assert store.get_log(run_id()) == "0 2\n"
        assert store.get_log(run_id(1)) == "1 1\n1 1\n"

    def test_a_log_is_there_before_the_run_has_ended(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.append_log(made(), "early")
            assert store.get_log(run_id()) == "early\n", "what is logged is there only later"

    def test_the_log_of_a_worker_that_died_is_kept(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.append_log(made(), "last words")
        put(store, made(Status.FAILED))
        assert store.get_log(run_id()) == "last words\n"

    def test_no_log_is_none(self, store: Store) -> None:
        put(store, made())
        assert store.get_log(run_id()) is None
        assert store.list_logs(run_id()) == []

    def test_people_are_told_where_a_writer_s_logs_lie(self, store: Store) -> None:
        with store.writer("launch") as writer, store.writer("launch") as silent:
            writer.append_log(made(), "a line")
            writer.put(made())
            silent.put(made(number=1))
        place = store.place_of_log(writer.name)
        assert writer.name in place, (
            f"place_of_log() of a writer that has logged says {place!r}, in which its name is not: "
            "it names the place in words, and is left out where logs() names the writer"
        )
        place = store.place_of_log(silent.name)
        assert place == "", f"place_of_log() of a writer that has logged nothing says {place!r}"

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_log_may_have_any_name(self, store: Store, name: str) -> None:
        with store.writer("launch") as writer:
            writer.append_log(made(), f"to {name!r}", name)
            writer.append_log(made(), "to another", "another")
            writer.put(made())
        assert store.get_log(run_id(), name) == f"to {name!r}\n"
        assert len(store.list_logs(run_id())) == 2, "names of logs have met"
