"""Payloads in a file store: nobody but their owner reads them, and no command does."""

from __future__ import annotations

import os
import stat

import pytest

from metalab.errors import StoreError
from metalab.store import FileStore, export_store
from metalab.store.file import disk


@pytest.fixture
def scoped(store):
    return FileStore(store).scoped("kept:1")


def _file(scoped, name):
    return scoped.get_working_directory() / "payload" / f"{name}.pkl"


def test_only_its_owner_can_read_the_file(scoped):
    before = os.umask(0)
    try:
        path = _file(scoped, scoped.put_payload(b"code"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users with numbers")
def test_another_users_is_not_opened(scoped, monkeypatch):
    name = scoped.put_payload(b"code")
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(StoreError, match="what another user wrote is not executed"):
        scoped.open_payload(name)


def test_a_disk_that_fails_is_a_store_error_and_leaves_nothing(scoped, monkeypatch):
    scoped.put_payload(b"first")

    def fail(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "sync", fail)
    with pytest.raises(StoreError, match="free some space"):
        scoped.put_payload(b"second")
    assert len(list((scoped.get_working_directory() / "payload").iterdir())) == 1


def test_inspecting_passes_over_it_and_an_export_leaves_it_out(scoped, tmp_path):
    name = scoped.put_payload(b"code")
    scoped.put_manifest({"a": 1})
    assert [flaw.kind for flaw in scoped.inspect().flaws] == []
    export_store(scoped, tmp_path / "copy")
    copy = FileStore(tmp_path / "copy").scoped("kept:1")
    assert copy.manifests() == scoped.manifests()
    with pytest.raises(StoreError, match="cannot be read"):
        copy.open_payload(name)
