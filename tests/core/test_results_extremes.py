"""Every view of results takes whatever runs may have been given and may have captured."""

from __future__ import annotations

import csv
import json
import math
import warnings
from datetime import UTC, datetime, timedelta

import pytest

import metalab
from metalab.cli import main
from metalab.errors import AggregateWarning
from metalab.results.cells import spelled, written
from strategies import Colour, Point

GIANT = 10**5000  # has more digits than str() writes
SCALARS = [
    *(math.nan, math.inf, -0.0, 5e-324, 1e308, 10**400, -(10**400), GIANT, 2**64, True, None),
    *("\ud800", "a\x00b", "a\nb", "=1+1", "</script>", "x" * 10_000, "1"),
]
VALUES = [
    *(*SCALARS, b"\xff", (1, 2), {1, "1"}, {"a": [GIANT]}, {1: 2}, 1j, Colour.RED, len, [], ()),
    *(Point(1, "\ud800"), datetime(2024, 1, 1, tzinfo=UTC), timedelta.max),
]
NAMES = [
    *("a\x00b", "a\nb", "n" * 1000, "status", "param_i", "$int", " ", "step", "value", "a,b"),
    *('"q"', "</script>", "run_id", "..", "x/y", "number.mean", "runs", "ü"),
]


def scalar(place):
    return SCALARS[place % len(SCALARS)]


@metalab.operation
def extreme(params, capture):
    i = params["i"]
    for place, name in enumerate(NAMES):
        capture.metric(name, scalar(i + place))
    capture.metric("number", GIANT if i % 2 else 1.5)
    for step, value in ((0, scalar(i)), (10**30, GIANT), (0.5, 1.5)):
        capture.metric("curve", value, step=step)
    capture.data("value", params["v"])


def derived(run):
    return {"giant": run.metrics["number"], "</script>": scalar(run.params["i"])}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    experiment = metalab.Experiment(
        "extreme",
        "1",
        None,
        extreme,
        metalab.manual([{"i": i, "v": value} for i, value in enumerate(VALUES)]),
        metalab.seeds(1, replicates=2),
    )
    store = str(tmp_path_factory.mktemp("extreme") / "store")
    made = metalab.run(experiment, store=store, executor="inline", progress=False).result()
    assert [run.error for run in made if run.error] == []
    made.compute_derived(derived)
    return metalab.load_results(store)


def _plot(results, *asked):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    axes = results.plot(*asked)
    axes.figure.canvas.draw()
    plt.close(axes.figure)


VIEWS = {
    "table": lambda results, _: results.table(),
    "to_dataframe": lambda results, _: results.to_dataframe(include_derived=True),
    "to_arrow": lambda results, _: results.to_arrow(include_derived=True),
    "to_polars": lambda results, _: results.to_polars(include_derived=True),
    "to_csv": lambda results, path: results.to_csv(path / "a.csv", include_derived=True),
    "to_parquet": lambda results, path: results.to_parquet(path / "a.pq", include_derived=True),
    "series": lambda results, _: results.series("curve"),
    "display": lambda results, _: results.display(),
    "display by": lambda results, _: results.display(group_by=["v"]),
    "aggregate": lambda results, _: repr(results.aggregate()),
    "aggregate all": lambda results, _: repr(results.aggregate("number", by=[])),
    "bootstrap": lambda results, _: repr(
        results.aggregate("number", by=[], interval="bootstrap", resamples=100)
    ),
    "pivot": lambda results, _: repr(results.pivot("v", "replicate", "number")),
    "compare": lambda results, _: str(results.compare({"i": 0}, {"i": 1}, "number")),
    "compare by giants": lambda results, _: str(results.compare({"v": GIANT}, "i = 1", "number")),
    "sort": lambda results, _: results.sort("-number"),
    "best": lambda results, _: results.best("number"),
    "where": lambda results, _: results.where("number > 1 and v != 'x'"),
    "summary": lambda results, _: results.summary(),
    "repr": lambda results, _: list(map(repr, results)),
    "diff": lambda results, _: [results[0].diff(run) for run in results],
    "plot": lambda results, _: _plot(results, "v", "number"),
    "plot series": lambda results, _: _plot(results, "step", "curve"),
    "report": lambda results, path: results.report(path / "a.html", metric="number", mode="max"),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
# What matplotlib says of numbers and labels as large as these.
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:constrained_layout not applied:UserWarning")
def test_a_view_takes_any_value_and_any_name(results, tmp_path, capsys, view):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AggregateWarning)
        view(results, tmp_path)


@pytest.mark.parametrize("json_", [False, True])
def test_commands_do_too(results, tmp_path, capsys, json_):
    store, page = results.store.locator, str(tmp_path / "a.html")
    giants = [run.run_id for run in results if run.params["v"] in (GIANT, {"a": [GIANT]})]
    for words in (
        ["ls", store],
        ["status", store],
        *(["show", run_id, "--store", store] for run_id in giants),
        ["diff", giants[0], giants[-1], "--store", store],
        ["report", store, "-o", page],
    ):
        code = main([*words, *(["--json"] if json_ else [])])
        out, err = capsys.readouterr()
        assert code in {0, 1}, err
        assert "digits" not in err
        if json_:
            json.loads(out)


def test_cells_of_a_csv_file_say_what_utf_8_and_decimal_digits_cannot(results, tmp_path):
    path = results.to_csv(tmp_path / "a.csv", columns=["param_v", "number"])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    cells = [row["param_v"] for row in rows]
    assert "\\ud800" in cells
    assert hex(GIANT) in cells
    assert int(hex(GIANT), 0) == GIANT
    assert str(10**400) in cells


def test_a_picture_shows_names_and_values_as_they_are(tmp_path):
    @metalab.operation(name="priced")
    def priced(params):
        return {"$y^{": params["x"]}

    points = metalab.grid(x=[1, 2, 3], hue=["$a_$", "b\x1b[31m", "\ud800"])
    experiment = metalab.Experiment("priced", "1", None, priced, points, metalab.seeds(1))
    store = str(tmp_path / "store")
    results = metalab.run(experiment, store=store, executor="inline", progress=False).result()
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    axes = results.plot("x", "$y^{", hue="hue")
    axes.figure.canvas.draw()
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    plt.close(axes.figure)
    assert texts == [r"\$a_\$", r"b\x1b[31m", r"\ud800"]


def test_means_of_a_table_take_infinities_and_giants(tmp_path, capsys):
    @metalab.operation(name="infinite")
    def infinite(params, seeds):
        pairs = {"both": (math.inf, -math.inf), "giant": (GIANT, 1), "nan": (math.nan, 1)}
        return {"y": pairs[params["x"]][seeds.replicate_index]}

    points, seeds = metalab.grid(x=["both", "giant", "nan"]), metalab.seeds(1, replicates=2)
    experiment = metalab.Experiment("infinite", "1", None, infinite, points, seeds)
    store = str(tmp_path / "store")
    metalab.run(experiment, store=store, executor="inline", progress=False).result().display(
        group_by="x", show_summary=False
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = {words[0]: words[-2:] for words in lines if words[0] in {"both", "giant", "nan"}}
    assert found == {"both": ["nan", "nan"], "giant": ["inf", "nan"], "nan": ["nan", "nan"]}


def test_a_number_of_any_size_is_written():
    assert spelled(GIANT) == hex(GIANT)
    assert spelled([GIANT]) == f'[{{"$int":"{hex(GIANT)}"}}]'
    assert spelled(Colour.RED, str) == "Colour.RED"
    assert len(written([1.5, GIANT])[1]) == 40
    assert written([1.5, 10**20]) == ["1.5", str(10**20)]


def test_the_difference_of_giants_is_exact(results):
    giants = [run for run in results if run.params["i"] in {0, 1} and run.replicate == 0]
    changes = {change.name: change for change in giants[0].diff(giants[1]).metrics}
    assert changes["number"].after == GIANT
    assert changes["number"].by is None  # of a float and an integer that no float holds
