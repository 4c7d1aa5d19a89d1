"""A store that launches shared, and that was compacted and compressed, is read for ever."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from metalab.records import Status
from metalab.store import FileStoreConfig
from metalab.store.claiming import Claim
from metalab.store.lines import line_of
from metalab.store.reading import Loss

GOLDEN = Path(__file__).parent / "goldens" / "store_v1_shared"
IDS = [f"{0xABC << 116 | n:032x}" for n in range(4)]
DEAD, HEIR = "la.0.node17.01111111", "lb.0.node17.01111112"
PLAN = "f" * 32


@pytest.fixture
def store():
    before = {path: path.read_bytes() for path in GOLDEN.rglob("*") if path.is_file()}
    yield FileStoreConfig(GOLDEN).open().scoped("shared:1")
    # Reading writes nothing.
    assert {path: path.read_bytes() for path in GOLDEN.rglob("*") if path.is_file()} == before


def test_its_runs_are_what_they_were(store):
    log = store.read()
    assert log.damage == ()
    states = {run_id: (log.state(run_id).status, log.state(run_id).attempt) for run_id in log}
    assert states == {
        IDS[0]: (Status.SUCCESS, 1),
        IDS[1]: (Status.SUCCESS, 2),
        IDS[2]: (Status.SUCCESS, 1),
        IDS[3]: (Status.SUCCESS, 1),
    }
    assert len(log.attempts(IDS[3])) == 2


def test_what_was_lost_and_released_is_known(store):
    log = store.read()
    assert log.losses(IDS[1]) == [Loss(0, 1, DEAD, "killed")]
    assert log.released(PLAN) == {3: {HEIR}}


def test_its_claims_have_their_owners(store):
    claims = store.claims(PLAN, 4)
    assert claims.size == 1
    assert claims.owners() == {
        0: Claim(0, 1, DEAD, "la"),
        1: Claim(1, 2, HEIR, "lb"),
        2: Claim(2, 1, HEIR, "lb"),
        3: Claim(3, 1, HEIR, "lb"),
    }
    assert store.ending(HEIR).closed
    assert store.ending(DEAD) is None


def test_what_a_merged_segment_replaces_is_passed_over(store):
    (left,) = (GOLDEN / "shared_1" / "runs").glob("lc.*")
    assert store.read().positions[left.name].offset == 0
    assert [flaw.kind for flaw in store.inspect().flaws] == ["left-behind"]


def test_today_s_lines_have_the_same_bytes():
    runs = GOLDEN / "shared_1" / "runs"
    content = [path.read_bytes() for path in runs.glob("*.jsonl")]
    content += [gzip.decompress(path.read_bytes()) for path in runs.glob("*.gz")]
    kinds = set()
    for line in b"".join(content).splitlines(keepends=True):
        document = json.loads(line)
        kinds.add(document["t"])
        del document["crc"]
        assert line_of(document) == line
    assert kinds == {"open", "plan", "start", "run", "lost", "release", "close"}
