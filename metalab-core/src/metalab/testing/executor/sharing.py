"""Several launches on one executor, and what comes after its end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from metalab.execution.choice import chosen_executor, executor_class
from metalab.testing.executor.capabilities import Capabilities, asked_if
from metalab.testing.executor.refusals import refused

if TYPE_CHECKING:
    from metalab.testing.executor.stage import Stage

__all__ = ["SharingContract"]

_UNKNOWN = "no_such_option"


class SharingContract(Capabilities):
    """Launches do not mix, a closed executor takes none, and names and options make one."""

    def test_two_launches_do_not_mix(self, stage: Stage) -> None:
        acts = {} if not self.returns_at_once else {0: "hold"}
        first = stage.launch(stage.acting(5, acts, "first"))
        second = stage.launch(stage.acting(7, {3: "raise"}, "second"))
        stage.let_go("first")
        ones, others = stage.results_of(first), stage.results_of(second)
        assert stage.began("first") == Counter(range(5)), "runs of one launch went to another"
        assert stage.began("second") == Counter(range(7)), "runs of one launch went to another"
        assert [run.status.value for run in ones] == ["success"] * 5
        assert [run.params["x"] for run in others.failed] == [3]
        assert {run.experiment_id for run in ones} == {"first:1"}
        assert {run.experiment_id for run in others} == {"second:1"}
        assert (first.status.total, second.status.total) == (5, 7)

    @asked_if(returns_at_once=True)
    def test_two_launches_of_one_experiment_execute_each_run_once(self, stage: Stage) -> None:
        acts = dict.fromkeys(range(8), "last")
        handles = [stage.launch(stage.acting(8, acts)) for _ in range(2)]
        for handle in handles:
            assert len(stage.results_of(handle).successful) == 8
        assert stage.began() == Counter(range(8)), "launches that share a plan repeat its runs"

    def test_one_that_is_shut_down_ends_what_it_was_given(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(6, dict.fromkeys(range(6), "last")))
        stage.executor.shutdown()
        assert handle.is_complete, "shutdown() returned while a launch was under way"
        assert len(stage.results_of(handle).successful) == 6
        stage.executor.shutdown()

    def test_one_that_is_shut_down_takes_no_launch(self, stage: Stage) -> None:
        stage.results(stage.acting(2))
        stage.executor.shutdown()
        taken = "a launch was taken after shutdown()"
        with refused(RuntimeError, taken, naming="shut down"):
            stage.launch(stage.acting(4))
        assert stage.began() == Counter(range(2))

    @asked_if(is_installed=True)
    def test_its_name_and_options_make_it(self, stage: Stage) -> None:
        name = stage.executor.name
        with chosen_executor({name: stage.options}) as made:
            assert type(made) is type(stage.executor)
            assert made.name == name
        assert executor_class(name) in {None, type(stage.executor)}

    @asked_if(is_installed=True)
    def test_an_unknown_option_is_refused_by_its_name(self, stage: Stage) -> None:
        options = {**stage.options, _UNKNOWN: 1}
        taken = f"the option {_UNKNOWN!r} was taken, which there is not"
        with refused(Exception, taken, naming=_UNKNOWN):  # most often a TypeError or ValueError
            chosen_executor({stage.executor.name: options})
