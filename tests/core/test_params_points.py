"""Cases may be listed one by one, or be the rows of a table."""

from __future__ import annotations

import csv
import io
import pickle
import re

import numpy as np
import pandas as pd
import pytest

import metalab
from metalab.errors import IdentityError
from metalab.identity.canonical import fingerprint
from metalab.params import ManualSource, from_frame, manual


class TestManual:
    def test_cases_keep_their_order_and_are_tagged_by_number(self):
        source = manual([{"x": 2}, {"x": 1, "y": None}, {}])
        assert [case.params for case in source] == [{"x": 2}, {"x": 1, "y": None}, {}]
        assert [case.tags for case in source] == [("manual_0",), ("manual_1",), ("manual_2",)]
        assert [case.case_id for case in source] == [fingerprint(c.params) for c in source]
        assert source[-1].params == {}

    def test_given_tags_take_the_place_of_numbers(self):
        source = manual([{"x": 1}, {"x": 2}], tags=["base", ["wide", "slow"]])
        assert [case.tags for case in source] == [("base",), ("wide", "slow")]

    def test_a_generator_is_read_once_and_for_all(self):
        source = manual({"x": i} for i in range(3))
        assert [case.params["x"] for case in source] == [0, 1, 2]
        assert len(source) == 3

    def test_values_of_different_types_never_meet(self):
        values = [1, 1.0, "1", True, (1,), [1], {"1": 0}, {1: 0}, b"1", None]
        assert len({case.case_id for case in manual([{"x": v} for v in values])}) == len(values)

    def test_a_dict_changed_after_it_was_given_changes_nothing(self):
        case = {"x": [1]}
        source = manual([case])
        case["x"].append(2)
        source[0].params["x"].append(3)
        assert source[0].params == {"x": [1]}

    def test_duplicates_are_kept_as_written(self):
        source = manual([{"x": 1}, {"x": 1}])
        assert len(source) == 2
        assert source[0].case_id == source[1].case_id
        assert not source.distinct

    def test_names_are_those_of_all_cases(self):
        assert manual([{"x": 1}, {"y": 1}]).names == {"x", "y"}

    def test_a_value_without_identity_is_named(self):
        with pytest.raises(IdentityError, match=re.escape("params['model'][0]")):
            manual([{"model": [object()]}])[0]

    def test_a_missing_file_is_named(self):
        source = manual([{"x": 1, "data": metalab.FilePath("/no/such/file")}])
        with pytest.raises(FileNotFoundError, match=re.escape("params['data']: file not found: ")):
            source[0]

    def test_it_is_pickled_with_its_order_and_ids(self):
        source = manual([{"x": (1,)}, {"x": None}], tags=["a", "b"])
        assert list(pickle.loads(pickle.dumps(source))) == list(source)

    @pytest.mark.parametrize(
        ("make", "error", "text"),
        [
            (lambda: manual({"x": 1}), TypeError, "did you mean manual([{'x': 1}])?"),
            (lambda: manual([]), ValueError, "manual: it has no values"),
            (lambda: manual(5), TypeError, "did you mean manual([5])?"),
            (lambda: manual([1]), TypeError, "cases[0] is 1; a case is a dict"),
            (lambda: manual([{"x": 1}, "y"]), TypeError, "cases[1] is 'y'"),
            (lambda: manual([{1: 2}]), TypeError, "cases[0]: the name 1 is of type int"),
            (lambda: manual([{}], tags=["a", "b"]), ValueError, "2 tags for 1 cases"),
            (lambda: manual([{}], tags="a"), TypeError, "did you mean tags=['a']?"),
            (lambda: manual([{}], tags=[1]), TypeError, "tags[0] is 1; it is a str"),
            (lambda: manual([{}], tags=[["a", 1]]), TypeError, "tags[0] is ['a', 1]"),
            (lambda: manual([{}], tags=["\ud800"]), ValueError, "tags[0] '\\ud800' holds half"),
            (
                lambda: manual([{"\ud800": 1}]),
                ValueError,
                "cases[0]: the name '\\ud800' holds half",
            ),
            (lambda: manual(pd.DataFrame({"x": [1]})), TypeError, "did you mean from_frame(...)"),
        ],
    )
    def test_bad_input_is_refused_with_what_was_meant(self, make, error, text):
        with pytest.raises(error, match=re.escape(text)):
            make()


class Table:
    """A frame as polars and pyarrow have them: columns by name, each with its own conversion."""

    def __init__(self, names, convert, **columns):
        setattr(self, names, list(columns))
        self._columns = columns
        self._convert = convert

    def __getitem__(self, name):
        return type("Column", (), {self._convert: lambda _: self._columns[name]})()


class TestFromFrame:
    def test_rows_of_a_pandas_frame_are_cases_of_plain_values(self):
        frame = pd.DataFrame({"x": [1, 2], "lr": [0.1, 0.2], "name": ["a", "b"]})
        source = from_frame(frame)
        assert isinstance(source, ManualSource)
        assert [case.params for case in source] == [
            {"x": 1, "lr": 0.1, "name": "a"},
            {"x": 2, "lr": 0.2, "name": "b"},
        ]
        assert [type(value) for value in source[0].params.values()] == [int, float, str]
        assert [case.tags for case in source] == [("row_0",), ("row_1",)]

    @pytest.mark.parametrize(
        ("names", "convert"), [("columns", "to_list"), ("column_names", "to_pylist")]
    )
    def test_other_frames_are_read_by_their_columns(self, names, convert):
        source = from_frame(Table(names, convert, x=[1, 2], y=["a", "b"]))
        assert [case.params for case in source] == [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]

    def test_a_dict_of_columns_is_a_table(self):
        source = from_frame({"x": np.arange(2), "y": ("a", "b")})
        assert [case.params for case in source] == [{"x": 0, "y": "a"}, {"x": 1, "y": "b"}]
        assert type(source[0].params["x"]) is int

    def test_rows_of_a_csv_file_are_cases(self):
        source = from_frame(csv.DictReader(io.StringIO("x,y\n1,a\n2,b\n")))
        assert [case.params for case in source] == [{"x": "1", "y": "a"}, {"x": "2", "y": "b"}]

    @pytest.mark.parametrize(
        ("frame", "error", "text"),
        [
            (pd.DataFrame({0: [1]}), TypeError, "from_frame: the name 0 is of type int"),
            (
                pd.DataFrame([[1, 2]], columns=["x", "x"]),
                ValueError,
                "two columns are called 'x'",
            ),
            (pd.DataFrame({"x": []}), ValueError, "the table has no rows"),
            ([], ValueError, "the table has no rows"),
            (5, TypeError, "wants a table or an iterable of rows, not 5"),
            ("x", TypeError, "wants a table or an iterable of rows, not 'x'"),
            ([[1]], TypeError, "cases[0] is [1]; a case is a dict"),
            ({"x": 1}, TypeError, "column 'x': 1 is a int, not a list of values"),
            ({"x": "abc"}, TypeError, "column 'x': 'abc' is one value"),
        ],
    )
    def test_what_is_no_table_is_refused(self, frame, error, text):
        with pytest.raises(error, match=re.escape(text)):
            from_frame(frame)

    def test_columns_of_different_lengths_are_refused(self):
        with pytest.raises(ValueError, match="argument 2 is longer"):
            from_frame({"x": [1], "y": [1, 2]})
