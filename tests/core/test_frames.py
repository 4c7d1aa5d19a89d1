"""Frames and CSV files: columns by name, values exact, with pandas and without."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from metalab.errors import MissingExtraError
from metalab.records import ArtifactDescriptor, RunRecord
from metalab.results import Results
from metalab.results.columns import RECORD_COLUMNS, metric_column
from metalab.results.export import _CELLS, write_csv
from metalab.results.reducers import ReducerWarning
from metalab.store import FileStore

pd = pytest.importorskip("pandas")

WITHOUT_PANDAS = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pandas", "numpy", "rich"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nothing())
"""


def held(tmp_path, *rows, **common):
    """Results of records with these fields, in a store that has none of them."""
    records = [
        RunRecord.success(
            run_id=f"{place:032x}",
            experiment_id="e:1",
            seed=1,
            replicate=place,
            **{**common, **row},
        )
        for place, row in enumerate(rows)
    ]
    return Results(FileStore(tmp_path).scoped("e:1"), records)


def stored(tmp_path, *rows):
    """The same, written to the store and read back."""
    store = FileStore(tmp_path).scoped("e:1")
    with store.writer("abcdef") as writer:
        for record in held(tmp_path, *rows).records:
            writer.put(record)
    return Results.from_store(store)


def frame_of_params(tmp_path, values):
    rows = [{} if value is None else {"params_resolved": {"x": value}} for value in values]
    frame = stored(tmp_path, *rows).to_dataframe(include_record=False)
    return frame["param_x"]


class TestColumns:
    def test_the_record_then_params_then_metrics(self, tmp_path):
        row = {"params_resolved": {"lr": 0.1}, "metrics": {"loss": 1.0}}
        frame = stored(tmp_path, row).to_dataframe()
        assert list(frame) == [*RECORD_COLUMNS, "param_lr", "loss"]
        assert frame.loc[0, "status"] == "success"
        assert frame.loc[0, "experiment_id"] == "e:1"
        assert frame.loc[0, "tags"] == ()

    @pytest.mark.parametrize(
        ("options", "columns"),
        [
            ({"include_record": False}, ["param_lr", "loss"]),
            ({"include_params": False, "include_record": False}, ["loss"]),
            ({"include_metrics": False, "include_record": False}, ["param_lr"]),
            ({"include_metrics": False, "include_params": False}, list(RECORD_COLUMNS)),
        ],
    )
    def test_groups_of_columns_can_be_left_out(self, tmp_path, options, columns):
        row = {"params_resolved": {"lr": 0.1}, "metrics": {"loss": 1.0}}
        frame = stored(tmp_path, row, row).to_dataframe(**options)
        assert list(frame) == columns
        assert len(frame) == 2

    def test_without_any_column_there_still_is_a_row_for_each_run(self, tmp_path):
        frame = stored(tmp_path, {}, {}).to_dataframe(include_record=False)
        assert frame.shape == (2, 0)

    def test_no_runs_make_an_empty_frame_with_the_records_columns(self, tmp_path):
        frame = held(tmp_path).to_dataframe()
        assert list(frame) == list(RECORD_COLUMNS)
        assert len(frame) == 0

    def test_replicate_and_seed_are_columns_to_group_by(self, tmp_path):
        rows = [{"metrics": {"loss": float(n)}} for n in range(4)]
        frame = stored(tmp_path, *rows).to_dataframe()
        assert list(frame["replicate"]) == [0, 1, 2, 3]
        assert frame.groupby("seed")["loss"].mean().loc[1] == 1.5

    def test_table_as_dataframe_is_the_frame(self, tmp_path):
        results = stored(tmp_path, {"metrics": {"loss": 1.0}})
        pd.testing.assert_frame_equal(results.table(as_dataframe=True), results.to_dataframe())

    @pytest.mark.parametrize(
        ("name", "column"),
        [
            ("loss", "loss"),
            ("status", "metric_status"),
            ("seed", "metric_seed"),
            ("seed_fingerprint", "metric_seed_fingerprint"),
            ("param_lr", "metric_param_lr"),
            ("derived_x", "metric_derived_x"),
            ("metric_status", "metric_metric_status"),
        ],
    )
    def test_a_metric_never_takes_the_column_of_something_else(self, tmp_path, name, column):
        assert metric_column(name) == column
        row = {"params_resolved": {"lr": 1}, "metrics": {name: 7.5}}
        frame = stored(tmp_path, row).to_dataframe()
        assert frame.loc[0, column] == 7.5
        assert frame.columns.is_unique
        assert frame.loc[0, "status"] == "success"
        assert frame.loc[0, "param_lr"] == 1

    @given(
        st.sets(
            st.sampled_from(["status", "a", "param_a"]).map(lambda n: f"metric_{n}") | st.text()
        )
    )
    def test_names_of_metrics_stay_apart(self, names):
        assert len({metric_column(name) for name in names}) == len(names)


class TestTypes:
    @pytest.mark.parametrize(
        ("values", "dtype"),
        [
            ([1, 2], "int64"),
            ([1.5, 2.0], "float64"),
            ([1, 2.5], "float64"),
            ([1, None], "float64"),
            ([0.5, None], "float64"),
            ([True, False], "bool"),
            ([True, None], "object"),
            (["a", "b"], pd.Series(["a"]).dtype.name),
            ([1, "a"], "object"),
            ([(1, 2), [3]], "object"),
            ([2**63, 1], "uint64"),
            ([2**70, 1], "object"),
            ([2**60, None], "object"),
            ([2**60, 0.5], "object"),
            ([2**40, None], "float64"),
        ],
    )
    def test_a_column_has_the_type_of_its_values(self, tmp_path, values, dtype):
        assert frame_of_params(tmp_path, values).dtype == dtype

    @pytest.mark.parametrize(
        "values",
        [[2**60 + 1, None], [2**60 + 1, 0.5], [-(2**63), 2**63 - 1], [2**64 - 1, 0], [2**200, -1]],
    )
    def test_integers_stay_exact(self, tmp_path, values):
        column = frame_of_params(tmp_path, values)
        assert [v for v in column if v is not None] == [v for v in values if v is not None]

    def test_what_is_missing_is_missing_to_pandas(self, tmp_path):
        for number, values in enumerate(([1, None], ["a", None], [True, None], [[1], None])):
            assert list(frame_of_params(tmp_path / str(number), values).isna()) == [False, True]

    def test_nested_params_stay_objects(self, tmp_path):
        column = frame_of_params(tmp_path, [{"a": (1, 2)}, {"b": [None]}])
        assert list(column) == [{"a": (1, 2)}, {"b": [None]}]

    def test_moments_are_aware_datetimes(self, tmp_path):
        frame = stored(
            tmp_path, {"started_at": datetime(2026, 1, 2, 3, 4, 5, 678, UTC)}
        ).to_dataframe()
        assert str(frame["started_at"].dtype.tz) == "UTC"
        assert frame.loc[0, "started_at"] == pd.Timestamp("2026-01-02T03:04:05.000678Z")

    def test_a_run_that_has_not_ended_has_no_end(self, tmp_path):
        frame = held(tmp_path, {}, {"finished_at": None}).to_dataframe()
        assert list(frame["finished_at"].isna()) == [False, True]

    def test_nan_and_infinities_come_through(self, tmp_path):
        column = frame_of_params(tmp_path, [math.nan, math.inf, -math.inf, -0.0])
        assert math.isnan(column[0])
        assert list(column[1:3]) == [math.inf, -math.inf]
        assert math.copysign(1, column[3]) == -1


class TestCsv:
    def rows_of(self, path):
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_columns_are_those_of_the_frame(self, tmp_path):
        row = {"params_resolved": {"lr": 0.1}, "metrics": {"loss": 1.0}, "tags": ["a", "b"]}
        results = stored(tmp_path / "store", row, row)
        path = results.to_csv(tmp_path / "out.csv")
        assert path == tmp_path / "out.csv"
        assert list(self.rows_of(path)[0]) == list(results.to_dataframe())
        assert json.loads(self.rows_of(path)[0]["tags"]) == ["a", "b"]
        assert self.rows_of(path)[0]["started_at"].endswith("Z")
        only = results.to_csv(str(tmp_path / "few.csv"), include_record=False, include_params=False)
        assert only.read_text() == "loss\n1.0\n1.0\n"
        assert results.to_dict(include_record=False, include_params=False) == {"loss": [1.0, 1.0]}

    @pytest.mark.parametrize(
        ("value", "cell"),
        [
            (math.nan, "nan"),
            (math.inf, "inf"),
            (-math.inf, "-inf"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-0.0, "-0.0"),
            (2**100, str(2**100)),
            (True, "True"),
            (None, ""),
            ("nan", "nan"),
            ('a "b", c\nd', 'a "b", c\nd'),
            ([1, 2], "[1,2]"),
            ((1, 2), '{"$tuple":[1,2]}'),
            ({"a": math.inf}, '{"a":{"$float":"inf"}}'),
        ],
    )
    def test_cells_are_exact(self, tmp_path, value, cell):
        results = stored(tmp_path / "store", {"params_resolved": {"x": value}})
        (row,) = self.rows_of(results.to_csv(tmp_path / "out.csv"))
        assert row["param_x"] == cell

    def test_a_file_that_fails_leaves_the_one_that_was_there(self, tmp_path, monkeypatch):
        path = tmp_path / "out.csv"
        path.write_text("before")
        monkeypatch.setitem(_CELLS, "bad", lambda value: 1 // value)
        with pytest.raises(ZeroDivisionError):
            write_csv({"bad": [1, 0]}, path)
        assert path.read_text() == "before"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_pipe_is_written_to(self, tmp_path):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with ThreadPoolExecutor(1) as pool:
            read = pool.submit(pipe.read_text)
            write_csv({"x": [1]}, pipe)
            assert read.result() == "x\n1\n"

    @given(st.lists(st.floats(), min_size=1))
    def test_floats_read_back_exactly(self, tmp_path_factory, values):
        path = tmp_path_factory.mktemp("csv") / "x.csv"
        write_csv({"x": values}, path)
        back = [float(row["x"]) for row in self.rows_of(path)]
        assert list(map(repr, back)) == list(map(repr, values))

    def test_pandas_reads_it(self, tmp_path):
        rows = [{"metrics": {"loss": value}} for value in (0.1, math.inf, math.nan)]
        path = stored(tmp_path / "store", *rows, {}).to_csv(tmp_path / "out.csv")
        column = pd.read_csv(path)["loss"]
        assert list(column[:2]) == [0.1, math.inf]
        assert list(column[2:].isna()) == [True, True]

    def test_the_home_directory_is_expanded(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        path = stored(tmp_path / "store", {}).to_csv("~/out.csv")
        assert path == tmp_path / "out.csv"
        assert path.exists()

    def test_a_folder_that_is_missing_is_an_error(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            stored(tmp_path / "store", {}).to_csv(tmp_path / "nowhere" / "out.csv")


class TestReducers:
    @pytest.fixture
    def curves(self, tmp_path):
        store = FileStore(tmp_path).scoped("e:1")
        with store.writer("abcdef") as writer:
            for place in range(3):
                record = RunRecord.success(
                    run_id=f"{place:032x}", experiment_id="e:1", metrics={"loss": 0.5}, index=place
                )
                artifacts = []
                if place:
                    uri, digest, size = writer.put_artifact(
                        record, "curve", json.dumps([place, 2]).encode(), extension="json"
                    )
                    artifacts = [
                        ArtifactDescriptor("a", "curve", "json", "builtins/json", uri, digest, size)
                    ]
                fields = {"artifacts": artifacts, "metrics": record.metrics, "index": place}
                writer.put(RunRecord.success(run_id=record.run_id, experiment_id="e:1", **fields))
        return Results.from_store(store)

    def reduced(self, results, reducer):
        return results.to_dataframe(include_record=False, artifact_reducers={"curve": reducer})

    def test_a_dict_becomes_columns_and_a_missing_artifact_leaves_them_empty(self, curves):
        frame = self.reduced(curves, lambda curve: {"top": max(curve), "n": len(curve)})
        assert list(frame) == ["loss", "top", "n"]
        assert list(frame["top"][1:]) == [2, 2]
        assert list(frame["n"].isna()) == [True, False, False]

    def test_anything_else_becomes_one_column_of_the_artifacts_name(self, curves):
        assert list(self.reduced(curves, sum)["curve"][1:]) == [3, 4]

    def test_a_function_of_two_receives_the_run(self, curves):
        def reduce(curve, run):
            return {"place": (curve[0], run.record.index)}

        assert list(self.reduced(curves, reduce)["place"][1:]) == [(1, 1), (2, 2)]

    def test_an_optional_second_parameter_is_left_alone(self, curves):
        def reduce(curve, scale=10):
            return {"scaled": curve[0] * scale}

        assert list(self.reduced(curves, reduce)["scaled"][1:]) == [10, 20]

    def test_a_function_that_does_not_say_what_it_takes_receives_the_object(self, curves):
        assert list(self.reduced(curves, max)["curve"][1:]) == [2, 2]

    def test_a_failure_is_a_warning_that_names_run_artifact_and_cause(self, curves):
        with pytest.warns(ReducerWarning, match=r"artifact 'curve' of run 0+1 .*ZeroDivisionError"):
            frame = self.reduced(curves, lambda curve: {"x": 1 / (curve[0] - 1)})
        assert list(frame["x"].isna()) == [True, True, False]

    @pytest.mark.parametrize("values", [{1: 1, "1": 2}, {"\ud800": 1}], ids=["twice", "no text"])
    def test_names_that_no_column_can_have_are_a_failure(self, curves, values):
        with pytest.warns(ReducerWarning, match=r"(two values|a value) named '"):
            frame = curves.to_dataframe(artifact_reducers={"curve": lambda _: values})
        assert list(frame) == list(curves.to_dataframe())

    def test_a_column_that_is_taken_is_renamed(self, curves):
        frame = self.reduced(curves, lambda _: {"loss": 7})
        assert list(frame) == ["loss", "artifact_loss"]
        assert list(frame["loss"]) == [0.5] * 3

    def test_the_csv_has_them_too(self, curves, tmp_path):
        path = curves.to_csv(
            tmp_path / "x.csv", include_record=False, artifact_reducers={"curve": sum}
        )
        assert path.read_text().splitlines() == ["loss,curve", "0.5,", "0.5,3", "0.5,4"]

    def test_progress_can_be_shown(self, curves, capsys):
        curves.to_dataframe(artifact_reducers={"curve": sum}, progress=True)
        shown = capsys.readouterr()
        assert "artifacts: 3/3 runs" in shown.err
        assert not shown.out


class TestWithoutPandas:
    def run(self, script, tmp_path):
        store = FileStore(tmp_path / "store").scoped("e:1")
        with store.writer("abcdef") as writer:
            writer.put(
                RunRecord.success(
                    run_id="a" * 32,
                    experiment_id="e:1",
                    params_resolved={"lr": 0.5},
                    metrics={"loss": math.inf},
                )
            )
        script = WITHOUT_PANDAS + textwrap.dedent(script)
        return subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    def test_a_frame_names_the_extra_and_what_works_without(self, tmp_path):
        done = self.run(
            """
            import metalab
            try:
                metalab.load_results("store").to_dataframe()
            except ImportError as error:
                print(type(error).__name__, error)
            """,
            tmp_path,
        )
        assert done.stdout == (
            "MissingExtraError to_dataframe() needs pandas: pip install 'metalab[pandas]' "
            "(display(), table() and to_csv() work without it)\n"
        ), done.stderr
        assert issubclass(MissingExtraError, ImportError)

    def test_display_table_and_csv_work(self, tmp_path):
        done = self.run(
            """
            import metalab
            results = metalab.load_results("store")
            results.display()
            print(results.table()[0]["param_lr"])
            print(results.to_csv("out.csv", include_record=False).read_text())
            """,
            tmp_path,
        )
        assert done.stderr == ""
        assert done.stdout.splitlines() == [
            "run        lr  loss  status",
            "aaaaaaaa  0.5   inf  success",
            "1 run: 1 success, 0.0 s a run on average",
            "0.5",
            "param_lr,loss",
            "0.5,inf",
            "",
        ]

    def test_results_import_neither_pandas_nor_numpy(self):
        script = (
            "import metalab.results, sys; print({'pandas', 'numpy', 'rich'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "set()\n"
