"""Lines and logs that come from another store, and all that goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalab.records import Status
from metalab.store.base import LogLine
from metalab.store.file.config import FileStoreConfig
from metalab.store.names import file_name
from metalab.store.transfer import export_store
from metalab.testing.faults import deliver_again
from metalab.testing.store.place import StorePlace
from metalab.testing.store.samples import EXPERIMENT, kept, made, put, run_id
from metalab.testing.store.telling import fill, said

if TYPE_CHECKING:
    from pathlib import Path

    from metalab.store.base import Store
    from metalab.store.config import StoreConfig

__all__ = ["CopyingTests"]


class CopyingTests(StorePlace):
    """Lines and logs that are copied from one store to another."""

    def test_the_history_of_a_run_is_every_line_about_it(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.put(made(Status.FAILED))
            writer.put_series(made(attempt=2), "loss", [(0, 1.0)])
            writer.put(made(attempt=2))
            writer.put(made(number=1))
        store.put_derived(run_id(), "f", {"x": 1})
        store.delete_run(run_id(1))
        log = store.read()
        histories = list(log.history([run_id(1), run_id(9), run_id(), run_id(1)]))
        assert [len(lines) for lines in histories] == [2, 0, 4, 2], (
            "history() of runs gives more or fewer lines than there are about each: those of "
            "records, series, derived values and forgetting"
        )
        assert not any(line.endswith(b"\n") for lines in histories for line in lines), (
            "history() gives lines with their line end"
        )

    def test_every_run_that_a_line_is_about_is_a_subject_once(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.put(made())
            writer.put(made(attempt=2))
            writer.put_series(made(number=1), "loss", [(0, 1.0)])
            writer.forget(run_id(2), 1)
        assert sorted(store.read().subjects()) == [run_id(0), run_id(1), run_id(2)]

    def test_a_copied_line_stays_as_it_is_and_counts_as_it_did(
        self, config: StoreConfig, store: Store
    ) -> None:
        put(store, made(attempt=2, metrics={"x": 2}))
        (line,) = store.read().lines()
        with config.scoped("other:1").connect() as other, other.writer("copy") as writer:
            writer.put(made(attempt=1))
            writer.put(made(Status.FAILED, attempt=9))
            assert writer.copy(line).rstrip(b"\n") == line, "copy() has changed a line"
            assert list(other.read().lines([run_id()])) == [line], "a copied line does not count"

    def test_a_line_copied_twice_is_one_attempt(self, store: Store) -> None:
        put(store, made())
        (line,) = store.read().lines()
        with store.writer("copy") as writer:
            writer.copy(line)
        assert store.read().attempts(run_id()) == [line], "a line copied twice counts twice"

    def test_logs_are_those_of_every_attempt_by_writer_in_order(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.append_log(made(), "one\ntwo")
            writer.append_log(made(attempt=2), "three", "Name")
            writer.put(made(attempt=2))
            name = writer.name
        with store.writer("launch") as writer:
            writer.append_log(made(number=1), "")
        logs = store.logs()
        assert (
            list(logs[name])
            == list(logs[name])
            == [
                LogLine(run_id(), 0, 1, "run", "one"),
                LogLine(run_id(), 0, 1, "run", "two"),
                LogLine(run_id(), 0, 2, file_name("Name"), "three"),
            ]
        )
        assert len(logs) == 2, "logs() names more or fewer writers than have logged"

    def test_copied_log_lines_follow_those_that_are_there(self, store: Store) -> None:
        with store.writer("launch") as writer:
            writer.append_log(made(), "one")
            writer.put(made())
            name = writer.name
        for text in ("two", "three"):
            with store.writer("copy") as writer:
                writer.copy_log(name, [LogLine(run_id(), 0, 1, "run", text)])
                writer.copy_log("other.0.h.t", [])
        assert store.get_log(run_id()) == "one\ntwo\nthree\n"
        assert list(store.logs()) == [name]

    def test_a_configuration_holds_itself_and_its_experiments(self, config: StoreConfig) -> None:
        scoped = config.scoped(EXPERIMENT)
        assert config.holds(config), "a collection does not hold itself"
        assert config.holds(scoped), "a collection does not hold its experiment"
        assert scoped.holds(scoped), "an experiment's store does not hold itself"
        assert not scoped.holds(config), "an experiment's store holds its collection"
        assert not scoped.holds(config.scoped("other:1")), "it holds another experiment's store"

    def test_lines_delivered_again_in_whatever_order_change_nothing(self, store: Store) -> None:
        fill(store)
        before = said(store)
        for _ in range(2):
            assert deliver_again(store) > 0, "the store has no lines to deliver again"
            assert said(store) == before, "lines that arrive twice change what the store says"

    def test_all_is_copied_out_and_in_again(
        self, config: StoreConfig, store: Store, tmp_path: Path
    ) -> None:
        fill(store)
        before = said(store, patches=self.keeps_patches)
        files = FileStoreConfig(tmp_path / "copied out", commit_interval=0.01)
        counts = export_store(config, files)
        assert counts == {"runs": 2, "derived": 2, "logs": 3, "artifacts": 2}, "what was copied"
        with files.open().scoped(EXPERIMENT) as copied:
            assert said(copied, patches=self.keeps_patches) == before
        assert set(export_store(files, config).values()) == {0}, "what is there is copied again"
        assert said(store, patches=self.keeps_patches) == before

    def test_all_is_copied_in(self, config: StoreConfig, store: Store, tmp_path: Path) -> None:
        files = FileStoreConfig(tmp_path / "to be copied in", commit_interval=0.01)
        with files.connect().scoped(EXPERIMENT) as source:
            fill(source)
            there = said(source, patches=self.keeps_patches)
        assert export_store(files, config)["artifacts"] == 2
        assert said(store, patches=self.keeps_patches) == there
        assert set(export_store(files, config).values()) == {0}, "what is there is copied again"

    def test_the_better_record_of_two_stores_counts(
        self, config: StoreConfig, store: Store, tmp_path: Path
    ) -> None:
        files = FileStoreConfig(tmp_path / "another", commit_interval=0.01)
        with files.connect().scoped(EXPERIMENT) as source:
            put(source, made(Status.FAILED, attempt=2), made(number=1, metrics={"x": 1}))
        put(store, made(metrics={"x": 2}), made(Status.FAILED, number=1, attempt=3))
        export_store(files, config)
        assert kept(store).metrics == {"x": 2}
        assert kept(store, 1).metrics == {"x": 1}
