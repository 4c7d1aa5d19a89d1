"""Sources combine: what comes out is a source again, whose points are reached by index."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given, strategies as st

import metalab
from metalab.identity.canonical import fingerprint
from metalab.params import ConcatSource, ParamCase, ProductSource, grid, manual, random, zip_


def is_even(params):
    return sum(value for value in params.values() if isinstance(value, int)) % 2 == 0


class Foreign:
    """A source that knows nothing of the algebra."""

    def __init__(self, *points):
        self.points = points

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError
        return ParamCase.of(self.points[index], ("foreign",))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def to_manifest_dict(self):
        return {"type": "foreign", "points": list(self.points)}


def leaves(prefix):
    """Make sources that are made of no others; the names in them begin with the prefix."""
    value = st.integers(0, 3)
    return st.one_of(
        st.lists(st.integers(1, 3), max_size=2).map(
            lambda sizes: grid(**{f"{prefix}{i}": range(size) for i, size in enumerate(sizes)})
        ),
        st.lists(value, min_size=1, max_size=4).map(
            lambda values: manual([{prefix: each} for each in values])
        ),
        st.integers(1, 4).map(lambda n: random({prefix: metalab.randint(0, 9)}, n, 0)),
        st.lists(value, max_size=3).map(
            lambda values: Foreign(*({prefix: each} for each in values)) + manual([{}])
        ),
    )


def sources(depth=2, prefix="p"):
    """Make any expression, with names of its own for each part of a product or zip."""
    if not depth:
        return leaves(prefix)
    part, other = sources(depth - 1, f"{prefix}a"), sources(depth - 1, f"{prefix}b")
    bound = st.integers(-4, 4)
    return st.one_of(
        leaves(prefix),
        st.tuples(part, part).map(lambda pair: pair[0] + pair[1]),
        st.tuples(part, other).map(lambda pair: pair[0] * pair[1]),
        part.filter(len).map(lambda source: zip_(source, **{f"{prefix}z": range(len(source))})),
        st.tuples(part, bound, bound).map(lambda given: given[0][given[1] : given[2]]),
        part.map(lambda source: source[::-1]),
        part.map(lambda source: source.filter(is_even)),
    )


def ids_of(source):
    return [case.case_id for case in source]


class TestEverySource:
    @given(sources())
    def test_length_index_and_iteration_agree(self, source):
        cases = list(source)
        assert len(source) == len(cases)
        assert [source[i] for i in range(len(source))] == cases
        assert [source[-i - 1] for i in range(len(source))] == cases[::-1]
        for index in (len(source), -len(source) - 1):
            with pytest.raises(IndexError):
                source[index]

    @given(sources())
    def test_a_case_has_the_fingerprint_of_its_params(self, source):
        assert ids_of(source) == [fingerprint(case.params) for case in source]

    @given(sources())
    def test_distinct_and_names_claim_nothing_that_is_not_so(self, source):
        if source.distinct:
            assert len(set(ids_of(source))) == len(source)
        if source.names is not None:
            assert all(case.params.keys() <= source.names for case in source)

    @given(sources())
    def test_it_is_the_same_after_a_pickle(self, source):
        assert list(pickle.loads(pickle.dumps(source))) == list(source)

    @given(sources(), st.integers(-5, 5), st.integers(-5, 5), st.sampled_from([-2, -1, 1, 3]))
    def test_a_slice_is_the_source_of_a_list_slice(self, source, start, stop, step):
        sliced = source[start:stop:step]
        assert list(sliced) == list(source)[start:stop:step]
        assert isinstance(sliced, metalab.ParamSource)


class TestConcat:
    def test_one_source_comes_after_the_other(self):
        source = grid(x=[1, 2]) + manual([{"y": 3}])
        assert [case.params for case in source] == [{"x": 1}, {"x": 2}, {"y": 3}]
        assert source.names == {"x", "y"}

    def test_many_sums_are_one_flat_source(self):
        source = grid(x=[0])
        for i in range(1, 2000):
            source += grid(x=[i])
        assert isinstance(source, ConcatSource)
        assert source[1999].params == {"x": 1999}
        assert len(source.sources) == 2000

    def test_none_at_all_is_empty(self):
        assert list(ConcatSource([])) == []


class TestProduct:
    def test_the_last_source_is_fastest(self):
        source = grid(x=[1, 2]) * manual([{"y": 1}, {"y": 2}], tags=["a", "b"])
        assert [(c.params["x"], c.params["y"], c.tags) for c in source] == [
            (1, 1, ("a",)),
            (1, 2, ("b",)),
            (2, 1, ("a",)),
            (2, 2, ("b",)),
        ]

    def test_tags_of_all_parts_are_kept(self):
        source = manual([{"x": 1}], tags=["a"]) * manual([{"y": 1}], tags=[["b", "a"]])
        assert source[0].tags == ("a", "b")

    def test_three_factors_are_one_flat_source(self):
        source = grid(a=[1, 2]) * (grid(b=[1, 2]) * grid(c=[1, 2]))
        assert isinstance(source, ProductSource)
        assert ids_of(source) == ids_of(grid(a=[1, 2], b=[1, 2], c=[1, 2]))
        assert source.distinct

    def test_a_param_that_both_have_is_refused_by_name(self):
        with pytest.raises(ValueError, match="a \\* b: more than one source has 'x', 'y'"):
            grid(x=[1], y=[1], z=[1]) * random(
                {"y": metalab.uniform(0, 1), "x": metalab.uniform(0, 1)}, 1, 0
            )

    def test_a_param_that_shows_only_at_a_point_is_refused_there(self):
        source = grid(x=[1]) * Foreign({"y": 1}, {"x": 2})
        assert source[0].params == {"x": 1, "y": 1}
        with pytest.raises(ValueError, match="more than one source has 'x'"):
            source[1]

    def test_a_million_points_are_reached_by_index(self):
        source = grid(x=range(1000)) * random({"y": metalab.uniform(0, 1)}, 10**9, 0)
        assert len(source) == 10**12
        assert source[-1].params["x"] == 999

    def test_a_product_too_large_to_index_is_refused(self):
        huge = random({"y": metalab.uniform(0, 1)}, 10**18, 0)
        with pytest.raises(ValueError, match="more than can be indexed"):
            grid(x=range(100)) * huge


class TestZip:
    def test_values_are_paired_by_place(self):
        source = zip_(lr=[0.1, 0.2], wd=[1, 2])
        assert [c.params for c in source] == [{"lr": 0.1, "wd": 1}, {"lr": 0.2, "wd": 2}]
        assert source.distinct

    def test_sources_and_lists_are_paired(self):
        source = zip_(manual([{"x": 1}, {"x": 2}]), y=["ab", "ab"])
        assert [case.params for case in source] == [{"x": 1, "y": "ab"}, {"x": 2, "y": "ab"}]
        assert not source.distinct

    @pytest.mark.parametrize(
        ("make", "error", "text"),
        [
            (lambda: zip_(x=[1], y=[1, 2]), ValueError, "these have 1 and 2 points"),
            (zip_, ValueError, "these have none points"),
            (lambda: zip_([1, 2]), TypeError, "as in zip_(x=[1, 2], y=[3, 4])"),
            (lambda: zip_(x="ab"), TypeError, "did you mean"),
            (lambda: zip_(grid(x=[1]), x=[2]), ValueError, "zip_: more than one source has 'x'"),
        ],
    )
    def test_what_cannot_be_paired_is_refused(self, make, error, text):
        with pytest.raises(error, match=re.escape(text)):
            make()


class TestFilter:
    def test_it_keeps_the_cases_that_the_predicate_holds_for(self):
        source = grid(x=range(4), y=range(4)).filter(lambda p: p["x"] < p["y"])
        assert [tuple(c.params.values()) for c in source] == [
            (0, 1),
            (0, 2),
            (0, 3),
            (1, 2),
            (1, 3),
            (2, 3),
        ]

    def test_cases_are_looked_at_once_and_only_when_asked_for(self):
        seen = []
        source = grid(x=range(5)).filter(lambda p: seen.append(p["x"]) or True)
        assert seen == []
        assert len(source) == 5
        list(source)
        assert source[0].params == {"x": 0}
        assert seen == [0, 1, 2, 3, 4]

    def test_a_predicate_cannot_change_the_params(self):
        source = grid(x=[[1]]).filter(lambda p: p["x"].append(2) or True)
        assert source[0].params == {"x": [1]}

    def test_what_was_kept_travels_with_it(self):
        """In another process the predicate might see other globals."""
        limit = [2]
        source = grid(x=range(4)).filter(lambda p: p["x"] < limit[0])
        again = pickle.loads(pickle.dumps(source))
        limit[0] = 99
        assert ids_of(again) == ids_of(source)
        assert again.to_manifest_dict() == source.to_manifest_dict()
        assert again.names == {"x"}

    def test_a_predicate_that_forgets_to_return_is_refused(self):
        with pytest.raises(TypeError, match=r"returned None at point 0: \{'x': 1\}"):
            len(grid(x=[1]).filter(lambda _: None))

    def test_an_error_of_the_predicate_tells_the_point(self):
        with pytest.raises(KeyError) as caught:
            list(grid(x=[1]).filter(lambda p: p["y"]))
        assert caught.value.__notes__ == ["raised by the filter at point 0: {'x': 1}"]

    def test_what_is_no_function_is_refused(self):
        with pytest.raises(TypeError, match="filter wants a function of the params, not 5"):
            grid(x=[1]).filter(5)


class TestForeignSources:
    def test_they_combine_on_either_side(self):
        ours, theirs = grid(x=[1]), Foreign({"y": 2})
        assert [case.params for case in theirs + ours] == [{"y": 2}, {"x": 1}]
        assert [case.params for case in ours + theirs] == [{"x": 1}, {"y": 2}]
        assert (theirs * ours)[0].params == (ours * theirs)[0].params == {"x": 1, "y": 2}
        assert (theirs * ours).names is None
        assert not (ours * theirs).distinct

    @pytest.mark.parametrize("other", [5, [1], {"x": 1}, None])
    def test_what_is_no_source_is_refused(self, other):
        for combine in (
            lambda: grid(x=[1]) + other,
            lambda: other + grid(x=[1]),
            lambda: grid(x=[1]) * other,
            lambda: other * grid(x=[1]),
        ):
            with pytest.raises(TypeError, match=r"unsupported|can only concat|can't multiply"):
                combine()
