"""Tables that people read: what stands in their cells, and where they are drawn."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import textwrap

import pytest

import metalab
from metalab.records import RunRecord
from metalab.results import Results, display_results
from metalab.results.cells import is_numeric, written
from metalab.store import FileStore


@metalab.operation
def mvp(params, seeds, capture):
    if params["scale"] == 3:
        raise ValueError("not three")
    capture.metric("score", params["scale"] * seeds.rng().random())


def run(store, scales, replicates=2):
    exp = metalab.Experiment(
        "mvp", "1.0", None, mvp, metalab.grid(scale=scales), metalab.seeds(123, replicates)
    )
    return metalab.run(exp, store=store, executor="inline", progress=False).result()


def held(tmp_path, *rows):
    records = [
        RunRecord.success(run_id=f"{place:032x}", experiment_id="e:1", **row)
        for place, row in enumerate(rows)
    ]
    return Results(FileStore(tmp_path).scoped("e:1"), records)


def shown(capsys, results, **options):
    results.display(**options)
    printed = capsys.readouterr()
    assert not printed.err
    return printed.out.splitlines()


class TestCells:
    @pytest.mark.parametrize(
        ("values", "cells"),
        [
            ([0.0097047186, 3.4986111], ["0.009705", "3.498611"]),
            ([0.5, 0.25], ["0.50", "0.25"]),
            ([1.0, 2.0], ["1.0", "2.0"]),
            ([0.0, None], ["0.0", ""]),
            ([1e-9, 1.0], ["1e-09", "1"]),
            ([1234567.0, 1.0], ["1.23457e+06", "1"]),
            ([float("nan")], ["nan"]),
            ([float("nan"), float("inf"), 0.5], ["nan", "inf", "0.5"]),
            ([None, None], ["", ""]),
            ([1, 2.5, None], ["1", "2.5", ""]),
            ([1, 20], ["1", "20"]),
            ([True, False], ["True", "False"]),
            ([0.123456789, "text"], ["0.123457", "text"]),
            ([(1, 2), {"a": 1}], ["(1, 2)", "{'a': 1}"]),
            (["a\nb\tc"], ["a b c"]),
            (["x" * 50], ["x" * 39 + "…"]),
        ],
    )
    def test_values_are_written_column_by_column(self, values, cells):
        assert written(values) == cells

    def test_numbers_and_what_is_missing_are_aligned_to_the_right(self):
        assert is_numeric([1, 2.5, None])
        assert not is_numeric([1, "a"])
        assert not is_numeric([True])


class TestRuns:
    def test_the_mvps_scores_are_shown_with_six_decimals(self, store, capsys):
        lines = shown(capsys, run(store, [0.1, 1, 10]))
        assert lines[0].split() == ["run", "scale", "replicate", "score", "status"]
        scores = [line.split()[3] for line in lines[1:7]]
        assert scores == ["0.009705", "0.034986", "0.097047", "0.349861", "0.970472", "3.498611"]
        assert lines[7].startswith("6 runs: 6 success, ")
        assert len({len(line) for line in lines[:7]} - {len(lines[0])}) <= 1

    def test_failures_are_shown_with_their_error(self, store, capsys):
        lines = shown(capsys, run(store, [1, 3], replicates=1), show_summary=False)
        assert lines[0].split() == ["run", "scale", "score", "status", "error"]
        assert lines[2].endswith("failed   ValueError: not three")
        assert len(lines) == 3

    def test_a_single_replicate_is_not_shown(self, store, capsys):
        assert "replicate" not in shown(capsys, run(store, [1], replicates=1))[0]

    def test_of_many_runs_the_first_are_shown(self, tmp_path, capsys):
        lines = shown(capsys, held(tmp_path, *[{"metrics": {"n": n}} for n in range(61)]))
        assert len(lines) == 1 + 50 + 2
        assert lines[-2] == "and 11 more; to_dataframe() and to_csv() have all of them"
        assert lines[-1].startswith("61 runs: 61 success")

    def test_sixty_runs_are_all_shown(self, tmp_path, capsys):
        lines = shown(capsys, held(tmp_path, *[{"metrics": {"n": n}} for n in range(60)]))
        assert len(lines) == 1 + 60 + 1

    def test_no_runs_say_so(self, tmp_path, capsys):
        assert shown(capsys, held(tmp_path)) == ["0 runs"]
        assert shown(capsys, held(tmp_path), show_summary=False) == []

    def test_a_param_and_a_metric_of_one_name_are_told_apart(self, tmp_path, capsys):
        row = {"params_resolved": {"x": 1, "status": 2}, "metrics": {"x": 3, "status": 4}}
        header, cells, _ = shown(capsys, held(tmp_path, row))
        assert dict(zip(header.split(), cells.split(), strict=True)) == {
            "run": "00000000",
            "param_x": "1",
            "param_status": "2",
            "x": "3",
            "metric_status": "4",
            "status": "success",
        }

    def test_the_function_prints_what_the_method_prints(self, store, capsys):
        results = run(store, [1, 3])
        display_results(results, group_by="scale", show_summary=False)
        assert capsys.readouterr().out.splitlines() == shown(
            capsys, results, group_by="scale", show_summary=False
        )


class TestGroups:
    def test_means_and_deviations_over_the_successful_runs(self, tmp_path, capsys):
        rows = [{"params_resolved": {"m": "a"}, "metrics": {"x": x}} for x in (1.0, 3.0)]
        rows.append({"params_resolved": {"m": "b"}, "metrics": {"x": 5, "name": "n"}})
        lines = shown(capsys, held(tmp_path, *rows), group_by="m", show_summary=False)
        assert lines == [
            "m  runs  mean x      sd x",
            "a     2     2.0  1.414214",
            "b     1     5.0",
        ]

    def test_failed_runs_are_counted_and_left_out_of_the_means(self, store, capsys):
        lines = shown(capsys, run(store, [1, 3]), group_by="scale", show_summary=False)
        assert lines[0].split() == ["scale", "runs", "failed", "mean", "score", "sd", "score"]
        assert lines[1].split()[:4] == ["1", "2", "0", "0.223454"]
        assert lines[2].split() == ["3", "2", "2"]

    def test_several_names_params_and_metrics_and_fields(self, tmp_path, capsys):
        rows = [
            {"params_resolved": {"m": (1, 2)}, "metrics": {"ok": True, "x": 2.0}, "replicate": r}
            for r in (0, 1)
        ]
        lines = shown(capsys, held(tmp_path, *rows), group_by=["m", "ok"], show_summary=False)
        assert lines == ["m       ok    runs  mean x  sd x", "(1, 2)  True     2     2.0   0.0"]
        lines = shown(capsys, held(tmp_path, *rows), group_by="replicate", show_summary=False)
        assert len(lines) == 3

    def test_a_run_without_the_name_is_in_a_group_of_its_own(self, tmp_path, capsys):
        rows = [{"metrics": {"x": 1.0}}, {}]
        lines = shown(capsys, held(tmp_path, *rows), group_by="x", show_summary=False)
        assert [line.split() for line in lines] == [["x", "runs"], ["1.0", "1"], ["1"]]

    def test_an_unknown_name_is_an_error_that_lists_the_names(self, tmp_path):
        results = held(tmp_path, {"params_resolved": {"model": 1}})
        with pytest.raises(KeyError, match=r"named 'modle'.*did you mean 'model'"):
            results.display(group_by="modle")

    def test_no_runs_make_no_groups(self, tmp_path, capsys):
        assert shown(capsys, held(tmp_path), group_by="x", show_summary=False) == []


SCRIPT = """
import metalab, sys
results = metalab.load_results(sys.argv[1])
results.display()
"""

WITHOUT_RICH = """
import sys
class NoRich:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "rich":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NoRich())
"""


class TestTerminal:
    def drawn(self, script, store):
        leader, follower = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), store],
            stdout=follower,
            stderr=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        ) as process:
            os.close(follower)
            drawn = b""
            while True:
                try:
                    part = os.read(leader, 4096)
                except OSError:  # how the end of a pseudo-terminal reads on Linux
                    break
                if not part:
                    break
                drawn += part
            assert process.stderr.read() == b""
        os.close(leader)
        return drawn.decode()

    def test_a_terminal_gets_a_table_drawn_with_rich(self, store):
        pytest.importorskip("rich")
        run(store, [0.1, 3])
        drawn = self.drawn(SCRIPT, store)
        assert "\x1b[1m" in drawn
        assert "0.009705" in drawn
        assert "ValueError: not three" in drawn
        assert "4 runs: 2 success, 2 failed" in drawn

    def test_a_terminal_without_rich_gets_plain_text(self, store):
        run(store, [0.1, 3])
        drawn = self.drawn(WITHOUT_RICH + SCRIPT, store)
        assert "\x1b" not in drawn
        assert "0.009705" in drawn
