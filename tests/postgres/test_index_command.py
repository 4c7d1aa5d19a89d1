"""``metalab index`` on a real server, and where there is no index."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

import metalab
from metalab.cli import main
from postgres.pg_launching import launch


@metalab.operation
def square(params):
    return {"y": params["x"] ** 2}


def launched(store, runs):
    return launch(square, store, runs)


@pytest.fixture
def store(pg_store):
    return pg_store


@pytest.fixture
def locator(store):
    launched(store.to_filestore(), 5)
    return store.locator


def waits_for(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


def said(capsys, *words):
    code = main(["index", *words])
    return code, capsys.readouterr().out


class TestActions:
    def test_it_is_brought_up_to_date_once(self, locator, capsys):
        assert said(capsys, "update", locator) == (0, "indexed: 5 lines\n")
        assert said(capsys, "update", locator) == (0, "indexed: 0 lines\n")

    def test_it_is_told_how_it_stands(self, locator, capsys):
        code, out = said(capsys, "status", locator, "--json")
        behind = json.loads(out)
        assert code == 0
        assert behind["lag_bytes"] > 0
        said(capsys, "update", locator)
        status = json.loads(said(capsys, "status", locator, "--json")[1])
        assert status["lag_bytes"] == 0
        assert status["experiments"][0]["runs"] == 5
        code, out = said(capsys, "status", locator)
        assert "e:1" in out

    def test_a_difference_is_named_and_rebuilding_mends_it(self, store, locator, capsys):
        said(capsys, "update", locator)
        assert said(capsys, "verify", locator) == (0, "the index is what the files say\n")
        with store.index._link.session() as connection, connection.transaction():
            connection.execute(f"UPDATE {store.config.schema}.runs SET attempt = 7")
        code, out = said(capsys, "verify", locator)
        assert code == 1
        assert "record is" in out
        assert said(capsys, "rebuild", locator)[0] == 0
        assert said(capsys, "verify", locator)[0] == 0

    def test_a_rebuild_says_how_far_it_is(self, store, locator):
        told = []
        lines = store.index.rebuild(on_progress=lambda done, total: told.append((done, total)))
        assert lines == 5
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert told[-1] == (told[-1][1], told[-1][1])
        size = sum(each.stat().st_size for each in store.root.rglob("runs/*.jsonl"))
        assert told[-1][0] == size

    def test_it_is_followed_until_ctrl_c(self, store, locator):
        words = [sys.executable, "-m", "metalab", "index", "follow", locator, "--interval", "0.1"]
        with subprocess.Popen(words) as follower:
            waits_for(lambda: store.index.status().lag_bytes == 0)
            launched(store.to_filestore(), 9)
            waits_for(lambda: store.index.status().experiments[0].runs == 9)
            follower.send_signal(signal.SIGINT)
            assert follower.wait(30) == 0


def test_a_store_without_an_index_says_so(tmp_path, capsys):
    launched(str(tmp_path), 1)
    assert main(["index", "status", str(tmp_path)]) == 2
    assert "keeps no index" in capsys.readouterr().err
