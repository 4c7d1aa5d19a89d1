"""The page of a report: what it says, that hostile text stays text, and what it leaves out."""

import base64
import gzip
import json
import re
from pathlib import Path

import pytest

import metalab
from metalab.cli import main
from metalab.results.report import write_report
from metalab.results.report.contents import causes
from metalab.results.report.embedding import embedded, packed

HOSTILE = "</script><script>alert(1)</script>\u2028&\u202e\0\"'"


@metalab.operation
def score(params, seeds, capture):
    """Capture a score that grows with the rate, and a text that would like to be a script."""
    if params["rate"] > 4:
        raise ValueError(HOSTILE)
    capture.log(HOSTILE)
    for step in range(3):
        capture.metric("loss", params["rate"] / (step + 1), step=step)
    capture.metric("score", params["rate"] + seeds.rng().random() / 10)
    capture.metric("said", HOSTILE)


@metalab.operation
def diverge(params, capture):
    """Capture an infinite loss."""
    capture.metric("loss", params["by"] * float("inf"))


def study(rates, replicates=3):
    """Make an experiment of some rates."""
    return metalab.Experiment(
        name="told",
        version="1",
        context={"data": "small"},
        description="Does the rate matter?",
        operation=score,
        params=metalab.grid(rate=rates),
        seeds=metalab.seeds(base=1, replicates=replicates),
    )


def results_of(folder, rates, replicates=3):
    """Execute the experiment."""
    return metalab.run(study(rates, replicates), store=str(folder), progress=False).result()


def data_of(page):
    """Read the data of a page."""
    found = re.search(r'id="data">([^<]+)<', page.read_text("utf-8"))
    assert found
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def without_moment(page):
    return re.sub(r'id="as-of">[^<]*<', "", page.read_text("utf-8"))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return results_of(tmp_path_factory.mktemp("store"), [1, 2, 5])


def headline(page, number=0):
    return " ".join(data_of(page)["headlines"][number]["text"])


def test_the_headline_says_what_is_ahead_by_how_much_and_what_is_assumed(results, tmp_path) -> None:
    page = results.report(tmp_path / "r.html", metric="score")
    said = headline(page)
    assert said.startswith("rate=2 is ahead by score: 2.")
    assert "The next is rate=1: 1." in said
    pair = results.compare({"rate": 2}, {"rate": 1}, "score")
    assert f"The difference is {pair.difference:.6g}, over 3 replicates that both have" in said
    assert f"its 95 % interval is {pair.low:.6g} to {pair.high:.6g}." in said
    assert "Higher is taken to be better: nobody said which, so this is an assumption." in said


def test_less_is_better_where_the_mode_says_so(results, tmp_path) -> None:
    page = results.report(tmp_path / "r.html", metric="score", mode="min")
    assert {each["mode"] for each in data_of(page)["headlines"]} == {"min"}
    assert headline(page).startswith("rate=1 is ahead")
    assert "Lower is better, as whoever made this page said." in headline(page)


def test_metrics_that_do_not_exist_and_other_modes_are_refused(results, tmp_path) -> None:
    with pytest.raises(KeyError, match=r"scores.*did you mean 'score'"):
        results.report(tmp_path / "r.html", metric="scores")
    with pytest.raises(ValueError, match="'max' or 'min'"):
        results.report(tmp_path / "r.html", mode="best")
    assert list(tmp_path.iterdir()) == []


def test_one_setting_is_not_ahead_of_anything(tmp_path) -> None:
    page = results_of(tmp_path / "s", [1]).report(tmp_path / "r.html", metric="score")
    assert headline(page).startswith("There is one setting. Its score is 1.")


def test_settings_with_one_replicate_have_no_interval(tmp_path) -> None:
    page = results_of(tmp_path / "s", [1, 2], 1).report(tmp_path / "r.html", metric="score")
    assert "too few to say whether it is more than chance" in headline(page)


def test_where_all_runs_failed_the_page_tells_of_the_failures_alone(tmp_path) -> None:
    page = results_of(tmp_path / "s", [5, 6]).report(tmp_path / "r.html")
    data = data_of(page)
    assert data["headlines"] == []
    assert data["failures"][1]["cells"] == [6]


def test_an_experiment_without_runs_has_a_page(results, tmp_path) -> None:
    data = data_of(results[:0].report(tmp_path / "r.html"))
    assert (data["runs_in_all"], data["headlines"], data["question"]) == (0, [], [])


def test_the_question_is_told_with_what_answered_it(results, tmp_path) -> None:
    told = dict(data_of(results.report(tmp_path / "r.html"))["question"])
    assert told["Description"] == "Does the rate matter?"
    assert told["Param rate"] == "1, 2, 5"
    assert "small" in told["Context"]
    (launch,) = (text for name, text in told.items() if name.startswith("Launch"))
    assert "Python 3." in launch


def test_the_same_traceback_is_kept_once_and_the_log_of_each_run(results, tmp_path) -> None:
    details = data_of(results.report(tmp_path / "r.html"))["details"]
    assert len(details["traces"]) == 3
    assert len(details["texts"]) == 1
    logged = {place: text for place, text, _ in details["logs"]}
    assert sorted(logged)[:6] == list(range(6))
    assert "alert(1)" in logged[0]


def test_series_are_told_as_means_over_replicates(results, tmp_path) -> None:
    (series,) = data_of(results.report(tmp_path / "r.html"))["bands"]["series"]
    name, steps, means, lows, _ = series["lines"][1]
    assert (series["name"], name, steps) == ("loss", "rate=2", [0, 1, 2])
    assert (means, lows) == ([2, 1, pytest.approx(2 / 3)], [2, 1, pytest.approx(2 / 3)])


def test_the_series_of_a_run_are_kept_within_a_budget(results, tmp_path, monkeypatch) -> None:
    series = data_of(results.report(tmp_path / "r.html"))["details"]["series"]
    assert series[3] == [3, "loss", [0, 1, 2], [2, 1, pytest.approx(2 / 3)]]
    monkeypatch.setattr("metalab.results.report.details._MOST_POINTS", 7)
    assert len(data_of(results.report(tmp_path / "r.html"))["details"]["series"]) == 2


def test_the_command_writes_the_page_and_refuses_what_is_not_there(results, tmp_path) -> None:
    page = tmp_path / "r.html"
    command = ["report", results.store.locator, "-o", str(page), "--metric"]
    assert main([*command, "score", "--mode", "min", "--where", "rate < 5"]) == 0
    assert data_of(page)["runs_in_all"] == 6
    assert headline(page).startswith("rate=1 is ahead")
    page.unlink()
    assert main([*command, "scores"]) == 2
    assert not page.exists()


def test_equal_results_give_equal_pages_but_for_the_moment(results, tmp_path) -> None:
    pages = [results.report(tmp_path / name) for name in ("a.html", "b.html")]
    assert without_moment(pages[0]) == without_moment(pages[1])


def test_runs_that_are_not_wanted_or_do_not_fit_are_left_out_and_said_to_be(
    results, tmp_path
) -> None:
    data = data_of(results.report(tmp_path / "r.html", max_runs=2))
    assert (len(data["runs"][0]["cells"]), data["runs_in_all"]) == (2, 9)
    texts = {f"{number:032x}" for number in range(5000)}
    empty = data_of(results[:0].report(tmp_path / "e.html"))
    runs = packed({"run_id": sorted(texts), "status": ["success"] * 5000})
    contents = {**empty, "runs": runs, "runs_in_all": 5000}
    path = write_report(tmp_path / "big.html", "big", contents, limit=40_000)
    assert path.stat().st_size <= 40_000
    assert 0 < len(data_of(path)["runs"][0]["cells"]) < 5000


def test_of_very_many_settings_means_and_intervals_are_kept(results, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("metalab.results.report.contents._MOST_GROUPS", 2)
    data = data_of(results.report(tmp_path / "r.html"))
    names = {column["name"] for column in data["groups"]}
    assert {name for name in names if name.startswith("score.")} == {
        *("score.mean", "score.low", "score.high")
    }
    assert data["groups_are_cut"]


def test_infinite_numbers_have_no_difference(tmp_path) -> None:
    experiment = metalab.Experiment(
        name="endless",
        version="1",
        context=None,
        operation=diverge,
        params=metalab.grid(by=[1, 2]),
        seeds=metalab.seeds(base=1, replicates=2),
    )
    results = metalab.run(experiment, store=str(tmp_path / "s"), progress=False).result()
    said = headline(results.report(tmp_path / "r.html"))
    assert "by=1 is ahead by loss: inf" in said
    assert "Some numbers are infinite, so no difference is told." in said


def test_a_text_that_ends_a_script_cannot_end_the_embedded_data(results, tmp_path: Path) -> None:
    page = results.report(tmp_path / "r.html", title=HOSTILE)
    text = page.read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert "alert(1)</script>" not in text
    assert "<" not in embedded(HOSTILE)
    assert json.loads(embedded(HOSTILE)) == HOSTILE
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]


def test_numbers_that_javascript_cannot_hold_are_texts() -> None:
    (column,) = packed({"x": [float("nan"), float("inf"), 2**60, 0.1, None, True]})
    assert column["texts"] == ["nan", "inf", str(2**60), "true"]
    assert column["cells"] == [[0], [1], [2], 0.1, None, [3]]


def test_what_failed_is_counted_by_its_cause() -> None:
    columns = {
        "run_id": ["a", "b", "c"],
        "status": ["failed", "success", "failed"],
        "error": ["ValueError: x", None, "ValueError: x"],
    }
    assert causes(columns) == {"cause": ["ValueError: x"], "runs": [2], "example": ["a"]}
