"""``metalab doctor``: what it checks, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

import metalab
from metalab.cli import main
from metalab.cli.filesystem import Mount, mount_of, mounts, promise_of
from metalab.cli.finding import State
from metalab.store.file import disk
from plugin_tools import core_alone


@metalab.operation
def double(params):
    return {"y": 2 * params["x"]}


@pytest.fixture
def kept(store):
    """A store with three runs of one experiment."""
    experiment = metalab.Experiment(
        name="kept",
        version="1",
        context={},
        operation=double,
        params=metalab.grid(x=[1, 2, 3]),
        seeds=metalab.seeds(base=1),
    )
    metalab.run(experiment, store, progress=False).wait()
    return store


@pytest.fixture
def doctor(capsys):
    """Check a store and return the exit code and the findings by topic."""

    def doctor(*words):
        code = main(["doctor", *words, "--json"])
        out, err = capsys.readouterr()
        assert err == ""
        document = json.loads(out)
        assert document["ok"] == (code == 0)
        return code, {each["topic"]: each for each in document["findings"]}

    return doctor


def _everything_in(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


class TestEnvironment:
    def test_a_plugin_of_this_project_that_is_not_installed_is_noted_with_its_extra(self, capsys):
        with core_alone():
            assert main(["doctor", "--json"]) == 0
        findings = json.loads(capsys.readouterr().out)["findings"]
        told = [each["text"] for each in findings if each["state"] == "note"]
        for said in (
            "not installed: slurm of metalab.executors; pip install 'metalab[slurm]'",
            (
                "not installed: postgres, postgresql of metalab.stores; "
                "pip install 'metalab[postgres]'"
            ),
        ):
            assert said in told

    def test_without_a_store_it_says_that_there_is_none(self, doctor, in_tmp):
        code, found = doctor()
        assert code == 0
        assert found["store"]["text"] == "there is none at ./experiments yet"
        assert list(in_tmp.iterdir()) == []

    def test_versions_of_python_and_metalab(self, doctor, in_tmp):
        _, found = doctor()
        assert found["python"]["details"]["executable"] == sys.executable
        assert found["metalab"]["text"] == metalab.__version__
        assert found["numpy"]["state"] == "ok"

    def test_text_has_the_same_findings(self, capsys, in_tmp):
        assert main(["doctor"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["state", "what", "finding"]
        assert [line.split()[:3] for line in lines if " metalab " in line] == [
            ["ok", "metalab", metalab.__version__]
        ]


class TestStore:
    def test_a_sound_store(self, kept, doctor):
        before = _everything_in(kept)
        code, found = doctor(kept)
        assert code == 0
        assert {topic: found[topic]["state"] for topic in ("contents", "damage", "writing")} == {
            "contents": "ok",
            "damage": "ok",
            "writing": "ok",
        }
        assert found["contents"]["details"] == {"experiments": 1, "runs": 3, "segments": 1}
        assert found["format"]["text"] == "1"
        assert abs(found["writing"]["details"]["skew_seconds"]) < 2
        assert found["space"]["details"]["free_bytes"] > 0
        after = _everything_in(kept)
        assert after == before

    def test_the_default_store_is_checked_if_it_is_there(self, kept, doctor, monkeypatch):
        monkeypatch.chdir(Path(kept).parent)
        shutil.move(kept, "experiments")
        assert doctor()[1]["contents"]["details"]["runs"] == 3

    def test_a_store_that_is_not_there_is_wrong_and_is_not_made(self, store, doctor):
        code, found = doctor(store)
        assert (code, found["store"]["text"]) == (1, f"there is no store at {store}")
        assert not Path(store).exists()

    def test_an_unknown_kind_of_store_is_wrong(self, doctor):
        code, found = doctor("nosuch://user:secret@host/db")
        assert code == 1
        assert "Unknown store scheme: nosuch" in found["store"]["text"]
        assert "secret" not in json.dumps(found)

    def test_damaged_lines_are_counted_and_located(self, kept, doctor):
        (segment,) = Path(kept).glob("*/runs/*.jsonl")
        content = segment.read_bytes()
        number = 1 + content[: content.index(b'"y":2')].count(b"\n")
        segment.write_bytes(content.replace(b'"y":2', b'"y":9'))
        code, found = doctor(kept)
        assert (code, found["damage"]["details"]["lines"]) == (1, 1)
        place = f"{segment}:{number}"
        assert found["damage"]["text"].startswith(f"1 line cannot be read: {place}: the line")
        assert found["contents"]["details"]["runs"] == 2

    def test_of_much_damage_the_first_places_are_told(self, kept, doctor):
        (segment,) = Path(kept).glob("*/runs/*.jsonl")
        segment.write_bytes(segment.read_bytes() + b"{}\n" * 9 + b"{")
        _, found = doctor(kept)
        assert found["damage"]["text"].startswith("9 lines cannot be read")
        assert found["damage"]["text"].endswith("; and 4 more")
        assert len(found["damage"]["details"]["places"]) == 9

    def test_a_newer_format_is_wrong(self, kept, doctor):
        marker = Path(kept) / "metalab-store.json"
        marker.write_text(json.dumps({"format": 99, "min_reader": 99}))
        code, found = doctor(kept)
        assert code == 1
        assert "format 99" in found["store"]["text"]

    def test_an_experiment_that_cannot_be_read_does_not_hide_the_others(self, kept, doctor):
        (folder,) = Path(kept).glob("kept_*")
        broken = folder.with_name("broken_1")
        shutil.copytree(folder, broken)
        (broken / "experiment.json").write_text('{"format": 1, "id": "broken:1"}')
        shutil.rmtree(broken / "runs")
        (broken / "runs").write_text("no folder\n")
        code, found = doctor(kept)
        assert code == 1
        assert found["experiment"]["text"].startswith("broken:1 cannot be read: ")
        assert found["contents"]["details"]["runs"] == 3

    def test_a_copy_without_its_marker_is_noted(self, kept, doctor):
        (Path(kept) / "metalab-store.json").unlink()
        code, found = doctor(kept)
        assert (code, found["format"]["state"]) == (0, "note")

    def test_one_experiments_folder(self, kept, doctor):
        (folder,) = Path(kept).glob("kept_*")
        code, found = doctor(str(folder))
        assert (code, found["store"]["details"]["experiment_id"]) == (0, "kept:1")

    def test_memory_is_told_from_a_disk(self, kept, doctor):
        if not any(mount.kind == "tmpfs" and mount.point == "/dev/shm" for mount in mounts()):
            return  # a system without it: the types are tested below by their names
        copy = Path("/dev/shm") / f"metalab-doctor-{os.getpid()}"
        shutil.copytree(kept, copy)
        try:
            code, found = doctor(str(copy))
        finally:
            shutil.rmtree(copy)
        assert (code, found["file system"]["state"]) == (0, "note")
        assert found["file system"]["text"].startswith("tmpfs at /dev/shm: memory: ")

    def test_file_times_that_differ_from_the_clock_are_wrong(self, kept, doctor, monkeypatch):
        now = time.time
        monkeypatch.setattr("metalab.cli.storage.time.time", lambda: now() - 60)
        code, found = doctor(kept)
        assert code == 1
        told = re.search(
            r"file times are ([0-9.]+) s ahead of this machine's clock", found["writing"]["text"]
        )
        assert 30 < float(told[1]) <= 60  # less by what lies between the writing and the look
        assert _hidden(kept) == []

    def test_a_folder_that_takes_no_file_is_wrong(self, kept, doctor, monkeypatch):
        def full(directory):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(disk, "temporary", full)
        code, found = doctor(kept)
        assert (code, found["writing"]["text"]) == (
            1,
            f"no file can be written to {kept}: No space left on device",
        )

    def test_a_store_that_may_only_be_read_is_noted(self, kept, doctor, monkeypatch):
        """Tests run as root, whom no mode stops."""
        monkeypatch.setattr("metalab.cli.storage.os.access", lambda *_: False)
        code, found = doctor(kept)
        assert (code, found["writing"]["state"]) == (0, "note")

    def test_a_system_that_tells_neither_types_nor_space(self, kept, doctor, monkeypatch):
        monkeypatch.setattr("metalab.cli.storage.mounts", list)
        monkeypatch.delattr("metalab.cli.storage.os.statvfs")
        code, found = doctor(kept)
        assert (code, found["file system"]["state"]) == (0, "note")
        assert "space" not in found

    def test_a_file_system_without_a_number_of_files_is_not_asked_for_it(
        self, kept, doctor, monkeypatch
    ):
        class Endless:
            f_bavail, f_frsize, f_files, f_favail = 1 << 40, 4096, 0, 0

        monkeypatch.setattr("metalab.cli.storage.os.statvfs", lambda _: Endless)
        code, found = doctor(kept)
        assert (code, "inodes" in found) == (0, False)

    def test_little_space_is_wrong(self, kept, doctor, monkeypatch):
        real = os.statvfs(kept)

        class Full:
            f_bavail, f_frsize, f_files, f_favail = 10, 4096, real.f_files or 1, 3

        monkeypatch.setattr("metalab.cli.storage.os.statvfs", lambda _: Full)
        code, found = doctor(kept)
        assert code == 1
        assert (found["space"]["state"], found["inodes"]["state"]) == ("wrong", "wrong")
        assert found["inodes"]["text"] == "room for 3 more files"


def _hidden(store):
    return [path for path in Path(store).rglob(".*") if path.is_file()]


MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /home nfs4 rw,soft,vers=4.2 0 0
old /home/me/old\\040disk xfs rw,nobarrier 0 0
first /scratch ext4 rw 0 0
second /scratch lustre rw,flock 0 0
sshfs#x /mnt/far fuse.sshfs ro,nosuid 0 0
overlay /box overlay rw 0 0
garbage
"""


class TestFileSystems:
    @pytest.fixture
    def mounted(self, tmp_path):
        path = tmp_path / "mounts"
        path.write_text(MOUNTS)
        return mounts(str(path))

    @pytest.mark.parametrize(
        ("folder", "kind"),
        [
            ("/", "ext4"),
            ("/homer", "ext4"),
            ("/home", "nfs4"),
            ("/home/me/x", "nfs4"),
            ("/home/me/old disk/x", "xfs"),
            ("/scratch/x", "lustre"),
        ],
    )
    def test_the_innermost_mount_counts_and_of_two_the_later(self, mounted, folder, kind):
        assert mount_of(Path(folder), mounted).kind == kind

    def test_links_are_followed(self, mounted, tmp_path):
        (tmp_path / "link").symlink_to("/scratch")
        assert mount_of(tmp_path / "link", mounted).kind == "lustre"

    def test_a_system_that_does_not_tell_is_no_error(self, tmp_path):
        assert mounts(str(tmp_path / "missing")) == []
        assert mount_of(tmp_path, []) is None

    def test_this_systems_own_table_is_read(self):
        if sys.platform == "linux":
            assert mount_of(Path("/proc"), mounts()).kind == "proc"

    @pytest.mark.parametrize(
        ("kind", "state", "words"),
        [
            ("ext4", State.OK, "survive a power cut"),
            ("xfs", State.OK, "survive a power cut"),
            ("nfs", State.OK, "on the server"),
            ("nfs4", State.OK, "other machines may see it some seconds later"),
            ("lustre", State.OK, "on its servers"),
            ("fuse.ceph", State.OK, "on its servers"),
            ("tmpfs", State.NOTE, "no reboot"),
            ("overlay", State.NOTE, "not its removal"),
            ("fuse.sshfs", State.NOTE, "served by a program"),
            ("fuse", State.NOTE, "served by a program"),
            ("fuseblk", State.NOTE, "foreign"),
            ("cifs", State.NOTE, "network share"),
            ("9p", State.NOTE, "folder of the host"),
            ("newfs", State.NOTE, "does not know it"),
        ],
    )
    def test_what_a_type_promises(self, kind, state, words):
        promise = promise_of(Mount("/", kind))
        assert (promise.state, words in promise.text) == (state, True), promise

    @pytest.mark.parametrize(
        ("folder", "words"),
        [
            ("/home", "mounted soft: a slow server can cost writes"),
            ("/home/me/old disk", "mounted with nobarrier"),
            ("/mnt/far", "mounted read-only"),
        ],
    )
    def test_options_that_weaken_it_are_noted(self, mounted, folder, words):
        promise = promise_of(mount_of(Path(folder), mounted))
        assert (promise.state, words in promise.text) == (State.NOTE, True), promise


class TestPlugins:
    def test_each_distribution_with_what_it_serves(self, capsys, in_tmp):
        assert main(["doctor", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["findings"]
        served = {
            each["details"]["distribution"]: each["details"]["names"]
            for each in found
            if each["topic"] == "plugins"
        }
        assert {"file", "thread", "grid"} <= set(served["metalab-core"])
