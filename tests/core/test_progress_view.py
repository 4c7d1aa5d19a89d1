"""Progress: the runs under way, by what tells them apart."""

from __future__ import annotations

import pytest

import metalab
from metalab.planning import make_plan
from metalab.progress import LaunchView, RunUnderWay


@metalab.operation
def nothing(params):
    pass


def plan_of(params, replicates=1):
    return make_plan(
        metalab.Experiment(
            name="e",
            version="1",
            context={},
            operation=nothing,
            params=params,
            seeds=metalab.seeds(base=1, replicates=replicates),
        )
    )


def name(plan, index):
    return LaunchView(dict, dict, plan).named([(index, 1.0)])[0].name


class TestNames:
    def test_they_are_the_params_that_vary(self):
        plan = plan_of(metalab.grid(lr=[0.1, 0.2], depth=[3], kind=["a", "b"]))
        assert name(plan, 1) == "kind=a, lr=0.2"

    def test_the_replicate_is_told_where_it_is_not_the_first(self):
        plan = plan_of(metalab.grid(lr=[0.1, 0.2]), replicates=2)
        assert [name(plan, index) for index in (0, 3)] == ["lr=0.1", "lr=0.2, replicate 1"]

    def test_it_is_the_short_id_where_nothing_varies(self):
        plan = plan_of(metalab.grid(lr=[0.1]), replicates=3)
        assert name(plan, 2) == plan.ids[2][:8]

    def test_long_values_are_cut_and_line_ends_are_none(self):
        plan = plan_of(metalab.grid(text=["a\nb", "x" * 100]))
        assert name(plan, 0) == "text=a b"
        assert name(plan, 1) == f"text={'x' * 21}..."

    @pytest.mark.parametrize("places", [0, 2])
    def test_a_source_that_fails_costs_the_name_only(self, places):
        cases = [{"x": number} for number in range(3)]
        broken = []

        def resolve(context_meta, params):
            if broken:
                raise OSError("gone")
            return params

        plan = plan_of(metalab.with_resolver(metalab.manual(cases), resolve))
        broken.append(True)
        assert name(plan, places) == plan.ids[places][:8]


class TestUnderWay:
    def test_seconds_are_counted_from_the_look_at_which_a_run_was_seen(self):
        view = LaunchView(dict, lambda: {4: 100.0, 2: 130.0}, clock=lambda: 140.0)
        assert view.under_way() == {4: 40.0, 2: 10.0}
        assert view.named([(4, 40.0)]) == [RunUnderWay("4", 40.0)]
