"""What runs are given and capture is read in another process as what it was, or refused."""

from __future__ import annotations

import base64
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

import metalab
from metalab.errors import CaptureError, IdentityError
from strategies import params as any_params, same, texts, values

TESTS = str(Path(__file__).parent.parent)
READER = """
import base64, pickle, sys
import strategies, metalab

def told(run):
    return {
        "params": run.params,
        "metrics": run.metrics,
        "derived": run.derived,
        "data": {name: run.data(name) for name in run.list_data()},
        "artifacts": {each.name: run.artifact(each.name) for each in run.artifacts()},
        "series": {name: run.series(name) for name in run.list_data() if name in run.metrics},
    }

for line in sys.stdin:
    runs = [told(run) for run in metalab.load_results(line.rstrip())]
    print(base64.b64encode(pickle.dumps(runs)).decode(), flush=True)
"""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, -(2**63) - 1, 2**64, 10**400, -0.0, 1e16, 5e-324]),
    st.floats(),
    texts(),
)
NAMES = st.text(min_size=1, max_size=6)
STEPS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.just(10**30)
NAMED = [
    *(math.nan, math.inf, -math.inf, -0.0, 0.0, 1.0, 1e16, 5e-324, True, None),
    *(2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**400, -(2**5000)),
    *(b"", b"\x00\xff", "", "\x00", "a\x00b", "\ud800", "\udfff x", "\ud83d\ude00", "\U0001f600"),
    *(datetime.fromisoformat("2024-01-02T03:04:05.000006"), datetime.fromisoformat("0001-01-01")),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    datetime(2024, 1, 2, 3, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime(2024, 1, 2, 3, tzinfo=timezone(timedelta(seconds=-1), "odd")),
    datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    *(date(1, 1, 1), date.max, time(0), time(23, 59, 59, 999999, fold=1), time(1, tzinfo=UTC)),
    *(timedelta(0), timedelta.min, timedelta.max, timedelta(days=-1, microseconds=1)),
    *((), (1,), (1, (2, [3])), [], {}, set(), frozenset()),
    *({1, 1.5, "1", b"1", None, (1, 2)}, frozenset({frozenset({1}), ()})),
    *({1: "int", "1": "str", 1.5: "float", (1,): "tuple", b"1": "bytes", None: "none"},),
    *({"$int": "1"}, {"$tuple": [1]}, {"$": 1}, {"$dict": [[1, 2]]}, {"\ud800": {"\x00": -0.0}}),
]


@pytest.fixture(scope="module")
def read():
    """Read all runs of a store in another process, the same for all tests."""
    environment = {**os.environ, "PYTHONPATH": TESTS}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", READER], env=environment, **pipes) as reader:

        def read(store):
            print(store, file=reader.stdin, flush=True)
            line = reader.stdout.readline()
            assert line, "the reader has died"
            return pickle.loads(base64.b64decode(line))

        yield read
        reader.stdin.close()


def executed(store, points, operation, **options):
    experiment = metalab.Experiment(
        "exact", "1", None, operation, metalab.manual(points), metalab.seeds(1)
    )
    handle = metalab.run(experiment, store=store, executor="inline", progress=False, **options)
    results = handle.result()
    assert [run.error for run in results if run.error] == []
    return results


@metalab.operation
def keeping(params, capture):
    capture.data("params", params)
    capture.artifact("params", params, kind="json")
    capture.data("large", [params, "x" * 40_000])
    for place, value in enumerate(params.values()):
        capture.data(f"at {place}", value)


def check_kept(read, store, given_):
    executed(store, [given_], keeping)
    (run,) = read(store)
    assert same(run["params"], given_)
    assert same(run["data"]["params"], given_)
    assert same(run["artifacts"]["params"], given_)
    assert same(run["data"]["large"][0], given_)
    for place, value in enumerate(given_.values()):
        assert same(run["data"][f"at {place}"], value)


@pytest.mark.parametrize("value", NAMED, ids=lambda value: type(value).__name__)
def test_the_values_that_json_lacks_are_read_elsewhere_as_what_they_were(read, store, value):
    check_kept(read, store, {"value": value, "deep": [{"in": (value,)}]})


@given(value=values(), more=any_params())
@settings(max_examples=25)
def test_any_structure_is_read_elsewhere_as_what_it_was(read, value, more):
    with tempfile.TemporaryDirectory() as folder:
        check_kept(read, f"{folder}/store", {"value": value, "more": more})


@given(value=values())
@settings(max_examples=25)
def test_a_value_as_an_artifact_is_read_elsewhere_as_what_it_was_or_refused(read, value):
    @metalab.operation(name="one")
    def one(capture):
        # Names of things are no content, and no file of text holds half a pair.
        with suppress(CaptureError):
            capture.artifact("value", value)

    with tempfile.TemporaryDirectory() as folder:
        executed(f"{folder}/store", [{}], one)
        (run,) = read(f"{folder}/store")
    if "value" in run["artifacts"]:
        assert same(run["artifacts"]["value"], value)
    else:
        assert callable(value) or (isinstance(value, str) and not _is_unicode(value))


def _is_unicode(text):
    return text.encode(errors="ignore").decode() == text


@given(
    metrics=st.dictionaries(NAMES, SCALARS, max_size=5),
    points=st.lists(st.tuples(STEPS, SCALARS), max_size=5, unique_by=lambda point: point[0]),
)
@settings(max_examples=25)
def test_metrics_and_series_are_read_elsewhere_as_what_they_were(read, metrics, points):
    metrics.pop("curve", None)

    @metalab.operation(name="measuring")
    def measuring(capture):
        capture.log_metrics(metrics)
        for step, value in points:
            capture.metric("curve", value, step=step)

    def derived(run):
        return {name: value for name, value in run.metrics.items() if name != "curve"}

    with tempfile.TemporaryDirectory() as folder:
        store = f"{folder}/store"
        executed(store, [{}], measuring).compute_derived(derived)
        (run,) = read(store)
    last = {"curve": points[-1][1]} if points else {}
    assert same(run["metrics"], {**metrics, **last})
    assert same(run["derived"], metrics)
    if points:
        assert same(run["series"]["curve"], points)


@metalab.operation
def returning(params):
    return {"value": params["value"]}


@pytest.mark.parametrize(
    "value", [v for v in NAMED if isinstance(v, int | float | str | None)], ids=ascii
)
def test_a_scalar_that_is_returned_is_read_elsewhere_as_what_it_was(read, store, value):
    executed(store, [{"value": value}], returning)
    (run,) = read(store)
    assert same(run["metrics"], {"value": value})


class Opaque:
    pass


class Sealed:
    def fingerprint_payload(self):
        return 1


REFUSED = {
    "an object": Opaque(),
    "a generator": (n for n in ()),
    "a bytearray": bytearray(b"x"),
    "a view": memoryview(b"x"),
    "a range": range(3),
    "a lambda": lambda: None,
    "a file": sys.stdin,
}


def nested(value, steps):
    for step in reversed(steps):
        value = [*[None] * step, value] if isinstance(step, int) else {step: value}
    return value


PATHS = st.lists(st.integers(0, 3) | st.sampled_from(["a", "two words", "$tag", "ü"]), max_size=4)


@pytest.mark.parametrize("bad", REFUSED.values(), ids=REFUSED)
@given(steps=PATHS)
@settings(max_examples=6)
def test_what_is_refused_is_refused_by_name_and_place(bad, steps):
    steps = [0, *steps]
    place = "".join(f"[{step!r}]" for step in steps)
    value = nested(bad, steps)
    capture = metalab.Capture()
    with pytest.raises(CaptureError) as caught:
        capture.data("found", value)
    assert str(caught.value).startswith("capture.data('found'): ")
    assert place in str(caught.value)
    with pytest.raises(CaptureError) as caught:
        capture.artifact("found", value)
    assert str(caught.value).startswith("capture.artifact('found'): ")
    assert place in str(caught.value)
    with pytest.raises(CaptureError, match=r"capture\.metric\('found'\): a metric is .* not list"):
        capture.metric("found", value)
    experiment = metalab.Experiment(
        "exact", "1", None, returning, metalab.manual([{"value": value}]), metalab.seeds(1)
    )
    with pytest.raises(IdentityError) as refused:
        metalab.plan(experiment)
    assert f"'value']{place}" in str(refused.value) or f"value{place}" in str(refused.value)


def test_an_object_known_by_its_fingerprint_alone_is_no_content():
    capture = metalab.Capture()
    for call in (capture.data, capture.artifact):
        with pytest.raises(CaptureError, match=r"\('found'\): .*fingerprint_payload"):
            call("found", [Sealed()])


def test_what_contains_itself_is_refused_by_name():
    loop = []
    loop.append(loop)
    capture = metalab.Capture()
    for call in (capture.data, capture.artifact):
        with pytest.raises(CaptureError, match=r"\('found'\): .*contains itself"):
            call("found", loop)


@pytest.mark.parametrize("value", ["\ud800", "a\udfff"])
def test_text_that_no_file_holds_is_refused_as_a_file_and_kept_as_json(read, store, value):
    @metalab.operation(name="texts")
    def texts_(capture):
        with pytest.raises(CaptureError, match=r"capture\.artifact\('text'\): .*surrogates"):
            capture.artifact("text", value)
        capture.artifact("text", value, kind="json")

    executed(store, [{}], texts_)
    (run,) = read(store)
    assert same(run["artifacts"], {"text": value})


def test_the_lines_of_a_store_are_json_to_any_reader(store):
    executed(store, [{"value": value} for value in NAMED], keeping)

    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    lines = 0
    for path in Path(store).rglob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            json.loads(line, parse_constant=refuse)
            lines += 1
    assert lines > len(NAMED)
