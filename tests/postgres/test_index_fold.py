"""The index is the fold of the files, however lines lie in them and whenever they are read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from metalab.records import ArtifactDescriptor, Status
from metalab.store.lines import (
    Stamp,
    derived_document,
    forget_document,
    line_of,
    loss_document,
    release_document,
    series_document,
)
from metalab.store.reading import Loss
from postgres import pg_tools
from postgres.pg_tools import contents, index_of, line, made, run_id, runs_of, store_at

_slow = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["\0", "a\0b", "\ud800", "$x", -0.0, 10**400, "'", '"', "%", "\\", "\t\n"]),
)
_odd = ["x", "a'b", 'a"b', "a%b", "a.b", "\0", "$dict", "é" * 40, "n" * 4000]
_names = st.one_of(st.sampled_from(_odd), st.text(max_size=4))
_nested = st.one_of(
    _values,
    st.lists(_values, max_size=2),
    st.dictionaries(_names, _values, max_size=2),
)
_dicts = st.dictionaries(_names, _nested, max_size=3)
_kinds = ["run"] * 6 + ["forget", "series", "derived", "lost", "release"]
_error = {"type": "E", "message": "a\0b", "traceback": "t"}


@st.composite
def lines(draw):
    """Lines of every kind about four runs, by three writers, each numbered in the order written."""
    found = []
    for seq in range(draw(st.integers(1, 14))):
        stamp = Stamp(draw(st.sampled_from("abé")), draw(st.integers(1, 2)), seq, "l")
        number, epoch, attempt = (draw(st.integers(*ends)) for ends in ((0, 3), (0, 2), (1, 3)))
        kind = draw(st.sampled_from(_kinds))
        if kind == "run":
            artifacts = [ArtifactDescriptor(f"{seq:032x}", "a", "json", "j", f"u{seq}")]
            record = made(
                number,
                draw(st.sampled_from(list(Status))),
                epoch=epoch,
                attempt=attempt,
                metrics=draw(_dicts),
                params_resolved=draw(_dicts),
                tags=draw(st.lists(st.text(max_size=3), max_size=2)),
                notes=draw(st.one_of(st.none(), st.text(max_size=3))),
                error=draw(st.sampled_from([None, _error])),
                artifacts=draw(st.sampled_from([[], artifacts])),
                seed=draw(st.one_of(st.none(), st.integers(-(2**70), 2**70))),
            )
            found.append(pg_tools.record_line(record, stamp))
            continue
        found.append(line_of(_other(kind, number, epoch, attempt, stamp)))
    return found


def _other(kind, number, epoch, attempt, stamp):
    if kind == "forget":
        return forget_document(run_id(number), epoch, stamp)
    if kind == "series":
        points = [(1, 0.5), (2, float("nan"))]
        run = made(number, epoch=epoch, attempt=attempt)
        return series_document(run, "curve", points, stamp)
    if kind == "derived":
        values = {"d": stamp.seq, "n": "a\0b"}
        return derived_document(run_id(number), "f", values, stamp, code="c", of="0", rev=attempt)
    if kind == "lost":
        return loss_document(run_id(number), Loss(epoch, attempt, "dead", "killed"), stamp)
    return release_document("plan", [number], stamp)


@pytest.fixture
def fresh(pg_dsn, tmp_path_factory):
    """Return what makes an empty store and its index, in a schema of their own."""
    made_schemas = []

    def make():
        store = store_at(tmp_path_factory.mktemp("store"))
        made_schemas.append(f"s{len(made_schemas)}")
        return store, index_of(pg_dsn, store, made_schemas[-1])

    yield make
    with psycopg.connect(pg_dsn, autocommit=True) as connection:
        for name in made_schemas:
            connection.execute(f"drop schema if exists {name} cascade")


# Functions: of a class each version of PostgreSQL would have an instance, which hypothesis refuses.
@_slow
@given(lines(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_index_is_the_fold_of_the_files(fresh, given_lines, files, chance):
    store, index = fresh()
    runs = runs_of(store)
    shuffled = [*given_lines, *chance.sample(given_lines, len(given_lines) // 2)]
    chance.shuffle(shuffled)
    for number in range(files):
        for one in shuffled[number::files]:
            with (runs / f"copy{number}.jsonl").open("ab") as file:
                file.write(one)
            if chance.random() < 0.3:
                index.update()
    assert index.verify() == []
    incremental = contents(index)
    index.rebuild()
    assert contents(index) == incremental
    assert index.verify() == []


@_slow
@given(lines(), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_their_copies_make_no_difference(fresh, given_lines, chance):
    found = []
    for _ in range(2):
        store, index = fresh()
        (runs_of(store) / "a.jsonl").write_bytes(b"".join(given_lines))
        index.update()
        chance.shuffle(given_lines)
        given_lines += chance.sample(given_lines, len(given_lines) // 3)
        found.append(contents(index))
    assert found[0] == found[1]


class TestFaults:
    def test_a_connection_lost_at_any_statement_costs_nothing(self, fresh, monkeypatch):
        store, index = fresh()
        runs = runs_of(store)
        number, is_reached = 0, True
        while is_reached:
            for seq in (2 * number, 2 * number + 1):
                with (runs / f"w{number % 3}.jsonl").open("ab") as file:
                    file.write(line(number % 5, seq, attempt=1 + number % 3))
            index.status()  # which connects
            with pg_tools.broken_after(monkeypatch, number) as left:
                index.update()
            is_reached = left[0] < 0
            number += 1
        assert number > 12
        assert index.verify() == []

    def test_a_compaction_followed_while_the_connection_is_lost_at_any_statement(
        self, fresh, monkeypatch
    ):
        number, is_reached = 0, True
        while is_reached:
            store, index = fresh()
            with store.writer("launch") as writer:
                for each in range(3):
                    writer.put(made(each, Status.FAILED))
                    writer.put(made(each, attempt=2))
            index.update()
            store.compact(drop_attempts=True)
            index.status()  # which connects
            with pg_tools.broken_after(monkeypatch, number) as left:
                index.update()
            is_reached = left[0] < 0
            assert index.verify() == []
            number += 1
        assert number > 12

    def test_rivals_make_the_same_index(self, fresh):
        store, index = fresh()
        runs = runs_of(store)
        index.update()
        lines_of = [[line(n, n, f"w{w}", attempt=w + 1) for n in range(300)] for w in range(3)]
        stop = threading.Event()
        others = [
            pg_tools.index_of(
                f"{index.config.dsn.url({'application_name': str(n)})}", store, index.config.schema
            )
            for n in range(3)
        ]
        assert len({id(other._link) for other in others}) == 3
        with ThreadPoolExecutor(3) as pool:
            done = [pool.submit(other.follow, stop, interval=0.001) for other in others]
            for first in range(0, 300, 10):
                for writer, given_lines in enumerate(lines_of):
                    with (runs / f"w{writer}.jsonl").open("ab") as file:
                        file.write(b"".join(given_lines[first : first + 10]))
            stop.set()
            for each in done:
                each.result()
        assert contents(index)["runs"]
        assert index.verify() == []
        for other in others:
            pg_tools.close(other)
