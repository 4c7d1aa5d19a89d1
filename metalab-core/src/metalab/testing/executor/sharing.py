"""Several launches on one executor, and what comes after its end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from metalab.execution.choice import chosen_executor, executor_class
from metalab.plugins import EXECUTORS
from metalab.testing.asking import asked_if
from metalab.testing.executor.capabilities import Capabilities
from metalab.testing.executor.refusals import nothing_raised, refused

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
        for name, runs in (("first", 5), ("second", 7)):
            begun = stage.began(name)
            assert set(begun) == set(range(runs)), (
                f"runs of one launch went to another: the {name} of {runs} runs began {set(begun)}"
            )
            twice = [x for x, times in begun.items() if times > 1]
            assert not twice, f"runs {twice} of the {name} launch were executed more than once"
        assert [run.status.value for run in ones] == ["success"] * 5, (
            "the first launch has failures"
        )
        failed = [run.params["x"] for run in others.failed]
        assert failed == [3], f"of the second launch run 3 fails, and {failed} have"
        assert {run.experiment_id for run in ones} == {"first:1"}
        assert {run.experiment_id for run in others} == {"second:1"}
        for handle, expected in ((first, (5, 5, 0)), (second, (7, 6, 1))):
            status = handle.status
            counts = status.total, status.completed, status.failed
            assert counts == expected, (
                f"a launch of {expected[0]} runs of which {expected[2]} fail is counted as {status}"
            )

    @asked_if(returns_at_once=True)
    def test_two_launches_of_one_experiment_execute_each_run_once(self, stage: Stage) -> None:
        acts = dict.fromkeys(range(8), "last")
        handles = [stage.launch(stage.acting(8, acts)) for _ in range(2)]
        for handle in handles:
            done = len(stage.results_of(handle).successful)
            assert done == 8, f"of 8 runs of a shared plan a launch shows {done}"
        assert stage.began() == Counter(range(8)), "launches that share a plan repeat its runs"

    def test_one_that_is_shut_down_ends_what_it_was_given(self, stage: Stage) -> None:
        handle = stage.launch(stage.acting(6, dict.fromkeys(range(6), "last")))
        stage.executor.shutdown()
        assert handle.is_complete, "shutdown() returned while a launch was under way"
        done = len(stage.results_of(handle).successful)
        assert done == 6, f"shutdown() let {done} of 6 runs end"
        stage.executor.shutdown()

    def test_one_that_is_shut_down_takes_no_launch(self, stage: Stage) -> None:
        stage.results(stage.acting(2))
        stage.executor.shutdown()
        taken = "a launch was taken after shutdown()"
        with refused(RuntimeError, taken, naming="shut down"):
            stage.launch(stage.acting(4))
        assert stage.began() == Counter(range(2)), "runs were begun after shutdown()"

    @asked_if(is_installed=True)
    def test_its_name_and_options_make_it(self, stage: Stage) -> None:
        name = stage.executor.name
        assert name in EXECUTORS, (
            f"{type(stage.executor).__name__}.name is {name!r}, which has to be the name of its "
            f"entry point: {EXECUTORS.missing(name)}"
        )
        with chosen_executor({name: stage.options}) as made:
            assert type(made) is type(stage.executor), f"the name {name!r} makes another executor"
            assert made.name == name, f"the one that {name!r} makes is called {made.name!r}"
        assert executor_class(name) in {None, type(stage.executor)}, (
            "metalab_executor_class returns another class than metalab_make_executor makes"
        )

    @asked_if(is_installed=True)
    def test_its_jobs_option_is_one_that_it_takes(self, stage: Stage) -> None:
        kind, option = type(stage.executor), stage.executor.jobs_option
        if option is None:
            pytest.skip(f"{type(self).__name__}.executor names no jobs_option")
        with (
            nothing_raised(f"`-j 2`, which is {option}=2 by {kind.__name__}.jobs_option,"),
            chosen_executor({stage.executor.name: {**stage.options, option: 2}}) as made,
        ):
            assert type(made) is kind, "`-j 2` makes another executor"

    @asked_if(is_installed=True)
    def test_an_unknown_option_is_refused_by_its_name(self, stage: Stage) -> None:
        options = {**stage.options, _UNKNOWN: 1}
        taken = f"the option {_UNKNOWN!r} was taken, which there is not"
        with refused(Exception, taken, naming=_UNKNOWN):  # most often a TypeError or ValueError
            chosen_executor({stage.executor.name: options})
