"""Pictures show what aggregate() tells, and say what they leave out."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

import metalab
from metalab.errors import AggregateWarning, MetalabError, QueryError

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@metalab.operation
def fit(params, seeds, capture):
    rng = seeds.rng()
    if params.get("depth") == 4 and seeds.replicate_index == 0:
        raise ValueError("too deep")
    for step in range(4):
        capture.metric("loss", 1 / (1 + step) + rng.random() * params["lr"], step=step)
    capture.metric("acc", rng.random() + params["lr"] + (params.get("model") == "svm"))


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def results(tmp_path):
    def made(**grid):
        grid = {"lr": [0.1], **grid}
        experiment = metalab.Experiment(
            name="fit",
            version="1",
            context=None,
            operation=fit,
            params=metalab.grid(**grid),
            seeds=metalab.seeds(base=1, replicates=3),
        )
        return metalab.run(experiment, tmp_path / "store", progress=False).result()

    return made


LR = [0.01, 0.03, 0.1, 0.3]
MODEL = ["svm", "tree"]


def lines(ax):
    return {line.get_label(): line.get_xydata().tolist() for line in ax.lines}


def bands(ax):
    """Return the corners of each band, which lie on its bounds."""
    return [{tuple(corner) for corner in each.get_paths()[0].vertices} for each in ax.collections]


class TestLines:
    def test_a_line_goes_through_the_means_of_aggregate(self, results):
        found = results(lr=LR, model=MODEL)
        ax = found.plot(y="acc")
        groups = list(found.aggregate("acc", by=["lr", "model"]).rows())
        for model in MODEL:
            expected = [[g["lr"], g["acc.mean"]] for g in groups if g["model"] == model]
            assert lines(ax)[model] == expected
        assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("lr", "acc", "log")
        assert [text.get_text() for text in ax.get_legend().get_texts()] == MODEL
        assert ax.get_title() == ""

    @pytest.mark.parametrize("error", ["ci", "sd", "sem"])
    def test_its_band_is_the_interval_that_was_asked_for(self, results, error):
        found = results(lr=LR)
        (band,) = bands(found.plot("lr", "acc", error=error))
        for group in found.aggregate("acc", by="lr").rows():
            half = {
                "ci": group["acc.high"] - group["acc.mean"],
                "sd": group["acc.sd"],
                "sem": group["acc.sd"] / 3**0.5,
            }[error]
            ys = sorted(y for x, y in band if x == group["lr"])
            assert ys[0] == pytest.approx(group["acc.mean"] - half)
            assert ys[-1] == pytest.approx(group["acc.mean"] + half)

    def test_there_may_be_no_band(self, results):
        assert bands(results(lr=LR).plot("lr", "acc", error=None)) == []

    def test_numbers_that_are_evenly_spaced_have_a_plain_axis(self, results):
        assert results(lr=[0.1, 0.2, 0.3, 0.4]).plot(y="acc").get_xscale() == "linear"

    def test_names_are_points_with_bars(self, results):
        ax = results(model=["tree", "svm", "a$b"]).plot(y="acc")
        labels = [label.get_text() for label in ax.get_xticklabels()]
        assert labels == ["tree", "svm", r"a\$b"]
        assert ax.get_xlabel() == "model"

    def test_a_series_is_drawn_by_its_steps(self, results):
        found = results(lr=[0.1, 0.3])
        ax = found.plot("step", "loss")
        assert sorted(lines(ax)) == ["0.1", "0.3"]
        means = found.series("loss").groupby(["param_lr", "step"])["value"].mean()
        for label, points in lines(ax).items():
            expected = [[step, means[float(label), step]] for step in range(4)]
            assert points == [pytest.approx(point) for point in expected]

    def test_one_setting_alone_is_a_point(self, results):
        ax = results().plot(y="acc")
        assert len(ax.lines) == 1 + 2  # the point, and the two caps of its bar


class TestOthers:
    def test_two_params_of_many_values_are_a_map(self, results):
        with pytest.warns(AggregateWarning, match="not balanced"):
            ax = results(lr=LR, depth=[1, 2, 3, 4]).plot(y="acc")
        (image,) = ax.images
        assert image.get_array().shape == (4, 4)
        assert {ax.get_xlabel(), ax.get_ylabel()} == {"lr", "depth"}
        assert ax.get_title() == "4 failed runs left out"

    def test_more_params_are_parallel(self, results):
        found = results(lr=LR, model=MODEL, depth=[1, 2])
        ax = found.plot(y="acc")
        assert [label.get_text() for label in ax.get_xticklabels()] == ["depth", "lr", "model"]
        assert len(ax.lines) == 16 + 3

    def test_two_metrics_are_a_scatter(self, results):
        found = results(lr=LR, model=MODEL)
        ax = found.plot("loss", "acc", hue="model")
        drawn = sum(len(each.get_offsets()) for each in ax.collections)
        assert drawn == len(found)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("loss", "acc")


class TestHonesty:
    def test_what_is_averaged_over_is_said(self, results):
        found = results(lr=LR, model=MODEL, depth=[1, 2])
        with pytest.warns(AggregateWarning, match="runs of different depth, model together"):
            ax = found.plot("lr", "acc")
        assert ax.get_title() == "mean over depth, model and replicates"

    def test_failed_runs_are_counted(self, results):
        with pytest.warns(AggregateWarning, match="1 run failed"):
            ax = results(depth=[3, 4]).plot("depth", "acc")
        assert ax.get_title() == "1 failed run left out"

    def test_nothing_of_matplotlib_is_changed(self, results):
        before = dict(matplotlib.rcParams)
        figure, axes = plt.subplots(1, 2)
        found = results(lr=LR)
        assert found.plot(y="acc", ax=axes[0]) is axes[0]
        assert plt.get_fignums() == [figure.number]
        assert dict(matplotlib.rcParams) == before

    @pytest.mark.parametrize(
        ("given", "kind", "text"),
        [
            ({}, KeyError, "say which metric is y; there are acc, loss"),
            ({"y": "akk"}, KeyError, "akk"),
            ({"x": "rate", "y": "acc"}, KeyError, "no param named 'rate'"),
            ({"y": "acc", "hue": "models"}, KeyError, "did you mean 'model'"),
            ({"y": "acc", "kind": "pie"}, ValueError, "there are line, bar"),
            ({"y": "acc", "error": "se"}, ValueError, "say 'ci', 'sd'"),
            ({"y": "acc", "kind": "scatter"}, ValueError, "say which is x"),
            ({"x": "step", "y": "model"}, KeyError, "no series named 'model'"),
        ],
    )
    def test_what_cannot_be_shown_is_said(self, results, given, kind, text):
        found = results(lr=LR, model=MODEL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AggregateWarning)
            with pytest.raises(kind) as raised:
                found.plot(**given)
        assert text in str(raised.value)
        assert isinstance(raised.value, (MetalabError, QueryError, ValueError))

    def test_without_matplotlib_it_says_what_to_install(self, results, tmp_path):
        results()
        script = f"""
import sys
sys.modules["matplotlib"] = None
import metalab
metalab.load_results({str(tmp_path / "store")!r}).plot(y="acc")
"""
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert (
            "MissingExtraError: plot() needs matplotlib: pip install 'metalab[plot]'" in done.stderr
        )
