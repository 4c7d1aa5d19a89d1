"""An operation is a function that experiments run and that people still call."""

from __future__ import annotations

import copy
import functools
import pickle
import re
import subprocess
import sys

import pytest

import metalab
from metalab.operation import OperationWrapper, operation
from metalab.recorder import Recorder
from metalab.runtime import Runtime
from metalab.seeds import SeedBundle


@operation
def everything(context, params, seeds, runtime, capture):
    """Return what it was given."""
    return context, params, seeds, runtime, capture


@operation
def score(params, seeds, capture):
    capture.metric("score", params["x"] * seeds.rng().random())
    capture.metric("loss", 0.5, step=1)
    return {"x": params["x"]}


@operation
def nothing():
    pass


@operation(name="renamed")
def original(capture, params):
    return capture, params


class Group:
    @operation
    def member(params):  # noqa: N805  an operation is no method
        return params


def scaled_by(factor):
    @operation
    def scale(params):
        return params["x"] * factor

    return scale


class TestDecorator:
    def test_it_is_bare_or_called_or_given_a_name(self):
        def plain(params):
            return params

        assert operation(plain).name == operation()(plain).name == "plain"
        assert operation(name="other")(plain).name == "other"
        assert metalab.operation(plain).name == "plain"
        assert operation(score) is score
        assert operation(name="again")(score).name == "again"

    def test_it_says_what_it_wraps(self):
        assert repr(everything) == "Operation(everything)"
        assert everything.__doc__ == "Return what it was given."
        assert everything.__wrapped__ is everything.function
        assert everything.ref == f"{__name__}:everything"
        assert original.ref == f"{__name__}:original"
        assert score.parameters == {"params", "seeds", "capture"}
        assert nothing.parameters == frozenset()

    @pytest.mark.parametrize(
        ("function", "text"),
        [
            (lambda lr: lr, "invalid parameter 'lr' of "),
            (lambda self, params: params, "invalid parameter 'self' of "),
            (lambda params, lr=1: lr, "invalid parameter 'lr' of "),
            (lambda params, /: params, "invalid parameter 'params' of .*: it is positional-only"),
            (lambda *args: args, "invalid parameter 'args' of .*: it takes any arguments"),
            (lambda **kwargs: kwargs, "invalid parameter 'kwargs' of .*: it takes any keywords"),
        ],
    )
    def test_other_parameters_are_refused_with_those_allowed(self, function, text):
        with pytest.raises(ValueError, match=text + ".*context, params, seeds, runtime, capture"):
            operation(name="x")(function)

    def test_what_would_not_run_as_a_plain_call_is_refused(self):
        async def waits(params):
            return params

        def yields(params):
            yield params

        async def both(params):
            yield params

        with pytest.raises(TypeError, match="waits is async; make it a plain def"):
            operation(waits)
        for function in (yields, both):
            with pytest.raises(TypeError, match="is a generator"):
                operation(function)

    @pytest.mark.parametrize(
        "thing", [5, Group, functools.partial(print), staticmethod(print), print]
    )
    def test_what_is_no_function_is_refused(self, thing):
        with pytest.raises(TypeError, match="an operation is a function, written with def"):
            operation(thing)

    def test_a_name_in_the_wrong_place_is_told(self):
        with pytest.raises(TypeError, match=re.escape("did you mean operation(name='x')?")):
            operation("x")

    @pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00"])
    def test_a_name_that_is_no_line_of_text_is_refused(self, name):
        with pytest.raises(ValueError, match="name is a line of text"):
            operation(name=name)(lambda params: params)

    def test_a_name_that_is_no_text_is_refused(self):
        with pytest.raises(TypeError, match="name is a str, not 5"):
            operation(name=5)(lambda params: params)

    def test_a_lambda_needs_a_name(self):
        with pytest.raises(ValueError, match="a lambda has no name"):
            operation(lambda params: params)

    def test_a_function_decorated_before_keeps_its_parameters(self):
        def loud(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return "loud", function(*args, **kwargs)

            return wrapper

        @operation
        @loud
        def inner(params):
            return params

        assert inner.parameters == {"params"}
        assert inner(params={"x": 1}) == ("loud", {"x": 1})


class TestRun:
    def test_it_hands_over_the_very_objects_that_are_declared(self):
        given = {name: object() for name in ("context", "params", "seeds", "runtime", "capture")}
        assert everything.run(**given) == tuple(given.values())
        assert original.run(**given) == (given["capture"], given["params"])
        assert nothing.run(**given) is None

    def test_it_takes_no_other_name(self):
        with pytest.raises(TypeError, match="lr"):
            everything.run(lr=1)


class TestDirectCall:
    def test_what_is_left_out_is_stood_in_for(self):
        context, params, seeds, runtime, capture = everything()
        assert (context, params, seeds) == ({}, {}, SeedBundle(0))
        assert isinstance(runtime, Runtime)
        assert isinstance(capture, Recorder)

    def test_what_is_given_is_handed_over_and_the_result_comes_back(self):
        recorder = Recorder()
        assert score(params={"x": 2}, seeds=SeedBundle(123, 0), capture=recorder) == {"x": 2}
        assert recorder.metrics == {"score": 0.194094372697992, "loss": 0.5}
        assert recorder.series == {"loss": ((1, 0.5),)}

    def test_arguments_may_stand_in_the_functions_own_order(self):
        recorder = Recorder()
        assert original(recorder, {"x": 1}) == (recorder, {"x": 1})
        assert original(recorder, params={"x": 2}) == (recorder, {"x": 2})

    def test_what_the_function_does_not_declare_is_left_aside(self):
        assert Group.member(params=1, seeds=SeedBundle(1)) == 1
        assert Group().member(params=2) == 2

    def test_a_scratch_folder_is_gone_afterwards(self):
        @operation
        def scratch(runtime):
            (runtime.scratch_dir / "f").write_text("x")
            return runtime.scratch_dir

        assert not scratch().exists()

    def test_the_runtime_logs_where_the_capture_does(self):
        @operation
        def talk(runtime, capture):
            runtime.logger.info("hello")
            return capture

        assert talk().logs == [("INFO", "hello")]

    @pytest.mark.parametrize(
        ("call", "text"),
        [
            (lambda: score(x=1), "Operation(score) got 'x'; an operation declares any of"),
            (lambda: score({}, None, None, 4), "Operation(score) takes 3 arguments, not 4"),
            (lambda: score({}, params={}), "Operation(score) got params twice"),
        ],
    )
    def test_other_arguments_are_refused(self, call, text):
        with pytest.raises(TypeError, match=re.escape(text)):
            call()


class TestIdentity:
    def test_captured_values_tell_operations_of_one_factory_apart(self):
        two, three = scaled_by(2), scaled_by(3)
        assert two.name == three.name
        assert two.captured != three.captured
        assert two.captured == scaled_by(2).captured
        assert score.captured == ""

    def test_the_code_hash_is_that_of_the_code(self):
        assert re.fullmatch("[0-9a-f]{16}", score.code_hash)
        assert score.code_hash != everything.code_hash

    def test_a_script_goes_by_its_files_name(self, tmp_path):
        script = tmp_path / "study.py"
        script.write_text(
            "import metalab\n@metalab.operation\ndef op(params): pass\nprint(op.ref, op.name)\n"
        )
        said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
        assert said.stdout.split() == ["study:op", "op"]


class TestPickle:
    @pytest.mark.parametrize("op", [score, original, Group.member])
    def test_it_travels_by_name(self, op):
        assert pickle.loads(pickle.dumps(op)) is op
        assert copy.deepcopy(op) is op

    def test_what_no_import_finds_travels_by_value_alone(self):
        local = scaled_by(2)
        kind, (function, name) = local.__reduce__()
        assert kind(function, name)(params={"x": 3}) == 6
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pickle.dumps(local)


class TestModule:
    def test_the_module_is_called_and_imported_from_in_either_order(self):
        for program in (
            "import metalab; metalab.operation(f); from metalab.operation import operation",
            "from metalab.operation import OperationWrapper; import metalab; metalab.operation(f)",
            "import metalab.operation; metalab.operation()(f); metalab.operation(name='x')(f)",
        ):
            define = "def f(params): pass\n"
            subprocess.run([sys.executable, "-c", define + program], check=True)

    def test_the_wrapper_is_public(self):
        assert metalab.OperationWrapper is OperationWrapper
