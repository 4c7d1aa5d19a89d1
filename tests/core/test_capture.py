"""Capture: metrics, series and structures, and what is refused in words."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from metalab.capture import Capture, MemoryWriter, series as series_module
from metalab.errors import CaptureError, StoreError
from metalab.plugins import SERIALIZERS
from metalab.records import RunRecord

RUN = "ab" * 16


class Level(IntEnum):
    HIGH = 3


class Name(StrEnum):
    A = "a"


class Odd(float):
    """A float with ideas of its own."""

    def __float__(self):
        return 0.0


class Opaque:
    def __repr__(self):
        # An address would give the test another name in each process that collects it.
        return "Opaque()"


class FailingWriter(MemoryWriter):
    """A store whose disk is full."""

    def put_series(self, record, name, points):
        raise StoreError("no space left on device")

    def put_artifact(self, record, name, source, *, extension):
        raise OSError(28, "No space left on device")

    def append_log(self, record, text, name="run"):
        raise StoreError("no space left on device")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The time by which points are handed over: it passes where a test changes the only item."""
    now = [100.0]
    monkeypatch.setattr(series_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def writer():
    return MemoryWriter()


@pytest.fixture
def capture(writer):
    with Capture(RunRecord.running(run_id=RUN), writer) as capture:
        yield capture


class TestMetric:
    @pytest.mark.parametrize(
        "value",
        [True, 0, -(10**30), 1.5, math.inf, "text", "", None],
    )
    def test_keeps_scalars_as_they_are(self, value):
        capture = Capture()
        capture.metric("m", value)
        assert capture.metrics == {"m": value}
        assert type(capture.metrics["m"]) is type(value)

    def test_keeps_nan(self, capture):
        capture.metric("m", math.nan)
        assert math.isnan(capture.metrics["m"])

    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (np.int64(3), 3),
            (np.uint8(255), 255),
            (np.float32(0.5), 0.5),
            (np.float64(0.1), 0.1),
            (np.bool_(True), True),
            (np.str_("x"), "x"),
            (Level.HIGH, 3),
            (Name.A, "a"),
            (Odd(1.5), 1.5),
        ],
    )
    def test_makes_scalars_of_libraries_and_subclasses_plain(self, capture, value, plain):
        capture.metric("m", value)
        assert capture.metrics["m"] == plain
        assert type(capture.metrics["m"]) is type(plain)

    @given(st.floats(width=32))
    def test_a_narrow_float_is_the_float_it_equals(self, value):
        capture = Capture()
        capture.metric("m", np.float32(value))
        kept = capture.metrics["m"]
        assert type(kept) is float
        assert kept == value or math.isnan(value)

    @pytest.mark.parametrize(
        "value",
        [
            [1],
            (1,),
            {"a": 1},
            {1},
            b"x",
            1j,
            Opaque(),
            np.arange(3),
            datetime(2024, 1, 1, tzinfo=UTC),
        ],
    )
    def test_refuses_what_is_no_scalar(self, capture, value):
        with pytest.raises(CaptureError, match=r"capture.metric\('m'\): .*capture.data"):
            capture.metric("m", value)
        assert capture.metrics == {}

    @pytest.mark.parametrize(
        "value",
        [np.array(1.5), np.complex64(1j), np.longdouble(1), np.datetime64(1, "ns")],
    )
    def test_refuses_a_library_scalar_that_equals_no_plain_one(self, capture, value):
        with pytest.raises(CaptureError, match=r"value.item\(\)"):
            capture.metric("m", value)

    def test_a_later_value_replaces_an_earlier_one(self, capture):
        capture.metric("m", 1)
        capture.metric("m", 2)
        assert capture.metrics == {"m": 2}
        assert capture.warnings == []

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("", "at least one character"),
            (1, "not int"),
            (None, "a string"),
            ("\ud800", "surrogate"),
        ],
    )
    def test_refuses_what_is_no_name(self, capture, name, reason):
        with pytest.raises(CaptureError, match=reason):
            capture.metric(name, 1)

    def test_takes_any_name(self, capture):
        for name in ("../../x", "a\nb", "Größe", "CON", " ", "$float"):
            capture.metric(name, 1)
            assert capture.metrics[name] == 1

    def test_a_name_that_is_a_string_of_a_subclass_becomes_plain(self, capture):
        capture.metric(Name.A, 1)
        assert [type(name) for name in capture.metrics] == [str]

    def test_metrics_are_read_only(self, capture):
        assert isinstance(capture.metrics, MappingProxyType)
        with pytest.raises(TypeError):
            capture.metrics["m"] = 1

    def test_numpy_is_not_imported_for_it(self):
        code = (
            "import sys\n"
            "from metalab.capture import Capture\n"
            "Capture().metric('m', 1)\n"
            "assert not {'numpy', 'matplotlib', 'pandas'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestLibraryScalar:
    @pytest.fixture
    def lab(self, tmp_path, monkeypatch):
        """Install a library whose plugin says what its objects equal."""
        (tmp_path / "lab.py").write_text(
            "class Quantity:\n    def __init__(self, value): self.value = value\n"
        )
        (tmp_path / "lab_plugin.py").write_text(
            "from metalab.hookspecs import hookimpl\n"
            "from metalab.identity.canonical import CanonicalForm\n"
            "@hookimpl\n"
            "def metalab_canonical_form(obj):\n"
            "    tag = 'unit' if isinstance(obj.value, str) else None\n"
            "    return CanonicalForm(tag, obj.value)\n"
        )
        info = tmp_path / "lab-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[metalab.serializers]\nlab = lab_plugin\n")
        monkeypatch.syspath_prepend(tmp_path)
        SERIALIZERS.forget()
        import lab

        yield lab
        monkeypatch.undo()
        SERIALIZERS.forget()
        for name in ("lab", "lab_plugin"):
            sys.modules.pop(name, None)

    def test_is_the_plain_value_it_equals(self, capture, lab):
        capture.metric("m", lab.Quantity(2.5))
        assert capture.metrics == {"m": 2.5}

    @pytest.mark.parametrize("value", [[1, 2], "metre"])
    def test_that_equals_none_is_refused(self, capture, lab, value):
        with pytest.raises(CaptureError, match=r"not lab\.Quantity"):
            capture.metric("m", lab.Quantity(value))


class TestLogMetrics:
    def test_keeps_each(self, capture):
        capture.log_metrics({"a": 1, "b": np.float32(0.5)})
        assert capture.metrics == {"a": 1, "b": 0.5}

    def test_keeps_points_with_a_step(self, capture):
        capture.log_metrics({"a": 1, "b": 2}, step=0)
        assert capture.series == {"a": ((0, 1),), "b": ((0, 2),)}

    def test_keeps_none_if_one_is_refused(self, capture):
        with pytest.raises(CaptureError, match=r"log_metrics\('b'\)"):
            capture.log_metrics({"a": 1, "b": [2]})
        assert capture.metrics == {}
        with pytest.raises(CaptureError, match=r"log_metrics\('x'\).*a step is"):
            capture.log_metrics({"x": 1}, step="first")

    def test_keeps_none_if_one_is_used_otherwise(self, capture):
        capture.metric("b", 1)
        with pytest.raises(CaptureError, match=r"log_metrics\('b'\)"):
            capture.log_metrics({"a": 1, "b": 2}, step=0)
        assert capture.metrics == {"b": 1}

    @pytest.mark.parametrize("metrics", [[("a", 1)], 0.5, None])
    def test_refuses_what_is_no_dict(self, capture, metrics):
        with pytest.raises(CaptureError, match="a dict of names and scalars"):
            capture.log_metrics(metrics)


class TestSeries:
    def test_the_last_point_is_the_metric(self, capture):
        for step, value in enumerate([3, 1, 2]):
            capture.metric("loss", value, step=step)
        assert capture.metrics == {"loss": 2}

    def test_points_come_back_from_the_writer(self, writer):
        with Capture(RunRecord.running(run_id=RUN), writer) as capture:
            capture.metric("loss", 0.5, step=0)
            capture.metric("loss", np.float32(0.25), step=np.int64(1))
            capture.metric("loss", "done", step=1.5)
        assert writer.series == {(RUN, "loss"): [(0, 0.5), (1, 0.25), (1.5, "done")]}
        assert [type(step) for step, _ in writer.series[RUN, "loss"]] == [int, int, float]

    def test_without_a_writer_they_stay(self):
        with Capture() as capture:
            for step in range(1000):
                capture.metric("loss", step, step=step)
        assert len(capture.series["loss"]) == 1000

    def test_are_written_in_chunks(self, writer, capture):
        for step in range(300):
            capture.metric("loss", step, step=step)
        assert len(writer.series[RUN, "loss"]) == 256
        assert len(capture.series["loss"]) == 44

    def test_are_written_when_time_has_passed(self, writer, clock, capture):
        capture.metric("loss", 1, step=0)
        clock[0] += 0.4
        capture.metric("loss", 2, step=1)
        assert writer.series == {}
        clock[0] += 0.2
        capture.metric("loss", 3, step=2)
        assert writer.series == {(RUN, "loss"): [(0, 1), (1, 2), (2, 3)]}

    def test_from_several_threads_lose_no_point(self, writer):
        def work(name):
            for step in range(500):
                capture.metric(name, step, step=step)
                capture.metric("shared", step, step=step)

        with Capture(RunRecord.running(run_id=RUN), writer) as capture:
            threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert all(
            [step for step, _ in writer.series[RUN, f"t{i}"]] == list(range(500)) for i in range(4)
        )
        assert len(writer.series[RUN, "shared"]) == 2000

    @pytest.mark.parametrize("step", [True, math.nan, math.inf, "1", [1], 1j])
    def test_a_step_is_a_finite_number(self, capture, step):
        with pytest.raises(CaptureError, match="a step is a finite number"):
            capture.metric("loss", 1, step=step)
        assert capture.metrics == {}

    def test_a_step_may_be_as_large_as_it_likes(self, capture):
        capture.metric("loss", 1, step=10**400)
        assert capture.series == {"loss": ((10**400, 1),)}

    def test_a_name_has_steps_or_none(self, capture):
        capture.metric("loss", 1, step=0)
        with pytest.raises(CaptureError, match="needs step= here too"):
            capture.metric("loss", 2)
        capture.metric("score", 1)
        with pytest.raises(CaptureError, match="captured without a step before"):
            capture.metric("score", 1, step=0)
        assert capture.metrics == {"loss": 1, "score": 1}

    def test_a_name_is_no_structure_too(self, capture):
        capture.metric("loss", 1, step=0)
        with pytest.raises(CaptureError, match="a metric with steps has this name"):
            capture.data("loss", [1])
        capture.data("curve", [1])
        with pytest.raises(CaptureError, match=r"capture\.data has this name"):
            capture.metric("curve", 1, step=0)
        capture.metric("curve", 1)
        with pytest.raises(CaptureError, match=r"capture\.data has this name"):
            capture.log_metrics({"a": 1, "curve": 1}, step=0)

    def test_that_the_store_does_not_take_fail_the_call(self):
        capture = Capture(RunRecord.running(run_id=RUN), FailingWriter())
        for step in range(255):
            capture.metric("loss", step, step=step)
        with pytest.raises(StoreError, match="no space"):
            capture.metric("loss", 1, step=255)
        with pytest.raises(StoreError, match="no space"):
            capture.finish()


class TestData:
    def test_keeps_a_structure_as_it_was(self, capture):
        value = {"a": [1, (2, 3)], "b": {1: "x"}}
        capture.data("d", value)
        value["a"].append(4)
        assert capture.data_values == {"d": {"a": [1, (2, 3)], "b": {1: "x"}}}
        assert capture.artifacts == []

    def test_a_flat_dict_is_copied_too(self, capture):
        value = {"a": 1}
        capture.data("d", value)
        value["a"] = 2
        assert capture.data_values == {"d": {"a": 1}}

    @pytest.mark.parametrize("dtype", ["f4", "i8", "?", "c16", "U3", "M8[s]"])
    def test_keeps_dtype_and_shape_of_arrays(self, capture, dtype):
        array = np.zeros((2, 3), dtype)
        capture.data("d", {"array": array})
        back = capture.data_values["d"]["array"]
        assert back.dtype == array.dtype
        assert back.shape == (2, 3)
        assert (back == array).all()

    def test_a_large_one_becomes_an_artifact(self, writer, capture):
        value = np.arange(100_000, dtype="f4").reshape(100, 1000)
        capture.data("d", {"x": value})
        (artifact,) = capture.artifacts
        assert (artifact.name, artifact.kind, artifact.format) == ("d", "data", "builtins/json")
        assert capture.data_values == {}
        from metalab.serializers import serializer_named

        back = serializer_named(artifact.format).load(writer.open_artifact(artifact))
        assert back["x"].dtype == value.dtype
        assert (back["x"] == value).all()

    def test_with_metadata_is_an_artifact_that_has_it(self, capture):
        capture.data("d", [1], metadata={"unit": "m"})
        (artifact,) = capture.artifacts
        assert artifact.kind == "data"
        assert artifact.metadata == {"unit": "m"}

    def test_may_have_the_name_of_an_artifact(self, capture):
        capture.data("d", ["x" * 40_000])
        capture.artifact("d", "text")
        assert sorted(a.kind for a in capture.artifacts) == ["data", "text"]
        assert len({a.artifact_id for a in capture.artifacts}) == 2
        assert capture.warnings == []

    def test_again_replaces_with_a_warning(self, capture):
        large = ["x" * 40_000]
        for value in ([1], [2], large, large, [3]):
            capture.data("d", value)
        assert capture.data_values == {"d": [3]}
        assert capture.artifacts == []
        assert capture.warnings == ["data 'd' was captured more than once; the last one is kept"]

    @pytest.mark.parametrize(
        ("value", "place"),
        [
            ({"a": [1, Opaque()]}, r"d\['a'\]\[1\]: a .*Opaque"),
            ([lambda: None], r"d\[0\]"),
            ({"a": np.array([None])}, r"d\['a'\].*dtype object"),
        ],
        ids=["object", "lambda", "object array"],
    )
    def test_that_cannot_be_kept_fails_the_call(self, capture, value, place):
        with pytest.raises(CaptureError, match=r"capture.data\('d'\): " + place):
            capture.data("d", value)
        assert capture.data_values == {}

    def test_names_the_metadata_that_cannot_be_kept(self, capture):
        with pytest.raises(CaptureError, match=r"metadata\['by'\]: "):
            capture.data("d", [1], metadata={"by": Opaque()})
        for metadata in ({1: "x"}, [1]):
            with pytest.raises(CaptureError, match="a dict with strings as keys"):
                capture.data("d", [1], metadata=metadata)

    def test_that_the_store_does_not_take_fails_the_call(self):
        capture = Capture(RunRecord.running(run_id=RUN), FailingWriter())
        with pytest.raises(CaptureError, match=r"capture.data\('d'\): the store did not take it"):
            capture.data("d", ["x" * 40_000])


class TestEnd:
    CALLS = (
        ("metric", lambda c: c.metric("m", 1)),
        ("metric", lambda c: c.metric("m", 1, step=1)),
        ("log_metrics", lambda c: c.log_metrics({"m": 1})),
        ("data", lambda c: c.data("d", [1])),
        ("artifact", lambda c: c.artifact("a", "x")),
        ("file", lambda c: c.file("a", __file__)),
        ("figure", lambda c: c.figure("a", None)),
        ("log", lambda c: c.log("hello")),
        ("subscribe_logger", lambda c: c.subscribe_logger("some.logger")),
        ("subscribe_output", lambda c: c.subscribe_output()),
        ("logger", lambda c: c.logger.info("hello")),
    )

    @pytest.mark.parametrize(("name", "call"), CALLS, ids=[name for name, _ in CALLS])
    def test_after_it_every_call_is_refused(self, writer, name, call):
        with Capture(RunRecord.running(run_id=RUN), writer) as capture:
            pass
        with pytest.raises(CaptureError, match=rf"capture\.{name}\(.*the run has ended"):
            call(capture)
        assert capture.metrics == {}
        assert writer.logs == {}

    @pytest.mark.parametrize(("name", "call"), CALLS[:-1], ids=[name for name, _ in CALLS[:-1]])
    def test_after_it_calls_are_refused_whatever_was_used_before(self, name, call):
        with Capture() as capture:
            capture.metric("loss", 1, step=0)
            capture.artifact("b", b"x")
            capture.log("hello")
        with pytest.raises(CaptureError, match="the run has ended"):
            call(capture)

    def test_a_logger_that_outlives_it_refuses(self):
        with Capture() as capture:
            logger = capture.logger
        with pytest.raises(CaptureError, match="the run has ended"):
            logger.warning("too late")

    def test_taking_back_a_subscription_after_it_does_nothing(self):
        with Capture() as capture:
            capture.subscribe_logger("some.logger")
        capture.unsubscribe_logger("some.logger")
        capture.unsubscribe_output()
        capture.finish()

    def test_what_was_captured_before_an_error_is_kept(self, writer):
        capture = Capture(RunRecord.running(run_id=RUN), writer)

        def operation():
            capture.metric("m", 1)
            capture.metric("loss", 1, step=0)
            capture.data("d", [1])
            capture.artifact("a", "text")
            capture.log("hello")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), capture:
            operation()
        assert capture.metrics == {"m": 1, "loss": 1}
        assert capture.data_values == {"d": [1]}
        assert len(capture.artifacts) == 1
        assert writer.series == {(RUN, "loss"): [(0, 1)]}
        assert len(writer.logs[RUN, "run"]) == 1

    def test_what_comes_while_it_ends_is_kept_or_refused(self):
        """A thread that the operation did not wait for loses nothing without a word."""
        for _ in range(20):
            capture = Capture()
            accepted = []

            def work(capture=capture, accepted=accepted):
                for number in range(10_000):
                    try:
                        capture.metric(f"m{number}", number)
                    except CaptureError:
                        return
                    accepted.append(f"m{number}")

            thread = threading.Thread(target=work)
            thread.start()
            while not accepted:
                pass
            capture.finish()
            kept = capture.metrics.copy()
            thread.join()
            assert set(accepted) <= set(kept)


class TestAlone:
    def test_works_with_a_writer_and_no_record(self, writer):
        with Capture(writer=writer) as capture:
            capture.metric("loss", 1, step=0)
        assert list(writer.series.values()) == [[(0, 1)]]

    def test_works_without_a_with_block(self):
        capture = Capture()
        capture.metric("m", 1)
        capture.metric("loss", 1, step=0)
        capture.data("d", {"a": 1})
        artifact = capture.artifact("a", "text")
        capture.log("hello")
        assert capture.metrics == {"m": 1, "loss": 1}
        assert capture.series == {"loss": ((0, 1),)}
        assert capture.data_values == {"d": {"a": 1}}
        assert capture.artifacts == [artifact]
        assert capture.writer.open_artifact(artifact.uri).read() == b"text"
        assert capture.writer.logs["", "run"][0].endswith("[metalab] hello")

    def test_captures_nothing_until_told(self):
        capture = Capture()
        assert capture.metrics == {}
        assert capture.series == {}
        assert capture.data_values == {}
        assert capture.artifacts == []
        assert capture.warnings == []

    def test_the_memory_writer_keeps_records_too(self):
        done = []
        with MemoryWriter() as writer:
            record = RunRecord.running(run_id=RUN)
            writer.start(record.run_id, lambda: record)
            writer.put(record, lambda: done.append(1))
            writer.put(record)
            writer.flush()
        assert writer.started == [record]
        assert writer.records == [record, record]
        assert done == [1]
        assert writer.is_closed
