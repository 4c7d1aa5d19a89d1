"""A store is read with everyday tools, as the page that lies in it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from glob import glob

import attrs
import pytest

from core.store_tools import made, store_at
from metalab.records import Status

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
        pytest.skip(f"{program} is not installed")
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


if shutil.which("duckdb"):  # no package installs the command, so nobody is asked to have it

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


def test_the_page_names_every_folder(store):
    page = (store.root / "README.txt").read_text()
    store.put_manifest({})
    store.put_launch("l", {})
    for path in store.get_working_directory().iterdir():
        if path.is_dir():
            assert f"{path.name}/" in page
