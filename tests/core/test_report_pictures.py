"""The pictures of a report, what is left out for their size, and the files it may replace."""

import base64
import os

import pytest

import metalab
from core.test_report_page import data_of
from metalab.cli import main
from metalab.results.report import is_report, write_report

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff\xe0"
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'


@metalab.operation
def paint(params, capture):
    """Keep pictures, some of which are none, and one that all runs have."""
    capture.artifact("own", PNG + bytes([params["k"]]) * 1000)
    capture.artifact("same", JPEG)
    capture.artifact("drawn", SVG)
    capture.artifact("page.png", b"<html><svg onload='alert(1)'></html>")
    capture.artifact("table", {"no": "picture"})


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    experiment = metalab.Experiment(
        name="painted",
        version="1",
        context={},
        operation=paint,
        params=metalab.grid(k=[1, 2, 3]),
        seeds=metalab.seeds(base=1),
    )
    store = str(tmp_path_factory.mktemp("store"))
    return metalab.run(experiment, store, progress=False).result()


def pictures_in(page):
    return data_of(page)["pictures"]


def test_pictures_are_known_by_their_bytes_and_kept_once(results, tmp_path):
    pictures = pictures_in(results.report(tmp_path / "r.html"))
    images = [(media, base64.b64decode(content)) for media, content in pictures["images"]]
    assert images == [
        ("image/png", PNG + bytes([1]) * 1000),
        ("image/jpeg", JPEG),
        ("image/svg+xml", SVG),
        ("image/png", PNG + bytes([2]) * 1000),
        ("image/png", PNG + bytes([3]) * 1000),
    ]
    shown = [(place, name) for place, name, _ in pictures["shown"]]
    assert shown == [(place, name) for place in range(3) for name in ("own", "same", "drawn")]
    assert not pictures["left_out"]


def test_every_artifact_is_named_whether_it_is_shown_or_not(results, tmp_path):
    (column,) = data_of(results.report(tmp_path / "r.html"))["artifacts"]
    (text,) = column["texts"]
    assert column["cells"] == [[0]] * 3
    assert "page.png (builtins/bytes), table (builtins/json)" in text


@pytest.mark.parametrize(("bound", "kept"), [("_BUDGET", 2500), ("_LARGEST", 500)])
def test_pictures_beyond_the_budget_are_left_out_and_it_is_said(
    bound, kept, results, tmp_path, monkeypatch
):
    monkeypatch.setattr(f"metalab.results.report.pictures.{bound}", kept)
    pictures = pictures_in(results.report(tmp_path / "r.html"))
    assert pictures["left_out"]
    assert [name for _, name, _ in pictures["shown"]].count("own") == kept // 1000
    assert sum(len(base64.b64decode(content)) for _, content in pictures["images"]) <= kept


def test_a_page_that_is_too_large_loses_pictures_before_runs(results, tmp_path):
    contents = data_of(results.report(tmp_path / "r.html"))
    noise = [["image/png", base64.b64encode(os.urandom(30_000)).decode()] for _ in range(3)]
    shown = [[place, "noise", place] for place in range(3)]
    contents["pictures"] = {"images": noise, "shown": shown, "left_out": False}
    limit = 90_000
    page = write_report(tmp_path / "big.html", "big", contents, limit=limit)
    data = data_of(page)
    assert page.stat().st_size <= limit
    assert len(data["runs"][0]["cells"]) == 3
    assert data["pictures"]["images"] == noise[:1]
    assert data["pictures"]["shown"] == [[0, "noise", 0]]
    assert data["pictures"]["left_out"]


def test_of_runs_that_are_not_listed_there_are_no_pictures(results, tmp_path):
    data = data_of(results.report(tmp_path / "r.html", max_runs=1))
    assert len(data["pictures"]["images"]) == 3
    assert {place for place, _, _ in data["pictures"]["shown"]} == {0}
    assert data["artifacts"][0]["cells"] == [[0]]


def test_a_picture_that_cannot_be_read_is_left_out(results, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    metalab.store.export_store(results.store.locator, str(copy))
    for pack in copy.rglob("*.tar"):
        pack.unlink()
    data = data_of(metalab.load_results(copy).report(tmp_path / "r.html"))
    assert data["pictures"]["images"] == []
    assert data["artifacts"][0]["cells"] == [[0]] * 3


def test_only_a_report_or_nothing_is_replaced_unless_it_is_forced(results, tmp_path, capsys):
    page = tmp_path / "report.html"
    command = ["report", results.store.locator, "-o", str(page)]
    page.touch()
    assert main(command) == 0
    assert is_report(page)
    assert main(command) == 0
    page.write_text("<html>my thesis</html>")
    assert main(command) == 2
    assert "is no report of metalab" in capsys.readouterr().err
    assert page.read_text() == "<html>my thesis</html>"
    assert main([*command, "--force"]) == 0
    assert is_report(page)
    assert not is_report(tmp_path)
