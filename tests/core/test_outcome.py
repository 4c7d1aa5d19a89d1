"""What an operation's return value or exception means for its run."""

from __future__ import annotations

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
