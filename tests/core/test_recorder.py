"""A recorder takes what an operation captures, in memory, with the methods of Capture."""

from __future__ import annotations

import inspect
import logging

import numpy as np
import pytest

from metalab.capture import Capture
from metalab.errors import CaptureError
from metalab.recorder import Recorder

CALLS = (
    "metric",
    "log_metrics",
    "data",
    "artifact",
    "file",
    "figure",
    "log",
    "subscribe_logger",
    "unsubscribe_logger",
)


@pytest.mark.parametrize("call", CALLS)
def test_every_call_has_the_parameters_of_captures(call):
    ours = inspect.signature(getattr(Recorder, call)).parameters
    theirs = inspect.signature(getattr(Capture, call)).parameters
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]


def test_all_that_an_operation_calls_is_there():
    public = {name for name in dir(Capture) if not name.startswith("_")} - {"finish", "writer"}
    assert public <= set(dir(Recorder))


class TestMetrics:
    def test_the_last_value_of_a_name_is_kept(self):
        recorder = Recorder()
        recorder.metric("a", 1)
        recorder.metric("a", 2)
        recorder.log_metrics({"b": "x", "c": None})
        assert recorder.metrics == {"a": 2, "b": "x", "c": None}

    def test_steps_make_a_series(self):
        recorder = Recorder()
        recorder.log_metrics({"loss": 3.0}, step=0)
        recorder.metric("loss", 2.0, step=1)
        assert recorder.series == {"loss": ((0, 3.0), (1, 2.0))}
        assert recorder.metrics["loss"] == 2.0

    def test_numpy_scalars_are_the_values_they_equal(self):
        recorder = Recorder()
        recorder.log_metrics({"i": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True)})
        assert recorder.metrics == {"i": 3, "f": 0.5, "b": True}
        assert [type(value) for value in recorder.metrics.values()] == [int, float, bool]

    @pytest.mark.parametrize("value", [[1], {}, object(), np.zeros(2), 1j])
    def test_what_is_no_scalar_is_refused_as_in_a_run(self, value):
        with pytest.raises(CaptureError, match="a metric is a bool, int, float, str or None"):
            Recorder().metric("x", value)

    @pytest.mark.parametrize("name", ["", 5, None])
    def test_what_is_no_name_is_refused(self, name):
        with pytest.raises(CaptureError, match="a name is a string"):
            Recorder().metric(name, 1)

    def test_metrics_cannot_be_changed_from_outside(self):
        with pytest.raises(TypeError):
            Recorder().metrics["a"] = 1


class TestObjects:
    def test_data_is_kept_as_it_was(self):
        recorder, rows = Recorder(), [1]
        recorder.data("rows", rows, metadata={"unit": "m"})
        rows.append(2)
        assert recorder.data_values == {"rows": [1]}

    def test_artifacts_are_the_very_objects(self):
        recorder, model = Recorder(), object()
        descriptor = recorder.artifact("model", model, kind="pickle", metadata={"a": 1})
        assert recorder.objects["model"] is model
        assert (descriptor.name, descriptor.kind, descriptor.metadata) == (
            "model",
            "pickle",
            {"a": 1},
        )
        assert recorder.artifacts == [descriptor]

    def test_a_file_must_exist(self, tmp_path):
        recorder, path = Recorder(), tmp_path / "f.txt"
        with pytest.raises(CaptureError, match="file not found: "):
            recorder.file("f", path)
        path.write_text("x")
        assert recorder.file("f", str(path)).kind == "file"
        assert recorder.objects["f"] == path

    def test_a_figure_is_kept_open(self):
        recorder, figure = Recorder(), object()
        descriptor = recorder.figure("plot", figure, dpi=72)
        assert recorder.objects["plot"] is figure
        assert (descriptor.format, descriptor.metadata) == ("png", {"dpi": 72})

    def test_there_is_nothing_to_warn_of(self):
        assert Recorder().warnings == []


class TestLogs:
    def test_messages_are_kept_with_their_level(self):
        recorder = Recorder()
        recorder.log("a")
        recorder.log(5, level="WARNING")
        recorder.log("c", logging.ERROR)
        recorder.logger.debug("d %s", 1)
        recorder.logger.debug("e")
        assert recorder.logs == [
            ("INFO", "a"),
            ("WARNING", "5"),
            ("ERROR", "c"),
            ("DEBUG", "d 1"),
            ("DEBUG", "e"),
        ]

    def test_two_recorders_do_not_hear_each_other(self):
        one, other = Recorder(), Recorder()
        one.logger.info("x")
        assert other.logs == []

    def test_an_unknown_level_is_refused(self):
        with pytest.raises(ValueError, match="unknown level 'loud'; use one of critical, debug"):
            Recorder().log("x", "loud")

    def test_other_loggers_are_heard_until_the_end(self):
        library = logging.getLogger("test_recorder.library")
        library.setLevel(logging.INFO)
        with Recorder() as recorder:
            recorder.subscribe_logger(library.name)
            recorder.subscribe_logger(library.name, "warning")
            library.info("low")
            library.warning("high")
        library.warning("late")
        assert recorder.logs == [("WARNING", "high")]
        assert library.handlers == []

    def test_a_subscription_can_be_ended(self):
        recorder = Recorder()
        recorder.subscribe_logger("test_recorder.other")
        recorder.unsubscribe_logger("test_recorder.other")
        recorder.unsubscribe_logger("never")
        logging.getLogger("test_recorder.other").error("x")
        assert recorder.logs == []

    def test_output_is_left_to_the_caller(self, capsys):
        recorder = Recorder()
        recorder.subscribe_output()
        print("said")  # noqa: T201  what an operation does
        recorder.unsubscribe_output()
        assert capsys.readouterr().out == "said\n"
