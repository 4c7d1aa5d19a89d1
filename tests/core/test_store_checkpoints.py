"""Checkpoints in a file store: the newest whole one of its user is found, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core.store_tools import made, python, run_id, store_at
from metalab.checkpoints import MemoryCheckpoints
from metalab.cli import main
from metalab.errors import PayloadError, StoreError
from metalab.records import Status
from metalab.store import FileStore, export_store
from metalab.store.file import disk
from metalab.testing.faults import Faulty

RUN = run_id(1)


@pytest.fixture
def store(tmp_path):
    return store_at(tmp_path / "store")


def of(store, attempt=1, epoch=0, run=RUN):
    return store.checkpoints(run, epoch, attempt)


def kept(store, run=RUN):
    folder = store.get_working_directory() / "checkpoints" / run
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def file_of(store, name, run=RUN) -> Path:
    return store.get_working_directory() / "checkpoints" / run / name


class TestKeeping:
    def test_the_newest_comes_back_in_this_and_later_attempts_of_its_epoch(self, store):
        assert of(store).latest() is None
        of(store).keep(b"one")
        of(store).keep(b"two")
        assert of(store).latest() == of(store, 2).latest() == of(store, 7).latest() == b"two"
        of(store, 2).keep(b"three")
        assert of(store, 3).latest() == b"three"
        assert of(store, 1).latest() == b"two"
        assert of(store, epoch=1).latest() is None
        assert of(store, run=run_id(2)).latest() is None

    def test_the_last_two_are_there_and_no_other(self, store):
        mine = of(store)
        for n in range(12):
            mine.keep(bytes([n]))
        assert kept(store) == ["0.1.11", "0.1.12"]
        of(store, 2).keep(b"next")
        assert kept(store) == ["0.1.12", "0.2.1"]
        of(store, 1, epoch=1).keep(b"anew")
        of(store, 1, epoch=1).keep(b"anew")
        assert kept(store) == ["1.1.1", "1.1.2"]

    def test_it_is_told_afterwards_which_attempt_has_kept_one(self, store):
        assert not store.has_checkpoint(RUN, 0, 1)
        of(store).keep(b"one")
        other = FileStore(store.root).scoped(store.experiment_id)
        assert other.has_checkpoint(RUN, 0, 1)
        assert not other.has_checkpoint(RUN, 0, 2)
        assert not other.has_checkpoint(RUN, 1, 1)

    def test_only_its_owner_can_read_it(self, store):
        before = os.umask(0)
        try:
            of(store).keep(b"state")
        finally:
            os.umask(before)
        assert stat.S_IMODE(file_of(store, "0.1.1").stat().st_mode) == 0o600

    @pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users with numbers")
    def test_another_users_is_not_read(self, store, monkeypatch):
        of(store).keep(b"state")
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
        with pytest.raises(
            PayloadError, match=r"what another user wrote is not executed.*metalab rm"
        ):
            of(store, 2).latest()

    def test_clearing_leaves_nothing_but_what_a_later_epoch_has_kept(self, store):
        of(store).keep(b"one")
        of(store, 2).keep(b"two")
        file_of(store, ".tmp.0123").write_bytes(b"half")
        of(store, 2).clear()
        assert not file_of(store, "").exists()
        of(store).clear()
        of(store, 1, epoch=1).keep(b"anew")
        of(store, 1).clear()
        assert kept(store) == ["1.1.1"]

    def test_a_forked_child_keeps_its_own(self, store):
        mine = of(store)
        mine.keep(b"parent")
        pid = os.fork()
        if pid == 0:
            mine.keep(b"child")
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert mine.latest() == b"child"
        mine.keep(b"parent again")
        assert kept(store) == ["0.1.2", "0.1.3"]
        assert mine.latest() == b"parent again"


class TestDamage:
    @pytest.mark.parametrize("how", ["cut", "flipped", "emptied", "no header", "longer"])
    def test_a_damaged_one_is_passed_over_in_words_for_the_one_before_it(self, store, how):
        of(store).keep(b"first" * 100)
        of(store).keep(b"second" * 100)
        path = file_of(store, "0.1.2")
        content = path.read_bytes()
        middle = len(content) - 50
        changed = {
            "cut": content[:middle],
            "flipped": content[:middle] + b"!" + content[middle + 1 :],
            "emptied": b"",
            "no header": b"\n".join(content.split(b"\n")[1:]),
            "longer": content + b"more",
        }
        path.write_bytes(changed[how])
        found = of(store, 2)
        assert found.latest() == b"first" * 100
        (warning,) = found.warnings
        assert str(path) in warning
        assert "is damaged" in warning
        assert [flaw.kind for flaw in store.inspect().flaws] == ["checkpoint"]
        assert store.inspect().is_sound
        # What is known to be damaged is not one of the two that stay.
        found.keep(b"third")
        assert kept(store) == ["0.1.1", "0.2.1"]

    def test_without_a_whole_one_a_run_begins_anew(self, store):
        of(store).keep(b"first")
        file_of(store, "0.1.1").write_bytes(b"")
        found = of(store, 2)
        assert found.latest() is None
        assert len(found.warnings) == 1

    @pytest.mark.parametrize("call", ["sync", "sync_directory", "replace"])
    def test_a_disk_that_fails_is_a_store_error_and_the_last_one_stays(
        self, store, monkeypatch, call
    ):
        of(store).keep(b"first")
        monkeypatch.setattr(disk, call, Faulty(getattr(disk, call), fail=[1], number=28))
        with pytest.raises(StoreError, match=r"a checkpoint cannot be kept.*free some space"):
            of(store).keep(b"second")
        assert not any(name.startswith(".tmp") for name in kept(store))
        assert of(store).latest() in {b"first", b"second"}

    @pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
    def test_killed_at_any_moment_a_whole_one_is_left(self, store):
        script = (
            "import sys\nfrom core.store_tools import store_at\n"
            "mine = store_at(sys.argv[1]).checkpoints(sys.argv[2], 0, 1)\n"
            "for n in range(10**9):\n"
            "    mine.keep(str(n).encode() * 5000)\n"
            "    print(n, flush=True)\n"
        )
        said = -1
        for _ in range(5):
            process = python(script, str(store.root), RUN, stdout=subprocess.PIPE, text=True)
            for _ in range(7):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            rest = process.communicate()[0].split("\n")
            said = max([6, *(int(line) for line in rest[:-1] if line)])
            found = of(store, 2)
            data = found.latest()
            assert found.warnings == []
            number = len(data) // 5000
            assert int(data[:number]) >= said
            of(store, 2).clear()


class TestLookingAfter:
    @pytest.fixture
    def ended(self, store):
        """Runs that have succeeded, failed, not ended, been forgotten, and not been seen."""
        statuses = [Status.SUCCESS, Status.FAILED, Status.RUNNING, Status.SUCCESS]
        with store.writer("launch") as writer:
            for n, status in enumerate(statuses):
                writer.put(made(n, status))
        store.delete_run(run_id(3))
        for n in range(5):
            of(store, run=run_id(n)).keep(b"state")
        store.close()
        return store

    def left(self, store):
        folder = store.get_working_directory() / "checkpoints"
        return {int(path.name, 16) for path in folder.iterdir()}

    def test_an_inspection_notes_those_of_runs_that_have_ended(self, ended):
        flaws = ended.inspect().flaws
        assert [flaw.kind for flaw in flaws] == ["checkpoint"] * 2
        assert [Path(flaw.place).parent.name for flaw in flaws] == [run_id(0), run_id(3)]
        assert ended.inspect().is_sound
        assert self.left(ended) == {0, 1, 2, 3, 4}

    def test_it_removes_them_with_the_strays(self, ended):
        removed = ended.inspect(remove_strays=True).removed
        assert len(removed) == 2
        assert self.left(ended) == {1, 2, 4}
        assert ended.inspect().flaws == ()

    def test_a_compaction_removes_them(self, ended):
        assert ended.compact(dry_run=True).checkpoints == 2
        assert self.left(ended) == {0, 1, 2, 3, 4}
        assert ended.compact().checkpoints == 2
        assert self.left(ended) == {1, 2, 4}
        assert ended.compact().checkpoints == 0

    def test_forgetting_a_run_removes_its_own(self, ended):
        ended.delete_runs([run_id(1), run_id(2)])
        assert self.left(ended) == {0, 3, 4}

    def test_an_export_leaves_them_behind(self, ended, tmp_path):
        export_store(ended.root, tmp_path / "copy")
        copy = FileStore(tmp_path / "copy").scoped(ended.experiment_id)
        assert len(copy.read()) == 3
        assert not (copy.get_working_directory() / "checkpoints").exists()

    def test_a_folder_that_is_copied_takes_them_along(self, ended, tmp_path):
        shutil.copytree(ended.root, tmp_path / "copy")
        copy = FileStore(tmp_path / "copy").scoped(ended.experiment_id)
        assert of(copy, 2, run=run_id(1)).latest() == b"state"

    def test_the_doctor_and_the_commands_tell_of_them(self, ended, capsys):
        main(["doctor", str(ended.root)])
        assert "5 checkpoints of" in (out := capsys.readouterr().out)
        assert "2 of runs that have ended" in out
        assert main(["fsck", str(ended.root)]) == 0
        assert "its run succeeded" in capsys.readouterr().out
        assert main(["compact", str(ended.root), "--dry-run"]) == 0
        assert "2 checkpoints of runs that have ended would be removed" in capsys.readouterr().out
        assert main(["compact", str(ended.root)]) == 0
        assert "2 checkpoints of runs that have ended are removed" in capsys.readouterr().out
        main(["doctor", str(ended.root)])
        assert "3 checkpoints of" in capsys.readouterr().out

    def test_the_doctor_passes_over_one_that_is_gone_since_it_was_listed(self, ended, capsys):
        file_of(ended, "0.1.2").symlink_to("what is gone")
        main(["doctor", str(ended.root)])
        assert "5 checkpoints of" in capsys.readouterr().out


def test_memory_keeps_what_later_attempts_go_on_from():
    shared = {}
    MemoryCheckpoints(shared).keep(b"one")
    MemoryCheckpoints(shared, 0, 2).keep(b"two")
    MemoryCheckpoints(shared, 1, 1).keep(b"anew")
    assert MemoryCheckpoints(shared, 0, 3).latest() == b"two"
    MemoryCheckpoints(shared, 0, 2).clear()
    assert shared == {(1, 1): b"anew"}
