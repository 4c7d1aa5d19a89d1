"""The page of a report: hostile text stays text, and numbers stay exact."""

import base64
import gzip
import json
import re
from pathlib import Path

from metalab.results.report import write_report
from metalab.results.report.embedding import embedded, packed


def test_a_text_that_ends_a_script_cannot_end_the_embedded_data(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>\u2028&\u202e\0"
    columns = {"run_id": [hostile], "status": ["success"]}
    path = write_report(tmp_path / "r.html", hostile, columns, {"runs": [1]}, [hostile])
    page = path.read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert "alert(1)</script>" not in page
    assert json.loads(embedded(hostile)) == hostile
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]


def test_numbers_that_javascript_cannot_hold_are_texts() -> None:
    (column,) = packed({"x": [float("nan"), float("inf"), 2**60, 0.1, None, True]})
    assert column["texts"] == ["nan", "inf", str(2**60), "true"]
    assert column["cells"] == [[0], [1], [2], 0.1, None, [3]]


def test_what_failed_is_counted_by_its_cause(tmp_path: Path) -> None:
    columns = {
        "run_id": ["a", "b", "c"],
        "status": ["failed", "success", "failed"],
        "error": ["ValueError: x", None, "ValueError: x"],
    }
    page = write_report(tmp_path / "r.html", "t", columns, {"runs": [3]}, []).read_text("utf-8")
    found = re.search(r'id="data">([^<]+)<', page)
    assert found
    cause, runs, example = json.loads(gzip.decompress(base64.b64decode(found[1])))["failures"]
    assert (cause["texts"], runs["cells"], example["texts"]) == (["ValueError: x"], [2], ["a"])
