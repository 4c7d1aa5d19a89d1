"""What of a store cannot be read is told in words, and is never a bare error of the disk."""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress

import attrs
import pytest

from core.store_tools import made, run_id
from metalab.errors import StoreError
from metalab.store import FileStore
from metalab.store.claiming import Claim
from metalab.store.file import disk

READERS = {
    "read": lambda kept: kept.again().read(),
    "manifests": lambda kept: kept.again().manifests(),
    "launches": lambda kept: kept.again().launches(),
    "a log": lambda kept: kept.again().get_log(run_id(0)),
    "the logs": lambda kept: kept.again().list_logs(run_id(0)),
    "an artifact": lambda kept: kept.again().open_artifact(kept.uri),
    "an ending": lambda kept: kept.again().ending(kept.writer),
    "claims": lambda kept: kept.again().claims("f" * 32, 10).owners(),
    "inspect": lambda kept: kept.again().inspect(),
    "compact": lambda kept: kept.again().compact(dry_run=True),
}


@attrs.frozen
class Kept:
    """A store, and what is in it."""

    store: FileStore
    writer: str
    uri: str

    def again(self):
        """Return the store as one that has read nothing yet."""
        return FileStore(self.store.config)


@pytest.fixture
def kept(tmp_path):
    """One of everything."""
    store = FileStore(tmp_path / "store").scoped("exp:1")
    store.make()
    store.put_manifest({"name": "exp"})
    store.put_launch("launch", {"started": "2026-01-01T00:00:00+00:00"})
    record = made(0)
    writer = store.writer("launch")
    writer.join("f" * 32)
    store.claims("f" * 32, 10).take(Claim(0, 1, writer.name, "launch"))
    uri, _, _ = writer.put_artifact(record, "a", b"bytes", extension="bin")
    writer.append_log(record, "said")
    writer.put(record)
    writer.flush()
    return Kept(store, writer.name, uri)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("folder", ["runs", "logs", "packs", "manifests", "launches", "claims"])
def test_a_file_where_a_folder_should_be(kept, read, folder):
    path = kept.store.get_working_directory() / folder
    if path.exists():
        shutil.rmtree(path)
    path.write_text("somebody's own")
    _reads_or_says_why(kept, read)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOENT])
def test_a_disk_that_refuses_to_read(kept, read, code, monkeypatch):
    def refuse(path, *_):
        raise OSError(code, "refused", str(path))

    for name in ("names", "read_all", "read_from", "read_last", "blocks", "pieces", "size_of"):
        monkeypatch.setattr(disk, name, refuse)
    _reads_or_says_why(kept, read)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("content", [b"", b"\x00" * 300, b"{}\n", b"[1]\n", b"\xff\xfe{\n" * 9])
def test_nonsense_in_every_file(kept, read, content):
    for path in kept.store.get_working_directory().rglob("*"):
        if path.is_file() and path.name != "experiment.json":
            path.write_bytes(content)
    _reads_or_says_why(kept, read)


@pytest.mark.parametrize("said", ["{}", '{"id": "exp1"}', '{"id": ":1"}', '{"id": 7}'])
def test_an_experiment_without_a_name_is_told_with_its_file(kept, said):
    path = kept.store.get_working_directory() / "experiment.json"
    path.write_text(said)
    with pytest.raises(StoreError, match=r"experiment\.json names no experiment; restore it"):
        FileStore(kept.store.root).list_experiments()


def _reads_or_says_why(kept, read):
    with suppress(StoreError):
        read(kept)
