"""A resolver makes the params that an operation receives, whenever a case is asked for."""

from __future__ import annotations

import re

import attrs
import pytest

import metalab
from metalab.identity.canonical import fingerprint
from metalab.params import grid, with_resolver


def doubled(meta, params):
    return {**params, "double": params["x"] * meta["factor"]}


@attrs.frozen
class Adding:
    amount: int = 1

    def resolve(self, context_meta, params):
        params["x"] += self.amount
        return params


class TestResolution:
    def test_a_function_makes_the_params(self):
        source = with_resolver(grid(x=[1, 2]), doubled, {"factor": 2})
        assert [case.params for case in source] == [{"x": 1, "double": 2}, {"x": 2, "double": 4}]
        assert source[-1].params == {"x": 2, "double": 4}
        assert len(source) == 2

    def test_the_id_is_that_of_the_resolved_params(self):
        source = with_resolver(grid(x=[1]), doubled, {"factor": 2})
        assert source[0].case_id == fingerprint({"x": 1, "double": 2})

    def test_an_object_makes_the_params_and_may_change_the_dict_it_is_given(self):
        inner = grid(x=[1, 2])
        source = with_resolver(inner, Adding(10))
        assert [case.params["x"] for case in source] == [11, 12]
        assert [case.params["x"] for case in inner] == [1, 2]

    def test_it_is_asked_when_a_case_is_and_not_before(self):
        asked = []
        source = with_resolver(grid(x=range(1000)), lambda _, p: asked.append(p["x"]) or p)
        assert len(source) == 1000
        assert asked == []
        source[7]
        assert asked == [7]

    def test_tags_are_those_of_the_source(self):
        source = with_resolver(metalab.manual([{"x": 1}], tags=["t"]), Adding())
        assert source[0].tags == ("t",)

    def test_it_combines_like_any_source(self):
        source = with_resolver(grid(x=[1, 2]), Adding()) * grid(y=[5])
        assert [case.params for case in source] == [{"x": 2, "y": 5}, {"x": 3, "y": 5}]
        assert source.names is None
        assert not source.distinct


class TestRefusals:
    @pytest.mark.parametrize(
        ("make", "text"),
        [
            (lambda: with_resolver(grid(x=[1]), Adding), "did you mean Adding()?"),
            (lambda: with_resolver(grid(x=[1]), 5), "the resolver 5 is neither a function"),
            (lambda: with_resolver([1], doubled), "wants a param source, not [1]"),
            (
                lambda: with_resolver(grid(x=[1]), lambda *_: None)[0],
                "the resolver returned None; it returns a dict of all the params",
            ),
            (
                lambda: with_resolver(grid(x=[1]), lambda *_: {1: 2})[0],
                "resolver: the name 1 is of type int",
            ),
        ],
    )
    def test_bad_input_is_refused(self, make, text):
        with pytest.raises(TypeError, match=re.escape(text)):
            make()

    def test_an_error_of_the_resolver_tells_the_point(self):
        with pytest.raises(ZeroDivisionError) as caught:
            with_resolver(grid(x=[1]), lambda *_: 1 / 0)[0]
        assert caught.value.__notes__ == ["raised while resolving point 0: {'x': 1}"]
