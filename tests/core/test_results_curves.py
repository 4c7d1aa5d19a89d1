"""Curves: what many runs captured step by step, in one table."""

from __future__ import annotations

import pytest

import metalab
from studies import run

pytest.importorskip("pandas")


@metalab.operation
def train(params, seeds, capture):
    for step in range(3):
        capture.metric("loss", params["lr"] * step + seeds.replicate_index, step=step)
    if params["lr"] == 2:
        capture.metric("extra", 1.0, step=10)
        raise ValueError("diverged")


@pytest.fixture
def results(store):
    exp = metalab.Experiment(
        name="curves",
        version="1",
        context=None,
        operation=train,
        params=metalab.grid(lr=[1, 2]),
        seeds=metalab.seeds(1, replicates=2),
    )
    return run(exp, store)


def test_each_step_of_each_run_is_a_row(results):
    frame = results.series("loss")
    assert list(frame.columns) == ["run_id", "status", "replicate", "param_lr", "step", "value"]
    assert frame["step"].tolist() == [0, 1, 2] * 4
    assert frame["value"].tolist() == [0, 1, 2, 1, 2, 3, 0, 2, 4, 1, 3, 5]
    assert frame["param_lr"].tolist() == [1] * 6 + [2] * 6
    assert frame["status"].tolist() == ["success"] * 6 + ["failed"] * 6
    assert frame["run_id"].nunique() == 4


def test_runs_without_it_have_no_rows(results):
    frame = results.series("extra")
    assert frame[["replicate", "step"]].values.tolist() == [[0, 10], [1, 10]]
    assert len(results.where("lr = 1").series("loss")) == 6


def test_what_no_run_has_is_refused(results):
    with pytest.raises(KeyError, match=r"'los'.*did you mean 'loss'"):
        results.series("los")
    assert len(results[:0].series("loss")) == 0
