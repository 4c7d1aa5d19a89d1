"""Comparisons: two settings, run by run with what is alike."""

from __future__ import annotations

import math
import random
import warnings

import attrs
import pytest

from core.store_tools import made
from metalab.errors import AggregateWarning, QueryError
from metalab.records import Provenance, Status
from metalab.results import Results

REPLICATES, RATES = range(5), (0.1, 0.01)


def study(**changes):
    """Runs of two models at two rates; chance is the same for all runs of a replicate."""
    draw = random.Random(3)
    chance = [draw.gauss(0, 10) for _ in REPLICATES]
    records = []
    for model in ("svm", "tree"):
        for rate in RATES:
            for replicate in REPLICATES:
                index = len(records)
                score = chance[replicate] + (model == "tree") + draw.gauss(0, 0.1)
                records.append(
                    made(
                        index,
                        index=index,
                        replicate=replicate,
                        params_resolved={"model": model, "lr": rate, "fixed": 1},
                        metrics={"score": score, "who": model},
                    )
                )
    for index, change in changes.items():
        place = int(index.removeprefix("run"))
        records[place] = attrs.evolve(records[place], **change)
    return Results(None, records)


@pytest.fixture(autouse=True)
def nothing_is_doubted(request):
    with warnings.catch_warnings():
        warnings.simplefilter("error", AggregateWarning)
        yield


def test_what_chance_does_to_both_cancels_out():
    found = study().compare("model = tree", "model = svm", "score")
    assert found.paired_by == ("replicate", "lr")
    assert (found.pairs, found.left_out, found.wins) == (10, 0, 10)
    assert found.difference == pytest.approx(1, abs=0.2)
    assert found.high - found.low < 0.5
    assert found.difference == pytest.approx(found.mean_a - found.mean_b)
    assert found.effect == pytest.approx(found.difference / found.sd)


def test_it_is_students_paired_test():
    scipy = pytest.importorskip("scipy.stats")
    results = study()
    found = results.compare({"model": "tree"}, {"model": "svm"}, "score")
    sides = [
        [run.metrics["score"] for run in results.filter(model=model)] for model in ("tree", "svm")
    ]
    interval = scipy.ttest_rel(*sides).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_it_says_what_it_found():
    found = study().compare({"model": "tree"}, "model = svm", "score")
    text = str(found)
    assert text.startswith("score: (model='tree') - (model = svm) = ")
    assert text.endswith("over 10 pairs of equal replicate, lr")


def test_params_that_are_settings_themselves_are_not_paired():
    found = study().compare("model = tree and lr = 0.1", "model = svm and lr = 0.01", "score")
    assert (found.paired_by, found.pairs) == (("replicate",), 5)


@pytest.mark.parametrize(
    "change", [{"status": Status.FAILED}, {"metrics": {"score": math.nan}}, {"metrics": {}}]
)
def test_who_has_no_partner_is_left_out_and_that_is_said(change):
    with pytest.warns(AggregateWarning, match="2 runs have no partner"):
        found = study(run3=change).compare("model = tree", "model = svm", "score")
    assert (found.pairs, found.left_out) == (9, 2)


def test_other_code_is_said():
    results = study(run0={"provenance": Provenance(code_hash="new")})
    with pytest.warns(AggregateWarning, match="2 versions of the code"):
        results.compare("model = tree", "model = svm", "score")


def test_too_few_pairs_give_no_interval():
    results = study().where("replicate = 0 and lr = 0.1")
    found = results.compare("model = tree", "model = svm", "score")
    assert (found.pairs, found.sd, found.low, found.effect) == (1, None, None, None)
    assert "interval" not in str(found)


def test_runs_that_are_alike_have_to_be_chosen_among():
    again = [attrs.evolve(r, run_id="f" + r.run_id[1:]) for r in study().records[:1]]
    results = Results(None, [*study().records, *again])
    with pytest.raises(QueryError, match=r"several runs of \(model = svm\) are alike"):
        results.compare("model = tree", "model = svm", "score")


def test_a_run_is_not_compared_with_itself():
    with pytest.raises(QueryError, match="share runs, 10 of them"):
        study().compare("model = tree", "lr > 0 and model = tree", "score")


def test_a_metric_that_is_not_there_is_refused():
    with pytest.raises(KeyError, match="did you mean 'score'"):
        study().compare("model = tree", "model = svm", "scores")
    with pytest.raises(KeyError, match="'who'"):
        study().compare("model = tree", "model = svm", "who")
