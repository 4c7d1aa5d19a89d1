"""Closures: functions made by one factory are told apart by what they captured."""

from __future__ import annotations

import collections
import contextvars
import dataclasses
import functools
import importlib.util
import io
import logging
import queue
import random
import re
import subprocess
import sys
import textwrap
import threading
import types
import weakref

import pytest

from metalab.errors import IdentityError
from metalab.identity.code import closure_fingerprint
from strategies import Colour, Point, top_level


def make(value):
    """Make an operation that captures a value."""

    def operation():
        return value

    return operation


def captured(value):
    return closure_fingerprint(make(value))


class Model:
    def __init__(self, x=1):
        self.x = x

    def method(self):
        return self.x


@dataclasses.dataclass
class Config:
    model: object = None


class Undecorated(Config):
    pass


class Identified(Model):
    def fingerprint_payload(self):
        return self.x


class TestNothingCaptured:
    def test_a_function_at_the_top_level_captured_nothing(self):
        assert closure_fingerprint(top_level) == ""
        assert closure_fingerprint(len) == ""
        assert closure_fingerprint(Model) == ""

    def test_neither_did_one_inside_a_function_that_uses_none_of_its_variables(self):
        def operation():
            return 1

        assert closure_fingerprint(operation) == ""

    def test_a_method_captured_nothing_but_its_class(self):
        class Derived(Model):
            def method(self):
                return super().method()

        assert closure_fingerprint(Derived.method) == ""


class TestCaptured:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, 2),
            (1, 1.0),
            (1, True),
            ("a", b"a"),
            ([1], (1,)),
            ({"a": 1}, {"a": 2}),
            (Point(1), Point(2)),
            (Colour.RED, Colour.BLUE),
            (types.SimpleNamespace(a=1), types.SimpleNamespace(a=2)),
            (top_level, len),
            (Point, Colour),
            (re, io),
            (logging.getLogger("a"), logging.getLogger("b")),
            (re.compile("a"), re.compile("b")),
            (re.compile("a"), re.compile("a", re.IGNORECASE)),
            (random.Random(1), random.Random(2)),
            (range(3), range(4)),
            (bytearray(b"a"), bytearray(b"b")),
            (collections.deque([1]), collections.deque([2])),
            (collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
            (collections.Counter("a"), collections.Counter("b")),
            (collections.defaultdict(list), collections.defaultdict(set)),
            (functools.partial(int, base=2), functools.partial(int, base=3)),
            (functools.partial(int, "1"), functools.partial(float, "1")),
            (Identified(1), Identified(2)),
            (Identified(1).method, Identified(2).method),
            ([1].append, [2].append),
            ([1].append, [1].extend),
            (ValueError("a"), ValueError("b")),
            (ValueError("a"), TypeError("a")),
            (list[int], list[str]),
            (int | None, int | str),
            ([lambda: 1], [lambda: 2]),
            ({"f": top_level, 1: len}, {"f": len, 1: len}),
            ({top_level, len}, {top_level, abs}),
            ({make(1), 2}, {make(2), 2}),
            (frozenset({make(1)}), {make(1)}),
            (Config(top_level), Config(lambda: 1)),
            (threading.Lock(), queue.Queue()),
            (None, make(1)),
            (make(1), make(2)),
            (make(make(1)), make(make(2))),
        ],
    )
    def test_different_values_give_different_identities(self, one, other):
        assert captured(one) != captured(other)
        assert captured(one) == captured(one)

    @pytest.mark.parametrize(
        "create",
        [
            threading.Lock,
            threading.Event,
            queue.Queue,
            io.StringIO,
            object,
            lambda: contextvars.ContextVar("x"),
            lambda: weakref.ref(Model),
            lambda: random.Random(1),
            lambda: make([1, {"a": Point(1)}]),
            lambda: collections.defaultdict(list, a=[object()]),
            lambda: types.MappingProxyType({"a": threading.Lock()}),
            lambda: {"b": 1, "a": threading.Lock()},
            lambda: Config(threading.Lock()),
        ],
    )
    def test_equal_values_give_equal_identities(self, create):
        assert captured(create()) == captured(create()) != ""

    def test_the_order_of_a_dict_does_not_count(self):
        lock = threading.Lock()
        assert captured({"a": lock, "b": 1}) == captured({"b": 1, "a": lock})

    def test_the_names_of_the_variables_count(self):
        def one(x):
            return lambda: x

        def other(y):
            return lambda: y

        assert closure_fingerprint(one(1)) != closure_fingerprint(other(1))

    def test_a_variable_without_a_value_yet_is_told_apart(self):
        def outer(*, assigned):
            def operation():
                return later

            if assigned:
                later = None
            return operation

        empty = closure_fingerprint(outer(assigned=False))
        assert empty != closure_fingerprint(outer(assigned=True))
        assert empty == closure_fingerprint(outer(assigned=False))

    def test_values_are_those_at_the_time_it_is_asked(self):
        values = [1]
        operation = make(values)
        before = closure_fingerprint(operation)
        values.append(2)
        assert closure_fingerprint(operation) != before

    def test_what_a_captured_function_captured_counts(self):
        def factory(k):
            def helper(x):
                return k * x

            def operation():
                return helper(1)

            return operation

        assert closure_fingerprint(factory(1)) != closure_fingerprint(factory(2))
        assert closure_fingerprint(factory(1)) == closure_fingerprint(factory(1))

    def test_functions_that_captured_each_other_are_no_error(self):
        def factory(k):
            def even(n):
                return n == 0 or odd(n - 1)

            def odd(n):
                return k if n == 0 else even(n - 1)

            return even

        assert closure_fingerprint(factory(1)) != closure_fingerprint(factory(2))

    def test_a_list_that_holds_itself_is_no_error(self):
        loop = [threading.Lock()]
        loop.append(loop)
        assert captured(loop)

    def test_default_values_count(self):
        def make_default(k):
            def operation(x, k=k, *, j=0):
                return k, j

            return operation

        assert closure_fingerprint(make_default(1)) != closure_fingerprint(make_default(2))

        def keyword(x, *, k=1):
            return k

        first = closure_fingerprint(keyword)
        keyword.__kwdefaults__ = {"k": 2}
        assert closure_fingerprint(keyword) != first != ""

    def test_partials_bound_methods_and_instances_are_their_parts(self):
        prints = [
            closure_fingerprint(target)
            for target in (
                functools.partial(top_level, x=1),
                functools.partial(top_level, x=2),
                Identified(1).method,
                Identified(2).method,
                Identified(1),
                Identified(2),
            )
        ]
        assert len(set(prints)) == len(prints)

    def test_wrappers_are_seen_through(self):
        def wrapped(value):
            return functools.lru_cache(make(value))

        assert closure_fingerprint(wrapped(1)) == closure_fingerprint(make(1))
        assert closure_fingerprint(wrapped(1)) != closure_fingerprint(wrapped(2))
        assert captured(wrapped(1)) != captured(wrapped(2))

    def test_a_decorator_that_captured_the_function_names_it(self):
        def decorator(function):
            @functools.wraps(function)
            def wrapper():
                return function()

            return wrapper

        assert closure_fingerprint(decorator(make(1))) != closure_fingerprint(decorator(make(2)))


class TestNamesThatSeveralShare:
    def test_captured_lambdas_are_told_apart_by_what_they_do(self):
        assert captured(lambda x: x + 1) != captured(lambda x: x + 2)

    def test_lambdas_of_one_line_too(self):
        one, other = (lambda x: x + 1), (lambda x: x + 2)
        assert captured(one) != captured(other)

    def test_functions_of_two_branches_are_told_apart(self):
        def factory(*, fast):
            if fast:

                def helper():
                    return 1

            else:

                def helper():
                    return 2

            return make(helper)

        assert closure_fingerprint(factory(fast=True)) != closure_fingerprint(factory(fast=False))

    def test_a_function_with_a_name_of_its_own_is_known_by_it(self, tmp_path):
        """Its source is no part of the identity: the code fingerprint is there for that."""
        text = textwrap.dedent("""
            def factory():
                def helper():
                    return {}
                def operation():
                    return helper()
                return operation
        """)
        prints = set()
        for value in (1, 2):
            path = tmp_path / "study.py"
            path.write_text(text.format(value))
            spec = importlib.util.spec_from_file_location("study", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            prints.add(closure_fingerprint(module.factory()))
        assert len(prints) == 1


class TestRefusal:
    @pytest.mark.parametrize(
        ("value", "variable"),
        [
            (Model(), "'value'"),
            ([1, Model()], r"'value\[1\]'"),
            ({"a": {"b": Model()}}, r"\"value\['a'\]\['b'\]\""),
            (Config(Model()), r"'value\.model'"),
            (types.SimpleNamespace(m=Model()), r"'value\.m'"),
            (functools.partial(top_level, Model()), r"'value\[0\]'"),
            (Model().method, "'value'"),
            (Undecorated(Model()), "'value'"),
        ],
    )
    def test_a_value_that_cannot_be_told_apart_is_named_with_what_to_do(self, value, variable):
        with pytest.raises(IdentityError, match=variable) as refusal:
            captured(value)
        assert str(refusal.value).startswith("operation 'operation' captures ")
        assert "whose value cannot be told apart from others" in str(refusal.value)
        assert ":Model" in str(refusal.value) or ":Undecorated" in str(refusal.value)
        assert "pass it by params or context, or give its class fing" in str(refusal.value)

    def test_a_default_value_is_named_by_its_parameter(self):
        def operation(params, model=Model()):  # noqa: B008 - the trap under test
            return model

        with pytest.raises(IdentityError, match=r"captures 'model' of type"):
            closure_fingerprint(operation)

    def test_an_iterator_is_refused(self):
        with pytest.raises(IdentityError, match="captures 'value'"):
            captured(iter([]))


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_it_is_the_same_in_every_process(seed, tmp_path):
    (tmp_path / "study.py").write_text(
        "import threading\n"
        "from metalab.identity.code import closure_fingerprint\n"
        "def make(x):\n    return lambda: x\n"
        "print(closure_fingerprint(make([{'a', 'b', 1}, make({2: 3}), threading.Lock(), {len}])))\n"
    )
    prints = {
        subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": value},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for value, arguments in ((seed, ["study.py"]), ("7", ["-m", "study"]))
    }
    assert len(prints) == 1
