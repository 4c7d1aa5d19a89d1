"""A grid is every combination of its axes, each case reachable from its index alone."""

from __future__ import annotations

import enum
import itertools
import pickle
import re
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

import metalab
from memory_tools import traced_memory
from metalab.errors import IdentityError
from metalab.identity.canonical import fingerprint
from metalab.params import GridSource, grid

values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
values |= st.lists(st.integers(), max_size=2) | st.tuples(st.integers())
axes = st.dictionaries(st.text(max_size=4), st.lists(values, min_size=1, max_size=3), max_size=4)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def params_of(source):
    return [case.params for case in source]


class TestOrder:
    def test_names_are_sorted_and_the_last_is_fastest(self):
        source = grid(b=[1, 2], a=["x", "y"])
        assert params_of(source) == [
            {"a": "x", "b": 1},
            {"a": "x", "b": 2},
            {"a": "y", "b": 1},
            {"a": "y", "b": 2},
        ]
        assert list(source[0].params) == ["a", "b"]

    def test_no_axes_give_one_empty_case(self):
        source = grid()
        assert len(source) == 1
        assert params_of(source) == [{}]
        assert source[0].case_id == fingerprint({})

    @given(axes)
    def test_index_iteration_and_length_agree_with_a_plain_product(self, lists):
        source = GridSource(lists)
        names = sorted(lists)
        plain = [
            dict(zip(names, point, strict=True))
            for point in itertools.product(*(lists[name] for name in names))
        ]
        ids = [fingerprint(point) for point in plain]
        assert [case.case_id for case in source] == ids
        assert [source[i].case_id for i in range(len(source))] == ids
        assert [fingerprint(case.params) for case in source] == ids
        assert source[-1].case_id == ids[-1]

    def test_an_index_beyond_either_end_is_an_index_error(self):
        source = grid(a=[1, 2, 3])
        for index in (3, -4, 10**30):
            with pytest.raises(IndexError, match="the source has 3"):
                source[index]

    def test_an_index_may_be_any_integer_and_nothing_else(self):
        assert grid(a=[1, 2])[np.int64(1)].params == {"a": 2}
        with pytest.raises(TypeError):
            grid(a=[1, 2])["a"]

    def test_a_million_points_take_no_memory(self):
        source = grid(**{name: range(10) for name in "abcdef"})
        list(itertools.islice(source, 3))
        with traced_memory() as taken:
            for case in itertools.islice(source, 20_000):
                assert case.case_id
            assert source[999_999].params["f"] == 9
        assert taken.peak < 200_000


class TestAxes:
    @pytest.mark.parametrize(
        "axis",
        [
            [1, 2],
            (1, 2),
            range(1, 3),
            iter([1, 2]),
            (i for i in (1, 2)),
            {1: "a", 2: "b"}.keys(),
            np.array([1, 2]),
        ],
        ids=lambda axis: type(axis).__name__,
    )
    def test_every_kind_of_list_is_an_axis(self, axis):
        source = grid(x=axis)
        assert len(source) == 2
        assert params_of(source) == params_of(source) == [{"x": 1}, {"x": 2}]

    def test_numpy_axes_give_plain_numbers_with_plain_ids(self):
        spaced = grid(x=np.linspace(0, 1, 3))
        plain = grid(x=[0.0, 0.5, 1.0])
        assert [c.case_id for c in spaced] == [c.case_id for c in plain]
        assert all(type(case.params["x"]) is float for case in spaced)

    def test_rows_of_a_matrix_are_the_values_of_its_axis(self):
        source = grid(x=np.eye(2))
        assert [case.params["x"].tolist() for case in source] == [[1.0, 0.0], [0.0, 1.0]]

    def test_an_enum_is_an_axis(self):
        assert params_of(grid(x=Color)) == [{"x": Color.RED}, {"x": Color.BLUE}]

    def test_values_keep_their_types(self):
        mixed = [(1, 2), [1, 2], 1, 1.0, True, "1", None, b"1", {"k": (1,)}]
        assert [type(case.params["x"]) for case in grid(x=mixed)] == list(map(type, mixed))
        assert len({case.case_id for case in grid(x=mixed)}) == len(mixed)

    @pytest.mark.parametrize(
        ("make", "error", "text"),
        [
            (lambda: grid(x=5), TypeError, "did you mean grid(x=[5])?"),
            (lambda: grid(x="abc"), TypeError, "did you mean grid(x=['abc'])?"),
            (lambda: grid(x=b"abc"), TypeError, "did you mean grid(x=[b'abc'])?"),
            (lambda: grid(x=None), TypeError, "did you mean grid(x=[None])?"),
            (lambda: grid(x={"a": 1}), TypeError, "did you mean grid(x=[{'a': 1}])?"),
            (lambda: grid(x={3}), TypeError, "did you mean grid(x=sorted({3}))?"),
            (lambda: grid(x=np.array(3)), TypeError, "did you mean grid(x=[array(3)])?"),
            (lambda: grid(x=[]), ValueError, "grid: x: it has no values"),
            (lambda: grid(x=iter(())), ValueError, "there would be no runs"),
            (lambda: grid(x=pd.DataFrame({"a": [1]})), TypeError, "did you mean from_frame(...)"),
            (lambda: grid(**{"\ud800": [1]}), ValueError, "the name '\\ud800' holds half"),
            (lambda: grid(**{"a b": 1}), TypeError, "did you mean grid(**{'a b': [1]})?"),
            (lambda: grid({"x": [1]}), TypeError, "write grid(**{...})"),
            (lambda: GridSource([1]), TypeError, "as in grid(x=[1, 2])"),
            (lambda: GridSource({1: [1]}), TypeError, "the name 1 is of type int, not str"),
            (
                lambda: grid(x=metalab.uniform(0, 1)),
                TypeError,
                "did you mean random(space={'x': Uniform(low=0.0, high=1.0)}",
            ),
        ],
    )
    def test_what_is_no_axis_is_refused_with_what_was_meant(self, make, error, text):
        with pytest.raises(error, match=re.escape(text)):
            make()

    def test_a_grid_too_large_to_index_is_refused(self):
        with pytest.raises(ValueError, match="more than can be indexed"):
            grid(**{f"x{i}": range(100) for i in range(10)})

    def test_a_value_without_identity_is_named_when_a_case_is_asked_for(self):
        source = grid(lr=[0.1], model=[{"net": object()}])
        with pytest.raises(IdentityError, match=re.escape("params['model']['net']: ")):
            next(iter(source))
        with pytest.raises(TypeError, match=re.escape("params['model']['net']: ")):
            source[0]

    def test_a_value_that_refuses_to_be_copied_is_named_too(self):
        source = grid(lock=[threading.Lock()])
        with pytest.raises(IdentityError, match=re.escape("params['lock']: ")):
            source[0]

    def test_a_file_is_known_by_what_it_holds_whenever_a_case_is_asked_for(self, tmp_path):
        data = tmp_path / "data"
        data.write_text("old")
        source = grid(data=[metalab.FilePath(data)], nested=[[{"f": metalab.FilePath(data)}]])
        old = source[0].case_id
        assert next(iter(source)).case_id == old
        data.write_text("new")
        assert source[0].case_id == next(iter(source)).case_id != old

    def test_files_may_become_equal_so_that_they_are_not_distinct(self, tmp_path):
        for name in "ab":
            (tmp_path / name).write_text(name)
        assert not grid(data=[metalab.FilePath(tmp_path / name) for name in "ab"]).distinct

    def test_a_missing_file_is_named_when_a_case_is_asked_for(self):
        source = grid(data=[metalab.FilePath("/no/such/file")])
        with pytest.raises(FileNotFoundError, match=re.escape("params['data']: file not found: ")):
            source[0]

    def test_functions_and_classes_are_values_and_lambdas_are_not(self):
        source = grid(f=[params_of, Color])
        assert [case.params["f"] for case in source] == [params_of, Color]
        with pytest.raises(IdentityError, match=r"params\['f'\].*lambda"):
            grid(f=[lambda: 1])[0]


class TestOwnership:
    def test_an_operation_that_changes_its_params_harms_no_other_case(self):
        source = grid(layers=[[1, 2]], x=[1, 2])
        first = source[0]
        first.params["layers"].append(3)
        params = first.params
        params["x"] = 99
        params["layers"].append(3)
        assert first.params == {"layers": [1, 2], "x": 1}
        assert source[1].params == {"layers": [1, 2], "x": 2}

    def test_a_list_changed_after_it_was_given_changes_nothing(self):
        inner, axis = [1], []
        axis.append(inner)
        source = grid(x=axis)
        inner.append(2)
        axis.append(3)
        assert params_of(source) == [{"x": [1]}]
        assert source[0].case_id == fingerprint({"x": [1]})

    def test_arrays_are_handed_out_as_copies(self):
        source = grid(x=[np.zeros(2)])
        source[0].params["x"][0] = 5
        assert source[0].params["x"].tolist() == [0, 0]

    def test_it_is_pickled_with_its_order_and_ids(self):
        source = grid(a=[1, (2,)], b=[None, Color.RED])
        list(source)
        again = pickle.loads(pickle.dumps(source))
        assert list(again) == list(source)
        assert params_of(again) == params_of(source)


class TestDistinct:
    @given(axes)
    def test_it_is_true_only_if_no_two_cases_are_equal(self, lists):
        source = GridSource(lists)
        assert source.distinct is (len({case.case_id for case in source}) == len(source))

    def test_equal_values_of_different_types_are_distinct(self):
        assert grid(x=[1, 1.0, True]).distinct
        assert not grid(x=[1, 1]).distinct
        assert not grid(x=[0.1, np.float64(0.1)]).distinct


def test_the_repr_shows_axes_and_stays_short():
    assert repr(grid(a=[1, 2], b=("x", "y"))) == "grid(a=[1, 2], b=['x', 'y'])"
    assert len(repr(grid(a=range(10_000)))) < 80


def test_a_case_shows_its_params():
    case = grid(a=[1])[0]
    assert repr(case) == f"ParamCase({{'a': 1}}, case_id={case.case_id!r}, tags=())"
    assert case == grid(a=[1])[0]
    assert hash(case) == hash(grid(a=[1])[0])


def test_names_are_known():
    assert grid(b=[1], a=[2]).names == {"a", "b"}


def test_case_ids_are_those_of_the_cases():
    sweep = metalab.grid(lr=[0.1, 1], optimizer=["sgd", "adam"], z=[(1,), None])
    for source in (sweep, sweep[1:5], sweep + metalab.manual([{"x": 1}]), sweep.filter(bool)):
        assert list(source.case_ids()) == [case.case_id for case in source]
        assert list(source.case_ids()) == [source[i].case_id for i in range(len(source))]
