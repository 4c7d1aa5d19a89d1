"""What jsonb cannot hold comes back exactly all the same, and spoils nothing beside it."""

from __future__ import annotations

import math

import pytest

from metalab.errors import StoreError
from metalab.identity.values import from_jsonable
from metalab.store.document import record_of
from metalab.store.lines import parse_line, seal
from metalab_postgres import changes
from postgres.pg_tools import index_of, line, made, run_id, runs_of, store_at

VALUES = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "-0.0": -0.0,
    "tiny": 5e-324,
    "long": 0.1 + 0.2,
    "1e16": 1e16,
    "one": 1,
    "one.": 1.0,
    "true": True,
    "int64": 2**63 - 1,
    "huge": 10**399,
    "nul": "a\0b",
    "surrogate": "\ud800",
    "empty": "",
    "none": None,
    "tuple": (1, 2.0),
    "quotes": "'\"\\%\t\n",
    "k'\"%.\0": 1,
    "é" * 64: 2,
    "$tag": 3,
    "deep": {"b": [1, {"a": "\0"}]},
}


@pytest.fixture
def store(tmp_path):
    return store_at(tmp_path / "store")


@pytest.fixture
def index(pg_dsn, store):
    return index_of(pg_dsn, store)


def kept(index, number=0):
    """Return params and metrics as whoever reads the index finds them."""
    with index.reading() as cursor:
        row = cursor.execute(
            "SELECT params, metrics, line FROM runs WHERE run_id = %s", [run_id(number)]
        ).fetchone()
    if row[2] is not None:
        found = record_of(row[2])
        return found.params_resolved, found.metrics
    return from_jsonable(row[0]), from_jsonable(row[1])


class TestValues:
    @pytest.mark.parametrize("name", VALUES)
    def test_each_comes_back_as_it_was(self, store, index, name):
        given = {name: VALUES[name]}
        (runs_of(store) / "w.jsonl").write_bytes(line(params_resolved=given, metrics=given))
        index.update()
        for found in kept(index):
            assert repr(found) == repr(given)
            assert repr(found) == repr(store.get_run_record(run_id()).metrics)
        assert index.verify() == []

    def test_all_together_are_exact_but_for_the_order_of_keys(self, store, index):
        (runs_of(store) / "w.jsonl").write_bytes(line(metrics=VALUES))
        index.update()
        assert repr(kept(index)[1]) == repr(VALUES)

    def test_one_name_may_have_values_of_any_kind(self, store, index):
        values = list(VALUES.values())
        text = b"".join(line(n, n, metrics={"x": each}) for n, each in enumerate(values))
        (runs_of(store) / "w.jsonl").write_bytes(text)
        index.update()
        index.index_field("metrics", "x")
        with index.reading() as cursor:
            kinds = cursor.execute("SELECT kinds FROM fields WHERE name = 'x'").fetchone()
            numbers = cursor.execute(
                "SELECT num(metrics, 'x') FROM runs WHERE num(metrics, 'x') > 0.25 "
                "ORDER BY num(metrics, 'x') DESC NULLS LAST"
            ).fetchall()
        assert kinds == (127 - 32,)  # all but a bare list
        plain = [each for each in values if type(each) in {int, float} and each != 1e16]  # tagged
        wanted = sorted((float(each) for each in plain if 0.25 < each < 2**64), reverse=True)
        assert [each for (each,) in numbers] == wanted
        assert index.verify() == []


class TestBadLines:
    @pytest.mark.parametrize("depth", [500, 20_000])  # of which none can read the second
    def test_a_line_that_is_too_much_for_the_server_costs_no_other(self, store, index, depth):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        strange = seal(line(1, 1)[:-19].replace(b'"metrics":{', b'"metrics":{"d":' + deep + b","))
        text = line(0, 0) + strange + line(2, 2)
        (runs_of(store) / "w.jsonl").write_bytes(text)
        index.update()
        with index.reading() as cursor:
            ids = cursor.execute("SELECT run_id FROM runs ORDER BY 1").fetchall()
        assert [each for (each,) in ids] == list(map(run_id, range(3)))

    def test_damage_is_counted_as_files_count_it(self, store, index):
        good = [line(n, n) for n in range(3)]
        bad = good[1].replace(b"0.5", b"0.6").replace(b"1.5", b"1.6")
        path = runs_of(store) / "w.jsonl"
        path.write_bytes(good[0] + bad + b"\n" + b"nonsense\n" + good[2] + line(3, 3)[:-30])
        index.update()
        damage = len(store.read().damage)
        assert damage == 2
        assert index.status().bad_lines == damage
        assert index.verify() == []

    def test_torn_tails_wait_until_they_are_whole(self, store, index):
        path = runs_of(store) / "w.jsonl"
        text = line(0, 0) + line(1, 1)
        for end in range(len(text) + 1):
            path.write_bytes(text[:end])
            if end % 37 == 0 or end > len(text) - 3:
                index.update()
                assert index.status().experiments[0].runs == len(store.read())
        assert index.verify() == []

    def test_values_of_strange_types_are_kept_as_lines(self, store, index):
        document = parse_line(line(0, 0))
        text = line(0, 0)[:-19].replace(b'"ms":1.5', b'"ms":"long","replicate":"no"')
        assert b'"long"' in text
        (runs_of(store) / "w.jsonl").write_bytes(seal(text))
        index.update()
        with index.reading() as cursor:
            row = cursor.execute("SELECT status, duration_ms, line FROM runs").fetchone()
        assert row[:2] == (document["status"], None)
        assert b'"long"' in row[2]


class TestSegments:
    def test_a_shorter_a_replaced_and_a_vanished_segment_are_followed(self, store, index):
        runs = runs_of(store)
        (runs / "a.jsonl").write_bytes(b"".join(line(n, n, "a") for n in range(4)))
        (runs / "b.jsonl").write_bytes(line(0, 0, "b", attempt=2))
        index.update()
        (runs / "a.jsonl").write_bytes(b"".join(line(n, n, "a") for n in range(2)))
        index.update()
        assert index.verify() == []
        (runs / "a.jsonl").write_bytes(b"".join(line(n, n, "c") for n in range(5, 12)))
        index.update()
        assert index.verify() == []
        (runs / "b.jsonl").unlink()
        index.update()
        assert index.verify() == []
        assert index.status().experiments[0].runs == 7

    def test_a_compressed_and_compacted_store_has_the_same_index(self, store, index):
        for number in range(3):
            with store.writer("launch") as writer:
                for each in range(number, number + 3):
                    writer.put(made(each, attempt=number + 1))
        index.update()
        before = len(store.read())
        for options in ({}, {"gzip": True}, {"drop_attempts": True}):
            store.delete_run(run_id(0))
            store.close()
            store.compact(**options)
            index.update()
            assert index.verify() == []
        assert index.status().experiments[0].runs == before - 1

    def test_a_segment_may_be_compacted_between_two_looks_at_it(self, store, index, monkeypatch):
        with store.writer("launch") as one, store.writer("launch") as other:
            for number in range(2):
                one.put(made(number))
                other.put(made(number + 2))
                if number == 0:
                    index.update()
        size_of, compactions = changes.size_of, []

        def and_then(path):
            size = size_of(path)
            if not compactions:
                compactions.append(store.compact())
            return size

        monkeypatch.setattr(changes, "size_of", and_then)
        index.update()
        assert len(compactions[0].merged) == 2
        assert index.verify() == []

    def test_an_experiment_whose_folder_is_gone_leaves_the_index(self, pg_dsn, store, tmp_path):
        (runs_of(store) / "w.jsonl").write_bytes(line())
        index = index_of(pg_dsn, store)
        index.update()
        store.get_working_directory().rename(tmp_path / "away")
        index.update()
        with index.reading() as cursor:
            assert cursor.execute("SELECT count(*) FROM runs").fetchone() == (0,)

    def test_a_difference_is_named(self, pg_dsn, store, index):
        (runs_of(store) / "w.jsonl").write_bytes(b"".join(line(n, n) for n in range(3)))
        index.update()
        with index._link.session() as connection:
            change = "UPDATE metalab.runs SET metrics = '{}' WHERE run_id = %s"
            connection.execute(change, [run_id(1)])
            connection.execute("DELETE FROM metalab.runs WHERE run_id = %s", [run_id(2)])
        found = index.verify()
        assert any(run_id(1) in each and "record" in each for each in found)
        assert any(run_id(2) in each for each in found)
        index.rebuild()
        assert index.verify() == []

    def test_a_store_that_cannot_be_read_says_so(self, index, store):
        runs_of(store)
        (store.root / "metalab-store.json").unlink()
        with pytest.raises(StoreError, match=r"metalab-store\.json"):
            index.update()
