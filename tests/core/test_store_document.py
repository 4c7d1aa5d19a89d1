"""A record's line: strict JSON with fixed first keys, a checksum, and exactly what was recorded."""

from __future__ import annotations

import json
import re
from binascii import crc32
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given, strategies as st

from core.store_tools import NOW, made, run_id
from metalab.records import ArtifactDescriptor, Provenance, RunRecord, Status
from metalab.store.document import document_of, record_line, record_of
from metalab.store.lines import Stamp, crc_of, line_of, parse_line, readable

STAMP = Stamp("launch.0.node17.9c1e77ab", 1, 17, "launch")

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=3),
    ),
    max_leaves=6,
)
mappings = st.dictionaries(st.text(max_size=6), values, max_size=4)
plain_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def no_constant(name: str):
    raise AssertionError(f"{name} is not strict JSON")


def same(one: object, two: object) -> bool:
    """Equality that also tells types, NaN and -0.0 apart."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, float):
        return repr(one) == repr(two)
    return one == two


class TestLines:
    def test_the_first_keys_stand_in_a_fixed_order(self):
        line = record_line(made(provenance=Provenance("0123456789abcdef")), STAMP)
        assert re.match(
            rb'{"t":"run","id":"0{32}","epoch":0,"attempt":1,"status":"success",'
            rb'"code":"0123456789abcdef","writer":"launch\.0\.node17\.9c1e77ab","part":1,"seq":17,'
            rb'"launch":"launch","experiment":"my_exp:1\.0",',
            line,
        )

    def test_the_keys_without_a_value_are_left_out(self):
        record = attrs.evolve(made(), metrics={}, params_resolved={})
        assert list(json.loads(record_line(record, STAMP))) == [
            *("t", "id", "epoch", "attempt", "status", "code", "writer", "part", "seq", "launch"),
            *("experiment", "index", "fingerprints", "time", "ms", "crc"),
        ]

    def test_a_record_without_a_launch_is_its_writer_s(self):
        line = record_line(attrs.evolve(made(), launch=None), STAMP)
        assert record_of(line).launch == "launch"
        assert json.loads(record_line(made(), Stamp("w", 1, 1, "other")))["launch"] == "launch"

    def test_zeros_are_values(self):
        document = json.loads(record_line(made(seed=0, replicate=0, index=0), STAMP))
        assert (document["seed"], document["replicate"], document["index"]) == (0, 0, 0)

    def test_the_checksum_is_of_all_bytes_before_it(self):
        line = record_line(made(), STAMP)
        body, _, crc = line.rpartition(b',"crc":"')
        assert crc == b'%08x"}\n' % crc32(body)
        assert crc_of(line) == crc_of(line.rstrip(b"\n")) == crc[:8].decode()

    def test_a_run_that_goes_on_is_a_start_line(self):
        document = json.loads(record_line(made(status=Status.RUNNING), STAMP))
        assert (document["t"], document["status"]) == ("start", "running")
        assert "end" not in document["time"]

    @given(mappings, mappings, st.one_of(st.none(), st.integers()), plain_texts)
    def test_every_line_is_one_line_of_strict_json(self, params, metrics, seed, note):
        record = made(params_resolved=params, metrics=metrics, seed=seed, notes=note)
        line = record_line(record, STAMP)
        assert line.endswith(b"}\n")
        assert line.count(b"\n") == 1
        json.loads(line, parse_constant=no_constant)
        assert parse_line(line) is not None

    @given(mappings, mappings, mappings, st.one_of(st.none(), st.integers()))
    def test_every_value_comes_back_exactly(self, params, metrics, data, seed):
        record = made(params_resolved=params, metrics=metrics, data=data, seed=seed)
        back = record_of(record_line(record, STAMP))
        for name in ("params_resolved", "metrics", "data", "seed"):
            assert same(getattr(back, name), getattr(record, name))

    @given(
        st.builds(
            RunRecord,
            run_id=st.just(run_id(5)),
            experiment_id=plain_texts,
            status=st.sampled_from(list(Status)),
            context_fingerprint=plain_texts,
            params_fingerprint=plain_texts,
            seed_fingerprint=plain_texts,
            started_at=st.datetimes(timezones=st.just(UTC)),
            finished_at=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
            duration_ms=st.one_of(st.none(), st.floats(0, 1e12)),
            provenance=st.builds(
                Provenance,
                st.one_of(st.none(), st.from_regex("[0-9a-f]{16}", fullmatch=True)),
                *[st.one_of(st.none(), plain_texts)] * 4,
            ),
            error=st.one_of(st.none(), st.dictionaries(plain_texts, plain_texts, max_size=3)),
            tags=st.lists(plain_texts, max_size=3),
            warnings=st.lists(plain_texts, max_size=3),
            notes=st.one_of(st.none(), plain_texts),
            replicate=st.one_of(st.none(), st.integers(0, 2**31)),
            index=st.integers(0, 2**31),
            epoch=st.integers(0, 99),
            attempt=st.integers(1, 99),
            manifest=st.one_of(st.none(), plain_texts),
            launch=st.text("abc0", min_size=1),
            artifacts=st.lists(
                st.builds(
                    ArtifactDescriptor,
                    *[plain_texts] * 5,
                    content_hash=st.one_of(st.none(), plain_texts),
                    size_bytes=st.one_of(st.none(), st.integers(0, 2**50)),
                ),
                max_size=2,
            ),
        )
    )
    def test_every_field_comes_back_equal(self, record):
        assert record_of(record_line(record, STAMP)) == record

    def test_times_are_utc_with_microseconds_and_sort_as_text(self):
        moments = [NOW.replace(microsecond=0), NOW, NOW + timedelta(seconds=1)]
        texts = [
            json.loads(record_line(attrs.evolve(made(), started_at=each), STAMP))["time"]["start"]
            for each in moments
        ]
        assert texts[:2] == ["2024-05-06T07:08:09.000000Z", "2024-05-06T07:08:09.123456Z"]
        assert texts == sorted(texts)

    def test_times_of_other_zones_are_the_same_moments(self):
        moment = datetime(2024, 5, 6, 9, 8, 9, tzinfo=timezone(timedelta(hours=2)))
        back = record_of(record_line(attrs.evolve(made(), started_at=moment), STAMP))
        assert back.started_at == moment
        assert back.started_at.tzinfo is UTC

    def test_text_that_is_no_unicode_is_kept_readable(self):
        record = made(status=Status.FAILED, error={"type": "E", "message": "/data/\udcff"})
        assert record_of(record_line(record, STAMP)).error["message"] == "/data/\\udcff"
        assert readable("é") == "é"

    @pytest.mark.parametrize(
        "bad", ["", "run1", "A" * 32, "../" + "a" * 29, "a" * 33, "a" * 32 + "\n"]
    )
    def test_an_id_that_is_none_is_refused(self, bad):
        with pytest.raises(ValueError, match="a run id is 32 lower-case hex digits"):
            record_line(attrs.evolve(made(), run_id=bad), STAMP)

    def test_unknown_keys_do_not_disturb(self):
        document = {**document_of(made()), "later": {"x": 1}}
        assert record_of(line_of(document)) == made()

    def test_a_document_without_anything_else_is_a_record(self):
        line = b'{"t":"run","id":"a","epoch":0,"attempt":1,"status":"failed","code":""}'
        record = record_of(line)
        assert (record.run_id, record.status, record.metrics) == ("a", Status.FAILED, {})

    def test_the_document_is_what_the_line_says_without_its_place(self):
        line = json.loads(record_line(made(seed=3), STAMP))
        for key in ("writer", "part", "seq", "crc"):
            line.pop(key)
        assert document_of(made(seed=3)) == line


class TestParsing:
    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"\n",
            b"{}",
            b"null",
            b"[1]",
            b'{"t":"run"}',
            b"\x00" * 100,
            b"x" * 17,
            b"\xff" * 40,
        ],
    )
    def test_what_is_no_line_is_none(self, line):
        assert parse_line(line) is None

    @pytest.mark.parametrize("body", [b"[1", b"{nonsense", b'"text'])
    def test_a_right_checksum_does_not_make_a_line(self, body):
        assert parse_line(b'%b,"crc":"%08x"}\n' % (body, crc32(body))) is None

    @given(st.data())
    def test_no_flipped_bit_goes_unnoticed(self, data):
        line = record_line(made(), STAMP).rstrip(b"\n")
        place = data.draw(st.integers(0, len(line) * 8 - 1))
        flipped = bytearray(line)
        flipped[place // 8] ^= 1 << place % 8
        assert parse_line(bytes(flipped)) is None
