"""A store of the first format is read for ever, and today's lines are still its lines."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from metalab.records import Status
from metalab.store import FileStoreConfig
from metalab.store.document import record_line, record_of
from metalab.store.lines import Stamp, line_of

GOLDEN = Path(__file__).parent / "goldens" / "store_v1"
IDS = [f"{0x9F3C << 112 | n:032x}" for n in range(6)]


@pytest.fixture
def store():
    before = {path: path.read_bytes() for path in GOLDEN.rglob("*") if path.is_file()}
    yield FileStoreConfig(GOLDEN).open().scoped("my_Exp:1.0_b")
    # Reading writes nothing.
    assert {path: path.read_bytes() for path in GOLDEN.rglob("*") if path.is_file()} == before


def golden_lines() -> list[bytes]:
    paths = (GOLDEN / "my_%45xp_1.0%5fb" / "runs").iterdir()
    whole = [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]
    return [line for line in whole if line.endswith(b'"}\n')]


def test_its_experiment_is_listed(store):
    assert FileStoreConfig(GOLDEN).list_experiments() == ["my_Exp:1.0_b"]
    assert store.get_working_directory().name == "my_%45xp_1.0%5fb"


def test_its_runs_are_what_they_were(store):
    log = store.read()
    assert log.damage == ()
    assert {run_id: (log.state(run_id).status, log.state(run_id).attempt) for run_id in log} == {
        IDS[0]: (Status.SUCCESS, 1),
        IDS[1]: (Status.SUCCESS, 2),
        IDS[3]: (Status.CANCELLED, 1),
        IDS[4]: (Status.SUCCESS, 1),
        IDS[5]: (Status.SUCCESS, 1),
    }
    assert log.forgotten(IDS[2]) == 1
    assert [record_of(line).status for line in log.attempts(IDS[1])] == [
        Status.FAILED,
        Status.SUCCESS,
    ]


def test_every_value_comes_back(store):
    record = store.get_run_record(IDS[0])
    assert math.isnan(record.metrics.pop("nan"))
    assert str(record.metrics["zero"]) == "-0.0"
    assert record.metrics == {
        "score": 0.5,
        "inf": -math.inf,
        "big": 2**70,
        "zero": 0.0,
        "huge": 1e16,
        "n": 3,
        "ok": True,
        "word": "NaN",
        "text": "naïve",
        "none": None,
    }
    assert record.params_resolved == {
        "x": 0,
        "tuple": (1, 2.0, "3"),
        "bytes": b"\x00\xff",
        "set": {1, 2},
        "map": {1: "a"},
        "odd": {"$odd": 1},
        "when": datetime(2024, 1, 2, tzinfo=UTC),
        "day": date(2024, 1, 2),
        "money": Decimal("1.10"),
        "path": Path("a/b"),
        "c": 1 + 2j,
    }
    assert (record.seed, record.replicate, record.index) == (2**80, 0, 0)
    assert (record.tags, record.warnings, record.notes) == (["a", "b"], ["careful"], "a note")
    assert record.started_at == datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert record.duration_ms == 1500.25
    assert (record.launch, record.manifest) == ("k3f9a1", "6dc700daf41d6235")
    assert record.provenance.code_hash == "0123456789abcdef"


def test_what_belongs_to_its_runs_comes_back(store):
    small, large = store.list_artifacts(IDS[0])
    assert small.metadata == {"shape": (3,)}
    assert store.open_artifact(small).read() == b"\x93NUMPY small"
    with store.open_artifact(large) as file:
        assert file.read() == b"large " * 44000
    assert store.get_log(IDS[0]) == "it began\nnaïve Grüße\nsecond line\n"
    (name, points), *others = store.read().series(IDS[0]).items()
    assert (name, others, points[0], points[2]) == ("loss", [], (0, 1.0), (2, math.inf))
    assert store.get_derived(IDS[1])["ratio"]["values"] == {"r": 1.25}
    assert store.launches()["k3f9a1"]["user"] == "someone"
    assert store.get_experiment_manifest()["params"] == {"type": "GridSource"}


def test_today_s_lines_have_the_same_bytes():
    kinds = set()
    for line in golden_lines():
        document = json.loads(line)
        kinds.add(document["t"])
        if document["t"] in {"run", "start"}:
            stamp = Stamp(*(document[key] for key in ("writer", "part", "seq", "launch")))
            assert record_line(record_of(line), stamp) == line
        else:
            del document["crc"]
            assert line_of(document) == line
    assert kinds == {"open", "start", "run", "series", "derived", "forget", "close"}
