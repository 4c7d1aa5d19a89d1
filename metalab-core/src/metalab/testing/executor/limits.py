"""What an executor says of itself, and how it keeps to the limits of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from metalab.errors import MetalabError
from metalab.testing.asking import asked_if
from metalab.testing.executor.capabilities import Capabilities
from metalab.testing.executor.refusals import refused

if TYPE_CHECKING:
    from metalab.testing.executor.stage import Stage

__all__ = ["LimitsContract"]

_SECONDS = 5.0  # in which the others end on the slowest machine


class LimitsContract(Capabilities):
    """Limits are kept, or refused when the launch is planned."""

    def test_it_declares_what_it_can_do(self, stage: Stage) -> None:
        executor = stage.executor
        declared = {"can_kill": executor.can_kill, "is_detached": executor.is_detached}
        asked = {name: getattr(self, name) for name in declared}
        assert declared == asked, f"the executor declares {declared}, and is tested with {asked}"

    @asked_if(can_kill=True)
    def test_a_run_that_exceeds_its_time_is_ended(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(5, {1: "stubborn"}), timeout=_SECONDS, retry=1)
        assert handle.wait(stage.patience), (
            f"a run with timeout={_SECONDS:g} was still under way after {stage.patience:g} s"
        )
        results = stage.results_of(handle)
        statuses = [run.status.value for run in results]
        assert statuses == ["success", "failed"] + ["success"] * 3, "run 1 alone exceeds its time"
        error = results[1].error
        assert error is not None, "a failed run has no error"
        assert error["type"] == "RunTimeoutError"

    @asked_if(can_kill=False)
    @pytest.mark.parametrize("limit", [{"timeout": 5}, {"memory": "1G"}], ids=["time", "memory"])
    def test_limits_are_refused_before_anything_is_written(
        self, stage: Stage, limit: dict[str, Any]
    ) -> None:
        (named,) = limit
        taken = f"the limit {named}={limit[named]} was taken, though can_kill is False"
        with refused(MetalabError, taken, naming=named):
            stage.launch(stage.acting(3), **limit)
        assert not stage.began(), "runs of a launch that was refused were begun"
        assert not (stage.folder / "store").exists(), "a launch that was refused left something"
