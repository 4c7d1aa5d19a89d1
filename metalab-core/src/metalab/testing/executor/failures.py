"""What an executor does about runs that fail: each is recorded, and the others go on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from metalab.errors import MetalabError, WorkerDiedError
from metalab.execution.policy import Retry
from metalab.testing.asking import asked_if
from metalab.testing.executor.capabilities import Capabilities
from metalab.testing.executor.refusals import refused

if TYPE_CHECKING:
    from metalab.results import Results
    from metalab.testing.executor.stage import Stage

__all__ = ["FailuresContract"]

_DEATHS = ("leave", "kill")
_MANY = 300


class FailuresContract(Capabilities):
    """A failure is its run's alone, and none is passed over."""

    def test_a_run_that_raises_is_recorded_and_the_others_finish(self, stage: Stage) -> None:
        results = stage.results(stage.acting(6, {2: "raise"}))
        assert _statuses(results) == _with(6, {2: "failed"})
        error = results[2].error
        assert error is not None, "a failed run has no error"
        assert (error["type"], error["message"]) == ("ValueError", "run 2 was told to fail")
        assert "_raise" in error["traceback"], "the traceback does not show where the run raised"
        assert stage.began() == Counter(range(6)), "runs were not executed exactly once"

    def test_sys_exit_fails_its_run_and_no_other(self, stage: Stage) -> None:
        results = stage.results(stage.acting(6, {1: "exit"}))
        assert _statuses(results) == _with(6, {1: "failed"}), "sys.exit() fails its run alone"
        error = results[1].error
        assert error is not None, "a failed run has no error"
        assert error["type"] == "SystemExit", f"sys.exit() of a run is recorded as {error['type']}"

    def test_a_run_that_fails_is_left_to_the_next_launch(self, stage: Stage) -> None:
        first = stage.results(stage.acting(4, {1: "raise once"}))
        assert _statuses(first) == _with(4, {1: "failed"})
        again = stage.results(stage.acting(4, {1: "raise once"}))
        assert _statuses(again) == _with(4, {})
        assert stage.began() == Counter([0, 1, 1, 2, 3]), (
            "the next launch executes what failed, and nothing else"
        )

    def test_a_run_is_tried_as_often_as_agreed(self, stage: Stage) -> None:
        acts = {1: "raise", 2: "raise once"}
        results = stage.results(stage.acting(5, acts), retry=3)
        assert stage.began() == Counter([0, 1, 1, 1, 2, 2, 3, 4]), (
            "a run that fails was tried more or less often than retry=3 says"
        )
        assert _statuses(results) == _with(5, {1: "failed"})
        attempts = [run.record.attempt for run in results]
        assert attempts == [1, 3, 2, 1, 1], "records count other attempts than were made"

    def test_no_run_begins_after_the_failure_that_stops(self, stage: Stage) -> None:
        # So many that whoever is told late has not executed them all by then.
        runs = min(_MANY, int(15 * stage.patience))
        acts = {0: "raise", **dict.fromkeys(range(1, runs), "last")}
        handle = stage.launch(stage.acting(runs, acts), on_failure="stop")
        assert handle.wait(stage.patience), "a launch that stops at a failure is not over"
        begun = len(stage.began())
        assert begun < runs, "all runs were executed, though the first failed and on_failure='stop'"
        assert len(stage.ended()) == begun - 1, "runs that were under way were not finished"

    @asked_if(has_own_processes=True, outlives_its_workers=True)
    @pytest.mark.parametrize("death", _DEATHS)
    def test_a_run_that_ends_its_process_costs_itself_alone(self, stage: Stage, death: str) -> None:
        once = Retry(1, on=(WorkerDiedError,))
        results = stage.results(stage.acting(6, {2: death}), retry=once)
        assert _statuses(results) == _with(6, {2: "failed"})
        error = results[2].error
        assert error is not None, "a failed run has no error"
        assert error["type"] == "WorkerDiedError"
        assert stage.ended() == Counter([0, 1, 3, 4, 5]), "others were lost, or executed again"

    @asked_if(has_own_processes=True, outlives_its_workers=True)
    def test_a_run_that_ends_its_process_is_tried_as_often_as_agreed(self, stage: Stage) -> None:
        twice = Retry(2, on=(WorkerDiedError,))
        results = stage.results(stage.acting(4, {1: "kill"}), retry=twice)
        assert _statuses(results) == _with(4, {1: "failed"})
        begun, allowed = stage.began(), 2 if self.knows_who_died else 3
        assert begun[1] == allowed, (
            f"run 1 was begun {begun[1]} times, of which Retry(2) makes {allowed}"
        )
        assert stage.ended() == Counter([0, 2, 3]), "others were lost, or executed again"

    @asked_if(has_own_processes=True, outlives_its_workers=False)
    @pytest.mark.parametrize("death", _DEATHS)
    def test_a_death_that_ends_the_launch_is_said_in_words(self, stage: Stage, death: str) -> None:
        handle = stage.launch(stage.acting(6, {2: death}))
        with refused(MetalabError, "result() does not say what ended the launch", naming=" "):
            stage.results_of(handle)
        ended = stage.ended()
        assert set(ended.values()) <= {1}, f"runs have come to their end more than once: {ended}"
        stored = [run.status for run in stage.stored() if run.params["x"] == 2]
        assert "success" not in stored, "the run that ended its process is stored as a success"


def _statuses(results: Results) -> list[str]:
    return [run.status.value for run in results]


def _with(runs: int, others: dict[int, str]) -> list[str]:
    return [others.get(x, "success") for x in range(runs)]
