"""What an executor makes of runs: each is executed once, with the results that it always has."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from metalab.events import Event, EventKind
from metalab.execution.choice import chosen_executor
from metalab.runner import run
from metalab.testing.executor.capabilities import Capabilities
from metalab.testing.executor.stage import values_of
from metalab.testing.executor_operations import doubled, measured_experiment

if TYPE_CHECKING:
    from metalab.testing.executor.stage import Stage

__all__ = ["ResultsContract"]


class ResultsContract(Capabilities):
    """Every run once, and the same numbers everywhere."""

    def test_results_are_those_of_the_inline_executor(self, stage: Stage) -> None:
        found = values_of(stage.results(measured_experiment()))
        expected = stage.reference()
        assert found == expected, (
            "ids, params, seeds or captured values of runs are not those that the inline "
            "executor gives them"
        )

    def test_each_run_is_executed_once(self, stage: Stage) -> None:
        stage.results(stage.acting(12))
        assert stage.began() == Counter(range(12)), "runs were not executed exactly once"
        assert stage.ended() == Counter(range(12)), "runs were not executed to their end"

    def test_every_run_has_a_result(self, stage: Stage) -> None:
        results = stage.results(stage.acting(12))
        assert [run.metrics.get("x") for run in results] == list(range(12)), (
            "runs of the plan have no result, or are not in its order"
        )
        stored = [run.status.value for run in stage.stored()]
        assert stored == ["success"] * 12, "runs that have a result are stored otherwise"

    def test_only_pending_runs_are_executed(self, stage: Stage) -> None:
        before = run(
            stage.acting(4), stage.store, executor=chosen_executor("inline"), progress=False
        )
        before.result()
        handle = stage.launch(stage.acting(9))
        results = stage.results_of(handle)
        assert stage.began() == Counter(range(9)), "runs with a stored success were run again"
        done = len(results.successful)
        assert done == 9, f"of 9 runs, of which 4 were done before, {done} are successes"
        counts = handle.status.skipped, handle.status.completed
        assert counts == (4, 5), f"4 runs that were done and 5 new ones are counted as {counts}"

    def test_a_launch_with_nothing_to_do_is_over(self, stage: Stage) -> None:
        first = stage.results(stage.acting(3))
        again = stage.launch(stage.acting(3))
        assert again.wait(stage.patience), "a launch without pending runs is not over"
        assert again.is_complete, "wait() says that it is over, and is_complete that it is not"
        assert [run.run_id for run in stage.results_of(again)] == [run.run_id for run in first]
        assert stage.began() == Counter(range(3)), "runs with a stored success were run again"

    def test_runs_are_executed_again_where_that_is_asked_for(self, stage: Stage) -> None:
        first = stage.results(stage.acting(3))
        again = stage.results(stage.acting(3), resume=False)
        assert [run.run_id for run in again] == [run.run_id for run in first]
        assert stage.began() == Counter([*range(3)] * 2), "resume=False executes each run once more"
        epochs = {run.record.epoch for run in again}
        assert epochs == {1}, f"runs that are executed again are of epoch 1, and not of {epochs}"

    def test_a_wait_that_is_over_has_every_record(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(6, dict.fromkeys(range(6), "last")))
        assert handle.wait(stage.patience), f"the launch was not over in {stage.patience:g} s"
        assert handle.is_complete, "wait() says that it is over, and is_complete that it is not"
        assert [run.status.value for run in stage.stored()] == ["success"] * 6, (
            "wait() returned before the records of all runs were stored"
        )

    def test_the_counts_are_those_of_the_runs(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(6, {1: "raise", 4: "raise"}))
        stage.results_of(handle)
        status = handle.status
        counts = (status.total, status.completed, status.failed, status.running, status.pending)
        assert counts == (6, 4, 2, 0, 0), f"6 runs of which 2 failed are counted as {status}"

    def test_the_end_of_each_run_is_told_once(self, stage: Stage) -> None:
        told: list[Event] = []
        results = stage.results(stage.acting(6, {2: "raise"}), on_event=told.append)
        ends = [(each.run_id, each.kind) for each in told if each.kind in _ENDS]
        expected = [(run.run_id, _ENDED[run.status.value]) for run in results]
        assert Counter(ends) == Counter(expected), "on_event was not told the end of each run once"

    def test_derived_metrics_are_stored_beside_the_runs(self, stage: Stage) -> None:
        results = stage.results(measured_experiment(), derived_metrics=[doubled])
        expected = [2 * run.metrics["y"] for run in results]
        derived = [run.derived.get("twice") for run in results]
        assert derived == expected, (
            "derived metrics are missing once a launch is over, or are others than of the runs"
        )

    def test_a_new_derived_metric_is_computed_of_runs_done_before(self, stage: Stage) -> None:
        before = stage.results(measured_experiment())
        results = stage.results(measured_experiment(), derived_metrics=[doubled])
        derived = [run.derived.get("twice") for run in results]
        assert derived == [2 * run.metrics["y"] for run in before], (
            "a batch without pending runs has `underived`: runs whose metrics are to be computed"
        )
        attempts = [len(run.attempts()) for run in results]
        assert set(attempts) == {1}, "runs were executed again for a metric that is derived"

    def test_a_run_s_log_holds_its_own_lines_alone(self, stage: Stage) -> None:
        for each in stage.results(stage.acting(4, dict.fromkeys(range(4), "talk"))):
            log, x = each.log(), each.metrics["x"]
            assert log is not None, f"run {x} has no log"
            own = log.count(f"logged-{x}. "), log.count(f"reported-{x}. ")
            assert own == (20, 20), f"lines of run {x} are missing in its log, or there twice"
            others = [line for line in log.splitlines() if f"ed-{x}. " not in line]
            assert not others, f"the log of run {x} holds lines of others"


_ENDED = {"success": EventKind.RUN_FINISHED, "failed": EventKind.RUN_FAILED}
_ENDS = set(_ENDED.values())
