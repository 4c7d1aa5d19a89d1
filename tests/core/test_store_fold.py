"""Which line counts does not depend on order, repetition or how lines lie in files."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings, strategies as st

from core.store_tools import made, run_id, store_at
from metalab.records import Provenance, Status
from metalab.store.document import record_line, record_of
from metalab.store.fold import attempts_in_order, fold, fold_derived, is_forgotten, key_of
from metalab.store.lines import Stamp, derived_document, forget_document, line_of, parse_line

records = st.builds(
    lambda number, status, epoch, attempt, metric: made(
        number,
        status,
        epoch=epoch,
        attempt=attempt,
        metrics={"x": metric},
        provenance=Provenance(f"{metric:016x}"),
    ),
    st.integers(0, 3),
    st.sampled_from(list(Status)),
    st.integers(0, 2),
    st.integers(1, 3),
    st.integers(0, 3),
)


@st.composite
def lines(draw):
    """Lines of three writers, each numbered in the order written."""
    made_lines = []
    for seq in range(draw(st.integers(1, 12))):
        stamp = Stamp(draw(st.sampled_from("abc")), draw(st.integers(1, 2)), seq, "l")
        if draw(st.integers(0, 5)) == 0:
            document = forget_document(
                run_id(draw(st.integers(0, 3))), draw(st.integers(1, 2)), stamp
            )
            made_lines.append(line_of(document))
        else:
            made_lines.append(record_line(draw(records), stamp))
    return made_lines


def answer(given_lines):
    return fold(parse_line(line) for line in given_lines)


class TestFold:
    @given(lines(), st.randoms(use_true_random=False))
    def test_shuffled_and_repeated_lines_give_one_answer(self, given_lines, chance):
        shuffled = given_lines * 2
        chance.shuffle(shuffled)
        assert answer(shuffled) == answer(given_lines)

    @given(lines(), st.integers(0, 12))
    def test_folding_parts_and_then_their_answers_is_folding_all(self, given_lines, cut):
        parts = [answer(given_lines[:cut]), answer(given_lines[cut:])]
        assert fold(each for part in parts for each in part.values()) == answer(given_lines)

    @settings(max_examples=300)
    @given(lines(), st.integers(1, 3), st.randoms(use_true_random=False))
    def test_a_store_gives_the_fold_of_its_lines_however_they_lie(
        self, tmp_path_factory, given_lines, files, chance
    ):
        store = store_at(tmp_path_factory.mktemp("fold"))
        runs = store.get_working_directory() / "runs"
        runs.mkdir(parents=True)
        shuffled = [*given_lines, *chance.sample(given_lines, len(given_lines) // 2)]
        chance.shuffle(shuffled)
        for number in range(files):
            (runs / f"copy{number}.jsonl").write_bytes(b"".join(shuffled[number::files]))
        log = store.read()
        expected = answer(given_lines)
        kept = {key: each for key, each in expected.items() if not is_forgotten(key_of(each))}
        assert {parse_line(line)["id"]: parse_line(line) for line in log.lines()} == kept
        assert set(log) == set(kept)
        assert len(log) == len(kept)
        for key, each in kept.items():
            state = log.state(key)
            assert (state.status, state.epoch, state.attempt, state.code) == (
                *(each["status"], each["epoch"], each["attempt"], each["code"]),
            )
        assert log.damage == ()

    def test_read_on_bit_by_bit_or_at_once_is_the_same(self, tmp_path):
        chance = random.Random(5)
        store = store_at(tmp_path)
        path = store.get_working_directory() / "runs" / "growing.jsonl"
        path.parent.mkdir(parents=True)
        content = b"".join(
            record_line(
                made(chance.randrange(9), chance.choice(list(Status)), attempt=chance.randrange(4)),
                Stamp(chance.choice("abc"), 1, seq, "l"),
            )
            for seq in range(60)
        )
        log = store.read()
        end = 0
        while end < len(content):
            start, end = end, end + chance.randrange(1, 900)
            with path.open("ab") as file:
                file.write(content[start:end])
            log = store.read(log)
        anew = store_at(tmp_path).read()
        assert {each: log.state(each) for each in log} == {each: anew.state(each) for each in anew}
        assert sorted(log.lines()) == sorted(anew.lines())
        assert {i: log.attempts(i) for i in log} == {i: anew.attempts(i) for i in anew}


class TestRanks:
    @pytest.mark.parametrize(
        ("less", "more"),
        [
            (made(status=Status.RUNNING, attempt=9), made(status=Status.CANCELLED)),
            (made(status=Status.CANCELLED, attempt=9), made(status=Status.FAILED)),
            (made(status=Status.FAILED, attempt=9), made(status=Status.SUCCESS)),
            (made(status=Status.SUCCESS, attempt=1), made(status=Status.SUCCESS, attempt=2)),
            (made(status=Status.SUCCESS, attempt=9), made(status=Status.RUNNING, epoch=1)),
        ],
    )
    def test_the_order_is_epoch_then_rank_then_attempt(self, less, more):
        stamps = Stamp("z", 9, 9, "l"), Stamp("a", 1, 1, "l")
        documents = [
            parse_line(record_line(r, s)) for r, s in zip((less, more), stamps, strict=True)
        ]
        assert key_of(documents[0]) < key_of(documents[1])


class TestAttempts:
    def test_each_attempt_is_there_once_and_in_order(self):
        stamp = Stamp("a", 1, 1, "l")
        kept = [
            record_line(made(status=status, attempt=attempt), stamp)
            for attempt, status in [
                (2, Status.SUCCESS),
                (1, Status.FAILED),
                (2, Status.RUNNING),
                (3, Status.RUNNING),
                (1, Status.FAILED),
            ]
        ]
        kept.append(line_of(forget_document(run_id(), 1, stamp)))
        found = [record_of(line) for line in attempts_in_order(kept)]
        assert [(each.attempt, each.status) for each in found] == [
            (1, Status.FAILED),
            (2, Status.SUCCESS),
            (3, Status.RUNNING),
        ]


class TestDerived:
    @given(st.permutations(range(6)))
    def test_values_of_the_current_record_win_then_the_latest(self, order):
        documents = [
            derived_document(
                run_id(),
                "f",
                {"x": n},
                Stamp("a", 1, n, "l"),
                code="",
                of="new" if n < 4 else "old",
                rev=n,
            )
            for n in range(6)
        ]
        found = fold_derived([documents[n] for n in order], "new")
        assert found["f"]["values"] == {"x": 3}
