"""What becomes of a launch that is no longer wanted, and of the one after it."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future
from typing import TYPE_CHECKING

from metalab.testing.asking import asked_if
from metalab.testing.executor.capabilities import Capabilities
from metalab.testing.executor.refusals import nothing_raised

if TYPE_CHECKING:
    from metalab.execution.handle import RunHandle
    from metalab.testing.executor.stage import Stage

__all__ = ["CancellingContract"]

_RUNS = 24
_MOMENT = 0.05  # seconds
_ACTS = dict.fromkeys(range(2, _RUNS), "hold")


class CancellingContract(Capabilities):
    """A launch ends soon after it is cancelled, and the next one goes on from there."""

    @asked_if(returns_at_once=True)
    def test_a_launch_is_waited_for_as_long_as_asked(self, stage: Stage) -> None:
        handle = self._held(stage)
        assert not _waited(handle, stage.patience), (
            "wait() says that it is over while runs are under way"
        )
        assert not handle.is_complete, "is_complete is True while runs are under way"
        stage.let_go()
        assert handle.wait(stage.patience), f"wait() says after {stage.patience:g} s: not over"
        done = len(stage.results_of(handle).successful)
        assert done == _RUNS, f"a launch of {_RUNS} runs is over after {done}"

    @asked_if(returns_at_once=True)
    def test_cancel_ends_a_launch(self, stage: Stage) -> None:
        handle = self._cancelled(stage)
        assert handle.wait(stage.patience), (
            f"a launch that was cancelled was not over {stage.patience:g} s later"
        )
        assert handle.is_complete, "wait() says that it is over, and is_complete that it is not"
        begun = stage.began()
        assert len(begun) < _RUNS, "runs were begun after the launch was cancelled"
        status = handle.status
        assert (status.running, status.pending) == (0, 0), f"{status} of a launch that is over"

    @asked_if(returns_at_once=True)
    def test_a_launch_that_is_cancelled_can_be_cancelled_again(self, stage: Stage) -> None:
        handle = self._cancelled(stage)
        with nothing_raised("cancel() of a launch that was cancelled"):
            handle.cancel()
        assert handle.wait(stage.patience), (
            f"a launch that was cancelled twice was not over {stage.patience:g} s later"
        )

    @asked_if(returns_at_once=True)
    def test_nothing_is_lost_or_half_recorded_by_cancelling(self, stage: Stage) -> None:
        self._cancelled(stage).wait(stage.patience)
        kept = {run.params["x"]: run.status.value for run in stage.stored()}
        finished = [x for x, status in kept.items() if status == "success"]
        assert set(stage.ended()) == set(finished), (
            "runs that came to their end have no success stored, or others have one"
        )
        assert set(kept.values()) <= {"success", "cancelled"}, f"left as {kept}"

    @asked_if(returns_at_once=True)
    def test_the_next_launch_goes_on_where_one_was_cancelled(self, stage: Stage) -> None:
        self._cancelled(stage).wait(stage.patience)
        stage.let_go()
        results = stage.results(stage.acting(_RUNS, _ACTS))
        assert [run.metrics.get("x") for run in results] == list(range(_RUNS)), "runs are missing"
        assert stage.ended() == Counter(range(_RUNS)), "a finished run was executed again"

    @asked_if(returns_at_once=True)
    def test_cancelling_twice_or_too_late_changes_nothing(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(4))
        assert handle.wait(stage.patience), f"the launch was not over in {stage.patience:g} s"
        with nothing_raised("cancel() of a launch that is over"):
            handle.cancel()
            handle.cancel()
        assert handle.is_complete, "a launch that is over is not, once it is cancelled"
        done = len(stage.results_of(handle).successful)
        assert done == 4, f"of 4 runs that were done {done} are, once their launch is cancelled"

    def _held(self, stage: Stage) -> RunHandle:
        """Launch runs of which some are held, and wait until one is."""
        handle = stage.launch(stage.acting(_RUNS, _ACTS))
        stage.until(lambda: stage.began().keys() & _ACTS.keys(), "a run has begun")
        return handle

    def _cancelled(self, stage: Stage) -> RunHandle:
        """Cancel a launch while runs are under way."""
        handle = self._held(stage)
        handle.cancel()
        if not self.cancel_reaches_runs:
            stage.let_go()
        return handle


def _waited(handle: RunHandle, patience: float) -> bool:
    """Return what ``wait`` says, on a thread of its own, since it may never return."""
    said = Future[bool]()

    def wait() -> None:
        try:
            said.set_result(handle.wait(_MOMENT))
        except Exception as error:  # noqa: BLE001  raised where its result is asked for
            said.set_exception(error)

    asking = threading.Thread(target=wait, daemon=True)
    asking.start()
    asking.join(patience)
    assert said.done(), f"wait({_MOMENT}) has not returned after {patience:g} s"
    return said.result()
