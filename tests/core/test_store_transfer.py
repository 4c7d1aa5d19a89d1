"""Copying folders: crashes, live sources, moved copies, damage, and what it costs."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import subprocess
import sys
import textwrap
import threading

import attrs
import pytest

import metalab
from core.store_tools import EXPERIMENT, made, run_id
from memory_tools import traced_memory
from metalab.errors import StoreError, StoreWarning
from metalab.store import FileStore, FileStoreConfig, export_store
from metalab.store.file import disk
from metalab.store.lines import line_of
from metalab.store.reading import ArtifactFile
from metalab.testing.faults import Faulty
from metalab.testing.store.samples import kept_artifact
from metalab.testing.store.telling import PATCH, fill, said


class EndsHalfway(io.BytesIO):
    """A file whose second half cannot be had."""

    def read(self, size=-1):
        if self.tell() > len(self.getbuffer()) // 2:
            raise OSError("the server is away")
        return super().read(size)


@pytest.fixture
def source(tmp_path):
    with FileStoreConfig(tmp_path / "one", commit_interval=0.01).connect() as collection:
        yield collection.scoped(EXPERIMENT)


@pytest.fixture
def other(tmp_path):
    return FileStoreConfig(tmp_path / "other", commit_interval=0.01)


def opened(config):
    return config.open().scoped(EXPERIMENT)


class TestPlaces:
    def test_a_copy_is_moved_renamed_and_read_without_the_right_to_write(self, source, tmp_path):
        fill(source)
        export_store(source, tmp_path / "copy")
        before = said(source)
        shutil.rmtree(source.root)
        moved = tmp_path / "else" / "where"
        moved.parent.mkdir()
        (tmp_path / "copy").rename(moved)
        for path in [*moved.rglob("*"), moved]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        assert said(FileStore(moved).scoped(EXPERIMENT)) == before
        run = metalab.load_results(moved).successful[0]
        assert run.artifact("a/b") == b"small"
        assert run.log() == "second try\nof two lines\n"

    def test_an_experiment_s_own_folder_may_be_either_side(self, source, tmp_path, other):
        fill(source)
        alone = tmp_path / "alone"
        shutil.copytree(source.get_working_directory(), alone)
        export_store(alone, other)
        assert said(opened(other)) == said(source)
        assert export_store(source, opened(other).get_working_directory())["runs"] == 0

    def test_places_within_the_source_are_refused_under_every_name(self, source, tmp_path):
        fill(source)
        folder = source.get_working_directory()
        (tmp_path / "link").symlink_to(source.root)
        before = sorted(source.root.rglob("*"))
        for place in (
            source.root / "copy",
            folder,
            folder / "copy",
            tmp_path / "link",
            tmp_path / "link" / "copy",
            f"{source.root}/../one",
            f"file://{source.root}",
        ):
            with pytest.raises(ValueError, match="name another destination"):
                export_store(source.root, place)
        for place in (source.root, folder / "copy", tmp_path / "link"):
            with pytest.raises(ValueError, match="name another destination"):
                export_store(folder, place)
        assert sorted(source.root.rglob("*")) == before

    def test_a_backup_below_the_destination_may_be_brought_back(self, source):
        fill(source)
        backup = source.root.parent / "elsewhere"
        export_store(source.root, backup)
        inside = source.root / "backup"
        backup.rename(inside)
        assert export_store(inside, source.root)["runs"] == 0


class TestInterruption:
    @pytest.mark.parametrize("after", [1, 2, 3, 5, 8, 13, 21, 34])
    def test_a_copy_that_was_killed_is_finished_by_the_next(self, source, other, after):
        fill(source)
        script = textwrap.dedent("""
            import os, signal, sys
            from metalab.store import export_store
            from metalab.store.file import disk

            left = int(sys.argv[3])
            def counted(real):
                def call(*args):
                    global left
                    left -= 1
                    if not left:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*args)
                return call
            for name in ("write", "create", "sync", "sync_directory", "publish", "replace"):
                setattr(disk, name, counted(getattr(disk, name)))
            export_store(sys.argv[1], sys.argv[2])
        """)
        words = [sys.executable, "-c", script, source.root, other.root, str(after)]
        done = subprocess.run(words, check=False)
        assert done.returncode in {0, -signal.SIGKILL}
        export_store(source.root, other)
        assert said(opened(other)) == said(source)

    def test_a_full_disk_is_an_error_and_the_next_copy_goes_on(self, source, other, monkeypatch):
        fill(source)
        real = disk.write
        full = FileStoreConfig(other.root, commit_interval=0.01, store_timeout=0.2)

        def write(fd, data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(disk, "write", write)
        with pytest.raises(StoreError, match="free some space"):
            export_store(source, full)
        monkeypatch.setattr(disk, "write", real)
        export_store(source, other)
        assert said(opened(other)) == said(source)

    @pytest.mark.parametrize("number", range(1, 9))
    def test_a_sync_that_fails_anywhere_loses_nothing(self, source, other, monkeypatch, number):
        fill(source)
        other.connect()
        monkeypatch.setattr(disk, "sync", Faulty(disk.sync, {number}))
        with contextlib.suppress(StoreError):
            export_store(source, other)
        export_store(source, other)
        assert said(opened(other)) == said(source)
        assert opened(other).read().damage == ()


class TestLiveSources:
    def test_a_source_in_use_is_copied_and_completed_later(self, source, other):
        stop = threading.Event()

        def work():
            with source.writer("live") as writer:
                for number in range(500):
                    record = made(number)
                    writer.append_log(record, f"line {number}")
                    kept = kept_artifact(writer, record, "a", b"%d" % number)
                    writer.put(attrs.evolve(record, artifacts=[kept]))
                    if stop.wait(0.001):
                        return

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for _ in range(3):
                export_store(source.root, other)
                assert opened(other).read().damage == ()
        finally:
            stop.set()
            worker.join()
        export_store(source.root, other)
        assert said(opened(other)) == said(source)

    def test_two_copies_at_once_give_every_answer_that_one_gives(self, source, other):
        fill(source)
        threads = [
            threading.Thread(target=export_store, args=(source.root, other)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        export_store(source.root, other)
        ours, theirs = said(source, logs=False), said(opened(other), logs=False)
        for each in (ours, theirs):  # two that log at once may log a line twice
            each["runs"] = {run: found[:3] for run, found in each["runs"].items()}
        assert theirs == ours


class TestDamage:
    def test_a_damaged_line_is_told_and_the_rest_is_copied(self, source, other):
        fill(source)
        (segment, *_) = sorted((source.get_working_directory() / "runs").glob("launch*"))
        lines = segment.read_bytes().splitlines(keepends=True)
        lines[-2] = lines[-2].replace(b'"score":2.5', b'"score":9.5')
        segment.write_bytes(b"".join(lines))
        with pytest.warns(StoreWarning, match=rf"{segment.name}:\d+: the line is damaged"):
            export_store(source.root, other)
        assert run_id(0) in opened(other).read()

    def test_a_damaged_artifact_is_told_and_never_copied_as_good(self, source, other):
        fill(source)
        (large,) = (source.get_working_directory() / "artifacts").rglob("*.gz")
        large.write_bytes(b"other" * 100_000)
        (pack,) = (source.get_working_directory() / "packs").glob("*.tar")
        pack.write_bytes(pack.read_bytes().replace(b"small", b"smell"))
        with pytest.warns(StoreWarning, match="2 not copied: .*damaged.*damaged"):
            assert export_store(source.root, other)["artifacts"] == 0
        for artifact in opened(other).list_artifacts(run_id(0)):
            with pytest.raises(StoreError, match="gone"):
                opened(other).open_artifact(artifact)

    def test_an_artifact_that_ends_halfway_is_told_and_leaves_nothing(
        self, source, other, monkeypatch
    ):
        """A store elsewhere may fail while the bytes are on their way."""
        with source.writer("launch") as writer:
            artifact = kept_artifact(writer, made(), "a", b"x" * 5_000_000)
            writer.put(made(artifacts=[artifact]))
        monkeypatch.setattr(FileStore, "artifact_file", lambda *_: ArtifactFile("bin"))
        monkeypatch.setattr(FileStore, "open_artifact", lambda *_: EndsHalfway(b"x" * 5_000_000))
        with pytest.warns(StoreWarning, match="'a' was not copied: the server is away"):
            assert export_store(source.root, other)["runs"] == 1
        copied = opened(other)
        assert copied.list_artifacts(run_id()) == [artifact]
        assert not [path for path in copied.root.rglob("artifacts/*/*") if path.is_file()]

    def test_a_damaged_manifest_is_told_and_the_runs_are_copied(self, source, other):
        fill(source)
        (manifest,) = (source.get_working_directory() / "manifests").glob("*.json")
        manifest.write_text("{")
        with pytest.warns(StoreWarning, match=r"manifests.*damaged"):
            assert export_store(source.root, other)["runs"] == 2

    def test_a_launch_of_the_same_name_is_told_and_not_replaced(self, source, other):
        fill(source)
        with other.connect().scoped(EXPERIMENT) as store:
            store.put_launch("launch", {"started": "another"})
        with pytest.warns(StoreWarning, match="the launch launch was not copied"):
            export_store(source.root, other)
        assert opened(other).launches() == {"launch": {"started": "another"}}

    def test_a_launch_is_copied_once_under_its_whole_name_however_long(self, source, other):
        name = "a long name " * 30
        source.put_launch(name, {"started": "now"})
        for _ in range(2):
            export_store(source.root, other)
        assert opened(other).launches() == {name: {"started": "now"}}

    def test_changes_of_a_checkout_are_copied_and_damaged_ones_are_told(
        self, source, other, tmp_path
    ):
        fill(source)
        export_store(source.root, other)
        (copy,) = opened(other).get_working_directory().glob("patches/*")
        assert copy.read_bytes() == PATCH
        (patch,) = source.get_working_directory().glob("patches/*")
        patch.write_bytes(b"another")
        third = FileStoreConfig(tmp_path / "third")
        with pytest.warns(StoreWarning, match=r"patches.*damaged"):
            assert export_store(source.root, third)["runs"] == 2
        assert not list(opened(third).get_working_directory().glob("patches/*"))

    def test_lines_of_a_later_version_are_copied_as_they_are(self, source, other):
        fill(source)
        later = {"t": "later", "id": run_id(0), "writer": "w", "part": 1, "seq": 1, "new": [1]}
        with source.writer("x") as writer:
            writer.copy(line_of(later)[:-1])
        assert export_store(source.root, other)["runs"] == 2
        (lines,) = opened(other).read().history([run_id(0)])
        assert line_of(later)[:-1] in lines
        assert opened(other).read().damage == ()

    def test_a_log_line_that_is_no_text_keeps_its_bytes(self, source, other):
        fill(source)
        (log,) = (source.get_working_directory() / "logs").glob("*.log")
        with log.open("ab") as file:
            file.write(f"{run_id(0)} 0.2 run ".encode() + b"\xff\x00\r\n" + b"no line of a log\n")
        export_store(source.root, other)
        (copy,) = (opened(other).get_working_directory() / "logs").glob("*.log")
        assert copy.read_bytes() == log.read_bytes().removesuffix(b"no line of a log\n")


class TestNames:
    def test_artifacts_keep_their_endings_and_large_ones_their_names(self, source, other):
        fill(source)
        export_store(source.root, other)
        there = opened(other).get_working_directory()
        here = source.get_working_directory()
        names = [p.relative_to(here) for p in (here / "artifacts").rglob("*") if p.is_file()]
        assert [p.relative_to(there) for p in (there / "artifacts").rglob("*.tar.gz")] == names
        (pack,) = (there / "packs").glob("*.tar")
        listed = subprocess.run(["tar", "tf", pack], check=False, capture_output=True, text=True)
        assert listed.stdout == f"{run_id(0)}/2/a%2fb.bin\n"

    def test_logs_of_long_and_strange_names_are_found_in_the_copy(self, source, other):
        names = ["é" * 90, "a~b", "A", "..", ""]
        with source.writer("launch") as writer:
            for name in names:
                writer.append_log(made(), name, name)
            writer.put(made())
        export_store(source.root, other)
        export_store(source.root, other)
        for name in names:
            assert opened(other).get_log(run_id(), name) == f"{name}\n"


class TestCost:
    def test_ten_thousand_runs_are_copied_in_little_memory(self, source, other):
        with source.writer("launch") as writer:
            for number in range(10_000):
                writer.put(made(number, params_resolved={"x": "y" * 4000}))
        with traced_memory() as taken:
            assert export_store(source.root, other, include_logs=False)["runs"] == 10_000
        written = sum(path.stat().st_size for path in source.root.rglob("*.jsonl"))
        assert written > 40_000_000
        assert taken.peak < 20_000_000

    def test_a_large_artifact_of_a_store_without_files_is_copied_in_little_memory(
        self, source, other, monkeypatch
    ):
        data = b"x" * 50_000_000
        with source.writer("launch") as writer:
            artifact = kept_artifact(writer, made(), "a", data)
            writer.put(made(artifacts=[artifact]))
        monkeypatch.setattr(FileStore, "artifact_file", lambda *_: ArtifactFile("bin"))
        with traced_memory() as taken:
            assert export_store(source.root, other)["artifacts"] == 1
        assert taken.peak < 10_000_000
        monkeypatch.undo()
        with opened(other).open_artifact(artifact) as file:
            assert file.read() == data

    def test_nothing_is_written_where_there_is_nothing_new(self, source, other):
        fill(source)
        export_store(source.root, other)
        before = {path: path.stat().st_mtime_ns for path in opened(other).root.rglob("*")}
        export_store(source.root, other)
        assert {path: path.stat().st_mtime_ns for path in opened(other).root.rglob("*")} == before

    def test_nothing_in_the_source_is_written(self, source, other):
        fill(source)
        source.close()
        before = {path: path.stat().st_mtime_ns for path in source.root.rglob("*")}
        export_store(source.root, other, overwrite=True)
        assert {path: path.stat().st_mtime_ns for path in source.root.rglob("*")} == before


class TestRunsOfTheRunner:
    def test_data_manifests_and_artifacts_of_real_runs_are_found_in_the_copy(self, tmp_path):
        @metalab.operation
        def work(params, capture):
            capture.data("small", {"t": (1, params["x"])})
            capture.data("long", list(range(20_000)))
            capture.artifact("a", {"k": params["x"]})
            capture.metric("loss", 0.5, step=1)
            capture.metric("y", params["x"])
            capture.log("said")

        experiment = metalab.Experiment(
            name="real",
            version="1",
            context={},
            operation=work,
            params=metalab.grid(x=[1, 2]),
            seeds=metalab.seeds(base=1),
            metadata={"who": "me"},
        )
        metalab.run(experiment, tmp_path / "a", progress=False, derived_metrics=[_twice]).result()
        assert export_store(tmp_path / "a", tmp_path / "b") == {
            "runs": 2,
            "derived": 2,
            "logs": 2,
            "artifacts": 4,
        }
        ours, theirs = metalab.load_results(tmp_path / "a"), metalab.load_results(tmp_path / "b")
        for one, other in zip(ours, theirs, strict=True):
            assert other.data("small") == one.data("small")
            assert other.data("long") == one.data("long")
            assert other.artifact("a") == one.artifact("a")
            assert [a.name for a in other.artifacts()] == [a.name for a in one.artifacts()]
            assert other.series("loss") == [(1, 0.5)]
            assert other.log() == one.log()
            assert other.derived == one.derived == {"twice": 2 * one.params["x"]}
            assert other.experiment == one.experiment
            assert other.provenance == one.provenance
        again = metalab.run(experiment, tmp_path / "b", progress=False)
        again.result()
        assert again.status.skipped == 2


def _twice(run):
    return {"twice": 2 * run.params["x"]}


class TestMaintenance:
    def test_a_copy_is_as_sound_as_its_source(self, source, other):
        fill(source)
        source.close()
        export_store(source.root, other)
        assert [store.inspect().flaws for store in (source, opened(other))] == [(), ()]

    def test_stores_that_were_compacted_are_copied_like_others(self, source, other):
        fill(source)
        source.close()
        export_store(source.root, other)
        before = said(source)
        for store in (source, opened(other)):
            store.compact(gzip=True)
        assert set(export_store(source.root, other).values()) == {0}
        source.put_derived(run_id(0), "g", {"y": 1})
        assert export_store(source.root, other)["derived"] == 1
        assert said(opened(other)) == said(source) != before
