"""A store is read with everyday tools, as the page that lies in it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from glob import glob

import attrs
import pytest

from core.store_tools import made, python, store_at
from metalab.records import ArtifactDescriptor, Status

RUN = "9f3c" + "0" * 28


@pytest.fixture
def store(tmp_path):
    store = store_at(tmp_path / "store")
    with store.writer("w") as writer:
        record = attrs.evolve(made(), run_id=RUN)
        writer.append_log(record, "it began\nit went on")
        writer.append_log(made(1), "another")
        writer.put_artifact(record, "curve", b"\x93NUMPY", extension="npy")
        writer.put(record)
        writer.put(made(1, Status.FAILED))
        writer.put(made(2))
    return store


@pytest.fixture
def commands(store) -> dict[str, str]:
    """The ways in that the store's own page names, by what they give."""
    page = (store.root / "README.txt").read_text()
    page = re.sub(r"\n {18,}", " ", page)
    return dict(re.findall(r"^  (\w[\w ]*?) {3,}(\S.*)$", page, re.MULTILINE))


def shell(store, command: str) -> str:
    program = command.split(maxsplit=1)[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed; apt-get install {program}")
    return subprocess.run(
        command,
        shell=True,
        cwd=store.get_working_directory(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_one_run_is_a_grep_away(store, commands):
    assert json.loads(shell(store, commands["one run"]))["id"] == RUN


def test_progress_is_counted(store, commands):
    counted = shell(store, commands["progress"]).split()
    assert counted == ["1", "failed", "2", "success"]


def test_a_table_is_one_query(store, commands):
    assert "success" in shell(store, commands["a table"])


def test_a_log_is_a_grep_away(store, commands):
    lines = shell(store, commands["a log"]).splitlines()
    assert [line.split(" ", 3)[3] for line in lines] == ["it began", "it went on"]


def test_an_artifact_comes_out_of_its_pack(store, commands):
    (pack,) = (store.get_working_directory() / "packs").iterdir()
    command = commands["an artifact"].replace("WRITER", pack.stem).replace("RUN", RUN)
    shell(store, command)
    assert (store.get_working_directory() / "curve.npy").read_bytes() == b"\x93NUMPY"


def test_pandas_reads_the_lines(store, commands, monkeypatch):
    pd = pytest.importorskip("pandas")
    monkeypatch.chdir(store.get_working_directory())
    frame = eval(commands["pandas"], {"pd": pd, "glob": glob})
    assert sorted(frame[frame.t == "run"].status) == ["failed", "success", "success"]


def test_every_line_is_strict_json(store):
    def refuse(name: str):
        raise AssertionError(name)

    for path in store.get_working_directory().rglob("*.jsonl"):
        for line in path.read_text().splitlines():
            json.loads(line, parse_constant=refuse)


def answers(store) -> tuple[object, ...]:
    (artifact,) = store.list_artifacts(RUN)
    with store.open_artifact(artifact) as file:
        content = file.read()
    return store.list_run_records(), store.get_log(RUN), content, store.read().damage


@pytest.fixture
def complete(store):
    """The store, with a record that names its artifact."""
    with store.writer("w") as writer:
        record = attrs.evolve(made(), run_id=RUN, attempt=2)
        kept = writer.put_artifact(record, "curve", b"\x93NUMPY", extension="npy")
        writer.append_log(record, "again")
        artifact = ArtifactDescriptor("id", "curve", "bytes", "bytes", *kept)
        writer.put(attrs.evolve(record, artifacts=[artifact]))
    return store


def test_a_store_may_be_moved_and_renamed(complete, tmp_path):
    before = answers(complete)
    moved = tmp_path / "elsewhere" / "under another name"
    moved.parent.mkdir()
    complete.root.rename(moved)
    store = store_at(moved)
    assert answers(store) == before
    with store.writer("w") as writer:
        writer.put(made(7))
    assert len(store.read()) == len(before[0]) + 1


def test_who_may_only_read_reads_all_and_is_refused_before_anything_is_run(complete):
    """In a process of its own: root, who may write anywhere, becomes somebody else there."""
    before = answers(complete)
    script = f"""if True:
        import os
        from core.store_tools import EXPERIMENT, made, store_at
        from core.test_store_by_hand import answers
        from metalab.errors import StoreError
        from metalab.store import FileStoreConfig
        import metalab.cli, metalab.store.file.writer
        root = {str(complete.root)!r}
        store = store_at(root)
        answers(store)  # imports what is imported late, while that may be read
        os.chroot(root) if os.geteuid() == 0 else None
        os.chdir("/")
        if os.geteuid() == 0:
            os.setuid(65534)
            store = FileStoreConfig("/").open().scoped(EXPERIMENT)
        records, log, content, damage = answers(store)
        assert (len(records), log, content, damage) == (3, "again\\n", b"\\x93NUMPY", ())
        delete = lambda: store.delete_run(records[0].run_id)
        put = lambda: store.put_run_record(made(9))
        for refused in (store.make, delete, put, lambda: store.put_manifest({{}})):
            try:
                refused()
            except StoreError as error:
                assert "permission" in str(error), error
            else:
                raise AssertionError(refused)
        os._exit(0)  # nothing that ends a process can be found from here
    """
    folders = [complete.root, *(path for path in complete.root.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        assert python(script).wait(120) == 0
    finally:
        for path in folders:
            path.chmod(0o755)
    assert answers(complete) == before


def test_a_live_store_is_copied_with_rsync_at_any_moment(tmp_path):
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed; apt-get install rsync")
    store = store_at(tmp_path / "live")
    copy = [*["rsync", "-a"], f"{store.root}/", f"{tmp_path / 'copy'}/"]
    sizes = []
    with store.writer("w") as writer:
        for n in range(300):
            uri, digest, size = writer.put_artifact(made(n), "a", b"%d" % n, extension="bin")
            artifact = ArtifactDescriptor("id", "a", "bytes", "bytes", uri, digest, size)
            writer.put(made(n, artifacts=[artifact]))
            if n % 60 == 0:
                subprocess.run(copy, check=True)
                log = store_at(tmp_path / "copy").read()
                assert log.damage == ()
                sizes.append(len(log))
    assert sizes == sorted(sizes)
    assert sizes[-1] > 200
    subprocess.run(copy, check=True)
    copied = store_at(tmp_path / "copy")
    assert copied.list_run_records() == store.list_run_records()
    for n, record in enumerate(copied.list_run_records()):
        assert copied.open_artifact(record.artifacts[0]).read() == b"%d" % n


def test_the_page_names_every_folder(store):
    page = (store.root / "README.txt").read_text()
    store.put_manifest({})
    store.put_launch("l", {})
    for path in store.get_working_directory().iterdir():
        if path.is_dir():
            assert f"{path.name}/" in page
