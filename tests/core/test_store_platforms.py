"""A store works where a call of the platform is missing."""

from __future__ import annotations

import errno
import importlib
import os
import re
import resource
import sys

import pytest

from core.store_tools import EXPERIMENT, made, store_at
from metalab.store import FileStoreConfig, host
from metalab.store.file import disk
from metalab.store.file.options import Options
from metalab.store.file.writer import FileWriter


class TestPlatforms:
    """Each call that a platform may lack is taken away in turn."""

    @pytest.fixture(autouse=True)
    def restored(self):
        yield
        importlib.reload(disk)

    def works(self, tmp_path) -> None:
        store = store_at(tmp_path)
        store.put_manifest({"a": 1})
        with store.writer("w") as writer:
            writer.append_log(made(), "text")
            uri, _, _ = writer.put_artifact(made(), "a", b"x" * 300_000, extension="bin")
            writer.put(made())
        assert store.list_run_records() == [made()]
        with store.open_artifact(uri) as file:
            assert file.read() == b"x" * 300_000

    @pytest.mark.parametrize("name", ["fdatasync", "O_CLOEXEC", "link", "register_at_fork"])
    def test_a_platform_without_it(self, tmp_path, monkeypatch, name):
        monkeypatch.delattr(os, name)
        importlib.reload(disk)
        disk.after_fork(int)  # for the life of this process: it does nothing, and says nothing
        self.works(tmp_path)

    def test_a_platform_without_fcntl(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "fcntl", None)
        importlib.reload(disk)
        assert disk.fcntl is None
        self.works(tmp_path)

    def test_a_platform_whose_directories_cannot_be_synced(self, tmp_path, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr(disk.os, "name", "nt")
            disk.sync_directory(tmp_path / "does not even exist")

    def test_a_mac_s_drive_is_told_to_empty_its_cache(self, tmp_path, monkeypatch):
        told = []
        monkeypatch.setattr(disk.sys, "platform", "darwin")
        monkeypatch.setattr(disk.fcntl, "F_FULLFSYNC", 51, raising=False)
        monkeypatch.setattr(disk.fcntl, "fcntl", lambda fd, what: told.append(what))
        self.works(tmp_path)
        assert set(told) == {51}

    def test_a_platform_without_proc_knows_less_of_itself(self, monkeypatch):
        monkeypatch.setattr(host, "_PROC", host._PROC / "nowhere")
        identity = host.process_identity()
        assert identity["pid"] == os.getpid()
        assert (identity["boot"], identity["pid_start"], identity["pid_ns"]) == (None, None, None)

    def test_an_uninstalled_metalab_says_so(self, monkeypatch):
        def version(_):
            raise host.PackageNotFoundError

        monkeypatch.setattr(host, "version", version)
        host.metalab_version.cache_clear()
        try:
            assert host.metalab_version() == "0+source"
        finally:
            host.metalab_version.cache_clear()

    def test_a_process_is_told_from_another_of_the_same_number(self):
        identity = host.process_identity()
        assert re.fullmatch("[0-9a-f-]{36}", identity["boot"])
        assert identity["pid_start"] > 0
        assert identity["pid_ns"].startswith("pid:[")
        assert resource.getpagesize() > 0


class TestRenames:
    def test_a_rename_that_was_done_twice_is_accepted(self, tmp_path, monkeypatch):
        """A network file system may answer a replayed rename with "no such file"."""
        target = tmp_path / "x"

        def done_before(self, path):
            self.rename(path)
            raise FileNotFoundError(errno.ENOENT, "no such file", str(self))

        monkeypatch.setattr("pathlib.Path.replace", done_before)
        with disk.temporary(tmp_path) as (file, written):
            file.write(b"abc")
            disk.replace(file, written, target, 3)
        assert target.read_bytes() == b"abc"
        with disk.temporary(tmp_path) as (file, written):
            file.write(b"abc")
            with pytest.raises(FileNotFoundError):
                disk.replace(file, written, tmp_path / "y", 4)


def test_a_configuration_sets_the_limits(tmp_path):
    config = FileStoreConfig(tmp_path, commit_interval=1, durability="os", store_timeout=2)
    assert config.options == Options(1, durable=False, timeout=2)
    assert isinstance(config.connect().scoped(EXPERIMENT).writer("w"), FileWriter)
