"""Our stores keep the contract, and so does one that knows no files."""

from __future__ import annotations

import uuid

import pytest

from contract.memory_store import MemoryStoreConfig
from contract.modest_store import ModestStoreConfig
from contract.one_file_store import OneFileStoreConfig
from metalab.store import FileStoreConfig
from metalab.testing import StoreContract


class TestFileStore(StoreContract):
    @pytest.fixture
    def config(self, tmp_path):
        return FileStoreConfig(tmp_path / "store", commit_interval=0.02)

    def appended_files(self, store):
        return sorted((store.get_working_directory() / "runs").glob("*.jsonl"))


class OfOneProcess(StoreContract):
    """What a small store of this process alone cannot do."""

    is_registered = False
    is_shared_between_processes = False
    syncs_through_os = False
    keeps_launch_files = False
    can_compact = False
    can_inspect = False


class TestMemoryStore(OfOneProcess):
    @pytest.fixture
    def config(self):
        return MemoryStoreConfig(place=uuid.uuid4().hex)


class TestOneFileStore(OfOneProcess):
    """Writers may share a file, where a line of one that died may lie before those of another."""

    @pytest.fixture
    def config(self, tmp_path):
        return OneFileStoreConfig(str(tmp_path))

    def appended_files(self, store):
        return [store.path]


class TestModestStore(StoreContract):
    """Who says of all that can be missing that it is, is asked for the rest and no more."""

    is_registered = False
    is_shared_between_processes = False
    shares_plans = False
    survives_kill = False
    syncs_through_os = False
    tells_how_writers_ended = False
    keeps_patches = False
    keeps_payloads = False
    keeps_launch_files = False
    can_compact = False
    can_inspect = False

    @pytest.fixture
    def config(self):
        return ModestStoreConfig(place=uuid.uuid4().hex)
