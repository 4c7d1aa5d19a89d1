"""What an operation's return value or exception means for its run."""

from __future__ import annotations

import attrs
import pytest

import metalab
from metalab.capture import Capture
from metalab.errors import CancelledError, RunFailedError
from metalab.execution.outcome import outcome_of_error, outcome_of_value
from metalab.records import RunRecord, Status


def test_none_is_success():
    assert outcome_of_value(None, "op", Capture()).status is Status.SUCCESS


def test_a_dict_of_scalars_becomes_metrics():
    with Capture() as capture:
        outcome = outcome_of_value({"loss": 0.5}, "op", capture)
    assert outcome.status is Status.SUCCESS
    assert dict(capture.metrics) == {"loss": 0.5}


def test_a_dict_with_anything_else_fails_naming_the_metric():
    with Capture() as capture, pytest.raises(metalab.CaptureError, match="loss"):
        outcome_of_value({"loss": [1, 2]}, "op", capture)


def test_a_record_says_itself():
    record = RunRecord.failed(
        error_message="diverged", tags=["bad"], metrics={"loss": 9.0}, warnings=["w"], notes="n"
    )
    with Capture() as capture:
        outcome = outcome_of_value(record, "op", capture)
    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert outcome.error["message"] == "diverged"
    assert (outcome.tags, outcome.warnings, outcome.notes) == (["bad"], ["w"], "n")
    assert dict(capture.metrics) == {"loss": 9.0}


def test_a_failed_record_without_an_error_still_has_one():
    outcome = outcome_of_value(RunRecord.failed(notes="too hot"), "op", Capture())
    assert outcome.error == {"type": "Failed", "message": "too hot", "traceback": ""}


def test_a_record_s_data_are_captured_and_its_artifacts_were():
    with Capture() as capture:
        kept = capture.artifact("model", [1])
        record = RunRecord.success(data={"curve": [1, 2]}, artifacts=[kept])
        assert outcome_of_value(record, "op", capture).status is Status.SUCCESS
    assert dict(capture.data_values) == {"curve": [1, 2]}
    assert capture.artifacts == [kept]


def test_an_error_given_as_text_is_the_error_s_message():
    outcome = outcome_of_value(RunRecord.failed(error="diverged"), "op", Capture())
    assert outcome.error == {"type": "Failed", "message": "diverged", "traceback": ""}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tags": "fast"}, "tags"),
        ({"tags": [1]}, "tags"),
        ({"tags": None}, "tags"),
        ({"warnings": [object()]}, "warnings"),
        ({"notes": 5}, "notes"),
        ({"error": {"message": 5}}, "error"),
        ({"error": 5}, "error"),
        ({"data": [1]}, "data"),
        ({"artifacts": ["model.pt"]}, "artifacts"),
        ({"artifacts": 5}, "artifacts"),
    ],
)
def test_a_record_with_fields_of_other_types_fails_naming_the_field(fields, field):
    with pytest.raises(RunFailedError, match=f"a record whose {field} is .*; it is "):
        outcome_of_value(RunRecord.success(**fields), "op", Capture())


@pytest.mark.parametrize("status", ["well", None, 5])
def test_a_record_with_a_status_that_there_is_not_fails_with_those_there_are(status):
    record = attrs.evolve(RunRecord.success(), status=status)
    with pytest.raises(RunFailedError, match=r"status is .*; it is one of success, failed"):
        outcome_of_value(record, "op", Capture())


def test_a_status_may_be_written_as_text():
    record = attrs.evolve(RunRecord.success(), status="cancelled")
    assert outcome_of_value(record, "op", Capture()).status is Status.CANCELLED


def test_a_running_record_is_no_result():
    with pytest.raises(RunFailedError, match="still running"):
        outcome_of_value(RunRecord.running(), "op", Capture())


@pytest.mark.parametrize("value", [1.5, "done", [1], object()])
def test_anything_else_is_a_clear_failure(value):
    with pytest.raises(RunFailedError, match=r"'op' returned a .*capture\.data"):
        outcome_of_value(value, "op", Capture())


def test_an_exception_is_described_without_the_frames_of_metalab():
    def operation():
        raise ValueError("no")

    def call():
        operation()

    try:
        call()
    except ValueError as error:
        outcome = outcome_of_error(error)
    assert outcome.error is not None
    assert outcome.error["type"] == "ValueError"
    assert outcome.error["message"] == "no"
    assert "in operation" in outcome.error["traceback"]
    assert outcome.status is Status.FAILED


@pytest.mark.parametrize("error", [CancelledError("x"), KeyboardInterrupt()])
def test_being_cancelled_is_no_failure(error):
    assert outcome_of_error(error).status is Status.CANCELLED


def test_system_exit_is_a_failure():
    assert outcome_of_error(SystemExit(3)).status is Status.FAILED


def test_an_exception_whose_text_cannot_be_had_is_described_all_the_same():
    class MuteError(Exception):
        def __str__(self):
            raise LookupError("no text")

    outcome = outcome_of_error(MuteError())
    assert outcome.status is Status.FAILED
    assert outcome.error["type"].endswith("MuteError")
    assert outcome.error["message"] == "(its text cannot be had: LookupError)"
