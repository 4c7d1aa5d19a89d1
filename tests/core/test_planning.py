"""A plan is an indexable sequence of runs that holds ids and no params."""

from __future__ import annotations

import pytest

import metalab
from memory_tools import traced_memory
from metalab.planning import make_plan


@metalab.operation
def nothing():
    """Do nothing."""


def experiment(params, replicates=1, **fields):
    return metalab.Experiment(
        name="p",
        version="1",
        context=fields.pop("context", {}),
        operation=fields.pop("operation", nothing),
        params=params,
        seeds=metalab.seeds(base=3, replicates=replicates),
        **fields,
    )


def test_params_are_outer_and_replicates_inner():
    plan = make_plan(experiment(metalab.grid(x=[1, 2]), replicates=2))
    assert [(spec.case.params["x"], spec.seeds.replicate_index) for spec in plan] == [
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    assert [spec.index for spec in plan] == [0, 1, 2, 3]


def test_a_run_made_from_its_index_has_the_id_in_the_list():
    plan = make_plan(experiment(metalab.grid(x=[1, 2, 3]), replicates=2))
    assert [spec.run_id for spec in plan] == list(plan.ids) == plan.ids[:]
    assert len({*plan.ids}) == len(plan) == 6
    assert plan[-1].run_id == plan.ids[5]


def test_a_run_whose_params_are_not_those_of_its_id_is_told():
    class Forgetful:
        """Draws from a counter of its own, and not from the generator it is given."""

        drawn = 0

        def sample(self, rng):
            Forgetful.drawn += 1
            return Forgetful.drawn

    plan = make_plan(experiment(metalab.random({"x": Forgetful()}, 2, 0)))
    assert not plan.confirms(plan[0])
    honest = make_plan(experiment(metalab.random({"x": metalab.uniform(0, 1)}, 2, 0), replicates=2))
    assert all(map(honest.confirms, honest))


@pytest.mark.parametrize("replicates", [10**12, 10**30])
def test_a_plan_too_large_to_hold_is_refused_at_once(replicates):
    with pytest.raises(ValueError, match=r"split the experiment|more than can be indexed"):
        make_plan(experiment(metalab.grid(x=range(1000)), replicates=replicates))


def test_slices_and_bounds_are_those_of_a_list():
    plan = make_plan(experiment(metalab.grid(x=[1, 2, 3])))
    assert [spec.index for spec in plan[1:]] == [1, 2]
    for index in (3, -4):
        with pytest.raises(IndexError):
            plan[index]
        with pytest.raises(IndexError):
            plan.ids[index]


def test_equal_points_are_one_run_at_their_first_place():
    plan = make_plan(experiment(metalab.manual([{"x": 1}, {"x": 2}, {"x": 1}, {"x": 3}]), 2))
    assert [spec.case.params["x"] for spec in plan] == [1, 1, 2, 2, 3, 3]


def test_a_point_equal_to_its_defaults_is_the_point_without_them():
    short = make_plan(experiment(metalab.manual([{"x": 1}])))
    long = make_plan(experiment(metalab.manual([{"x": 1, "c": 42}]), defaults={"c": 42}))
    other = make_plan(experiment(metalab.manual([{"x": 1, "c": 43}]), defaults={"c": 42}))
    assert list(short.ids) == list(long.ids) != list(other.ids)


def test_points_that_meet_only_through_a_default_are_one_run():
    params = metalab.manual([{"x": 1}, {"x": 1, "c": 42}])
    assert len(make_plan(experiment(params, defaults={"c": 42}))) == 1


def test_a_default_of_another_type_is_another_value():
    one = make_plan(experiment(metalab.manual([{"x": 1, "c": 1}]), defaults={"c": 1.0}))
    other = make_plan(experiment(metalab.manual([{"x": 1}])))
    assert list(one.ids) != list(other.ids)


@pytest.mark.parametrize(
    "change",
    [
        {"context": {"a": 1}},
        {"operation": metalab.operation(name="other")(lambda: None)},
    ],
    ids=["context", "operation name"],
)
def test_what_makes_another_run_makes_another_id(change):
    params = metalab.grid(x=[1])
    assert list(make_plan(experiment(params)).ids) != list(
        make_plan(experiment(params, **change)).ids
    )


def test_a_resolver_s_params_are_the_run_s():
    resolved = experiment(
        metalab.grid(x=[1, 2]),
        param_resolver=lambda meta, params: {**params, "y": meta["k"]},
        context={"k": 9},
    )
    plan = make_plan(resolved)
    assert [dict(spec.case.params) for spec in plan] == [{"x": 1, "y": 9}, {"x": 2, "y": 9}]
    written = make_plan(experiment(metalab.grid(x=[1, 2], y=[9]), context={"k": 9}))
    assert list(plan.ids) == list(written.ids)


def test_the_digest_is_that_of_the_ordered_ids():
    forward = make_plan(experiment(metalab.manual([{"x": 1}, {"x": 2}])))
    again = make_plan(experiment(metalab.manual([{"x": 1}, {"x": 2}])))
    backward = make_plan(experiment(metalab.manual([{"x": 2}, {"x": 1}])))
    assert forward.digest == again.digest != backward.digest
    assert sorted(forward.ids) == sorted(backward.ids)


def test_a_plan_holds_ids_and_no_params():
    count = 30_000
    source = metalab.grid(x=list(range(count // 10)), y=list(range(10)))
    make_plan(experiment(metalab.grid(x=[1])))
    with traced_memory() as taken:
        plan = make_plan(experiment(source))
    assert len(plan) == count
    assert taken.held < 60 * count


def test_the_manifest_is_strict_json():
    import json

    plan = make_plan(experiment(metalab.grid(x=[float("nan"), 2**70, (1, 2)]), context={"b": b"x"}))
    text = json.dumps(plan.manifest(), allow_nan=False)
    assert json.loads(text)["plan"] == {"digest": plan.digest, "runs": 3}


def test_a_plan_without_runs_is_refused():
    with pytest.raises(ValueError, match=r"p:1 has no runs.*filter"):
        make_plan(experiment(metalab.grid(x=[1, 2]).filter(lambda params: params["x"] > 2)))
