"""What can be sent to workers, and what is said of the rest."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from metalab.errors import MetalabError
from metalab.experiment import Experiment
from metalab.operation import operation
from metalab.params import grid
from metalab.seeds import seeds
from metalab.testing.asking import asked_if
from metalab.testing.executor.capabilities import Capabilities
from metalab.testing.executor.refusals import refused
from metalab.testing.executor_operations import measured_experiment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from metalab.testing.executor.stage import Stage

__all__ = ["SendingContract"]


class SendingContract(Capabilities):
    """Operations of scripts and functions work, and what cannot is refused in words."""

    @asked_if(takes_local_operations=True)
    def test_an_operation_of_a_function_is_executed(self, stage: Stage) -> None:
        results = stage.results(_local_experiment(3))
        assert [run.metrics.get("y") for run in results] == [0, 3, 6, 9], (
            "what a function has enclosed is another value where its operation is executed"
        )

    @asked_if(takes_local_operations=False)
    def test_an_operation_of_a_function_is_refused_before_anything_is_written(
        self, stage: Stage
    ) -> None:
        taken = "an operation was taken that workers cannot import"
        with refused(MetalabError, taken, naming="import"):
            stage.launch(_local_experiment(3))
        assert not (stage.folder / "store").exists(), "a launch that was refused left something"

    @asked_if(takes_local_operations=True, is_installed=True)
    def test_an_operation_of_a_script_is_executed(self, stage: Stage) -> None:
        said = stage.output_of(stage.start(SCRIPT, stage.store))
        found = json.loads(said.splitlines()[-1])
        assert found == [[0, 0], [1, 7], [2, 14]], "a script's operation has other results"

    @asked_if(has_own_processes=True)
    def test_what_cannot_be_sent_is_refused_before_anything_is_written(self, stage: Stage) -> None:
        taken = "a context was taken that no other process can have"
        with refused(MetalabError, taken, naming="context"):
            stage.launch(measured_experiment(context=_Locked()))
        assert not (stage.folder / "store").exists(), "a launch that was refused left something"


class _Locked:
    """A context that no other process can have."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def fingerprint_payload(self) -> str:
        return "locked"


def _local_experiment(factor: int) -> Experiment:
    @operation
    def local(params: Mapping[str, Any]) -> dict[str, int]:
        return {"y": factor * params["x"]}

    return Experiment(
        name="local",
        version="1",
        context=None,
        operation=local,
        params=grid(x=[0, 1, 2, 3]),
        seeds=seeds(base=5),
    )


SCRIPT = """
    import json
    import sys

    import metalab

    FACTOR = 7


    def scaled(x):
        return FACTOR * x


    @metalab.operation
    def of_a_script(params):
        return {"y": scaled(params["x"])}


    if __name__ == "__main__":
        PREAMBLE
        experiment = metalab.Experiment(
            name="script", version="1", context=None, operation=of_a_script,
            params=metalab.grid(x=[0, 1, 2]), seeds=metalab.seeds(base=5),
        )
        results = metalab.run(experiment, sys.argv[1], executor=executor, progress=False).result()
        print(json.dumps([[run.params["x"], run.metrics["y"]] for run in results]))
"""
