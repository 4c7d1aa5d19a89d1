"""Code fingerprints: what the code does counts, how it is written does not."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from metalab.identity.code import changed_parts, code_fingerprint

pytest_plugins = ["text_modules"]

BASE = '''
"""A study."""
import math
import re
import logging
from functools import partial, lru_cache

LIMIT = 3
RATES = [0.1, 0.2]
PATTERN = re.compile("a+")
log = logging.getLogger("study")
seen = []
memo = {}


def scale(x):
    """Scale."""
    return x * LIMIT


def make(k):
    def inner(x):
        return x * k
    return inner


double, triple = make(2), make(3)
half = partial(scale, x=0.5)


@lru_cache
def cached(x):
    return x + 1


def traced(function):
    def wrapper(*args):
        return function(*args)
    return wrapper


@traced
def decorated(x):
    return x - 1


class Base:
    def shift(self, x):
        return x + 10


class Model(Base):
    """A model."""
    rate = 0.1

    def __init__(self, x):
        self.x = x

    @property
    def value(self):
        return self.deep(self.x)

    @staticmethod
    def deep(x):
        return math.sqrt(x)


KINDS = {"model": Model, "plain": lambda x: x}
DEFAULT = Model(3)


def op(params, seeds, *, k=1):
    """The operation."""
    # a comment
    seen.append(params)
    memo[1] = 2
    log.info("running")
    y = scale(2) + double(1) + triple(1) + cached(1) + decorated(1) + half()
    PATTERN.match("a")
    return {"y": y, "z": KINDS["model"](y).value, "r": RATES, "d": DEFAULT.x}
'''


class TestWhatDoesNotCount:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("# a comment\n", "# another comment\n    # and one more\n"),
            ('"""The operation."""', '"""Something else."""'),
            ('    """The operation."""\n', ""),
            ('"""A model."""', '"""A class."""'),
            ('"""A study."""', ""),
            ("return x * LIMIT", "return  (x*LIMIT)   # scaled"),
            ('    """Scale."""\n', '\n\n    "Scaling."\n\n'),
            ("import math\n", "import math\nimport json\n"),
            ("LIMIT = 3\n", "LIMIT = (3)\n"),
            ("LIMIT = 3\n", "LIMIT = 1 + 2\n"),
            ("seen = []", "other = 5\nseen = []"),
            ('"y": y', "'y': y"),
            ("def traced", "def unused():\n    return 1\n\n\ndef traced"),
        ],
    )
    def test_layout_comments_and_unused_code(self, parts, old, new):
        assert old in BASE
        assert parts(BASE) == parts(BASE.replace(old, new))

    def test_what_functions_change_while_the_program_runs(self, load):
        study = load(BASE)
        before = code_fingerprint(study.op).parts
        study.op({}, None)
        assert study.seen
        assert study.memo
        assert code_fingerprint(study.op).parts == before

    def test_counters_do_not_count(self, load):
        study = load("""
            count = 0
            def op():
                global count
                count += 1
                return count
        """)
        before = code_fingerprint(study.op)
        study.op()
        assert code_fingerprint(study.op) == before

    def test_how_the_text_of_an_f_string_is_put_together(self, parts):
        one = parts("def op(x):\n    return f'a{x}' 'b' f'c' f'' f'{x!r:>{x}}d'\n")
        assert one == parts("def op(x):\n    return f'a{x}bc{x!r:>{x}}d'\n")
        assert one != parts("def op(x):\n    return f'a{x}bc{x!s:>{x}}d'\n")

    def test_where_the_file_lies(self, load, parts, tmp_path):
        before = parts(BASE)
        spec = importlib.util.spec_from_file_location("study", tmp_path / "elsewhere.py")
        (tmp_path / "elsewhere.py").write_text(BASE)
        module = importlib.util.module_from_spec(spec)
        sys.modules["study"] = module
        spec.loader.exec_module(module)
        assert code_fingerprint(module.op).parts == before

    def test_an_empty_body_may_be_pass_or_a_docstring(self, parts):
        assert parts("def op():\n    pass\n") == parts('def op():\n    "Nothing."\n')


class TestWhatCounts:
    @pytest.mark.parametrize(
        ("old", "new", "changed"),
        [
            ('"y": y', '"y": y + 1', {"study:op"}),
            ("def op(params, seeds, *, k=1)", "def op(params, seeds, *, k=2)", {"study:op"}),
            ("LIMIT = 3", "LIMIT = 4", {"study:LIMIT"}),
            ("LIMIT = 3", "LIMIT = 3.0", {"study:LIMIT"}),
            ("RATES = [0.1, 0.2]", "RATES = [0.1, 0.3]", {"study:RATES"}),
            ("return x * LIMIT", "return x + LIMIT", {"study:scale"}),
            ("return x * k", "return x + k", {"study:make.<locals>.inner"}),
            ("make(2), make(3)", "make(2), make(4)", {"study:triple.k"}),
            ("make(2), make(3)", "make(3), make(2)", {"study:double.k", "study:triple.k"}),
            ("partial(scale, x=0.5)", "partial(scale, x=0.25)", {"study:half"}),
            ("return x + 1\n", "return x + 2\n", {"study:cached"}),
            ("return x - 1", "return x - 2", {"study:decorated"}),
            ("return function(*args)", "return 2", {"study:traced.<locals>.wrapper", "*"}),
            ("return math.sqrt(x)", "return math.exp(x)", {"study:Model"}),
            ("rate = 0.1", "rate = 0.2", {"study:Model"}),
            ("return x + 10", "return x + 20", {"study:Base"}),
            ("lambda x: x}", "lambda x: x + 1}", {"study:<lambda>"}),
            ('re.compile("a+")', 're.compile("b+")', {"study:PATTERN"}),
            ("DEFAULT = Model(3)", "DEFAULT = Model(4)", {"study:DEFAULT"}),
            ("seen = []", "seen = [1]", {"study:seen"}),
            ("import math\n", "import cmath as math\n", {"study:Model"}),
            ('getLogger("study")', 'getLogger("other")', {"study:log"}),
        ],
    )
    def test_a_change_anywhere_below_is_seen_and_named(self, parts, old, new, changed):
        assert old in BASE
        found = set(changed_parts(parts(BASE), parts(BASE.replace(old, new))))
        assert found == changed or ("*" in changed and changed - {"*"} <= found)

    def test_a_function_replaced_by_another_of_the_same_kind(self, parts):
        text = "from math import {} as f\ndef op(x):\n    return f(x)\n"
        assert parts(text.format("sin")) != parts(text.format("cos"))

    def test_swapping_what_two_names_are_bound_to(self, parts):
        text = BASE.replace("double, triple = make(2), make(3)", "{} = make(2), make(3)")
        names = "double, triple", "triple, double"
        assert parts(text.replace("{} =", names[0] + " =")) != parts(
            text.replace("{} =", names[1] + " =")
        )

    def test_which_of_two_alike_a_third_name_means(self, parts):
        text = BASE.replace("half = ", "third = double\nhalf = ").replace("half()", "third(1)")
        other = text.replace("third = double", "third = triple")
        assert "study:op" in changed_parts(parts(text), parts(other))

    def test_a_function_behind_a_decorator_that_hides_it(self, parts):
        text = """
            import functools
            def quiet(function):
                @functools.wraps(function)
                def wrapper(x):
                    return found(x)
                found = function
                return wrapper
            def inner(x):
                return 1
            @quiet
            def op(x):
                return inner(x)
        """
        changed = changed_parts(parts(text), parts(text.replace("return 1", "return 2")))
        assert changed == ["study:inner"]
        changed = changed_parts(parts(text), parts(text.replace("inner(x)\n", "inner(-x)\n")))
        assert changed == ["study:op"]

    def test_functions_kept_in_a_set(self, parts):
        text = "def f(x):\n    return 1\nKNOWN = {(f,), frozenset({lambda: 2})}\n"
        text += "def op(x):\n    return [f(x) for (f,) in KNOWN]\n"
        changed = changed_parts(parts(text), parts(text.replace("return 1", "return 3")))
        assert changed == ["study:f"]
        assert len(parts(text)) == 4

    def test_what_methods_captured_and_cached_properties_do(self, parts):
        text = """
            from functools import cached_property
            def make(k):
                class Inner:
                    def get(self): return k
                    def later(self): return missing
                    @cached_property
                    def twice(self): return k * 2
                    if False:
                        missing = None
                return Inner
            Made = make(1)
            def op():
                return Made().get()
        """
        changed = changed_parts(parts(text), parts(text.replace("make(1)", "make(2)")))
        assert changed == ["study:Made.get.k", "study:Made.twice.k"]

    def test_variables_without_a_value_yet(self, parts):
        text = """
            def make():
                def op():
                    return later
                found = op
                if found is None:
                    later = 1
                return found
            op = make()
        """
        assert set(parts(text)) == {"study:make.<locals>.op"}

    def test_functions_kept_in_a_registry(self, parts):
        text = """
            REGISTRY = {}
            def register(function):
                REGISTRY[function.__name__] = function
                return function
            @register
            def a(x):
                return x + 1
            def op(x):
                return REGISTRY["a"](x)
        """
        changed = changed_parts(parts(text), parts(text.replace("x + 1", "x + 2")))
        assert changed == ["study:a"]

    def test_names_used_where_state_is_defined(self, parts):
        text = """
            N = 3
            state = [N]
            def op(x):
                state.append(x)
                return state
        """
        assert changed_parts(parts(text), parts(text.replace("N = 3", "N = 4"))) == ["study:N"]

    def test_the_classes_named_in_annotations_and_fields(self, parts):
        text = """
            import dataclasses
            class Part:
                def work(self): return 1
            @dataclasses.dataclass
            class Whole:
                part: Part
            def op(x: Whole):
                return x.part.work()
        """
        changed = changed_parts(parts(text), parts(text.replace("return 1", "return 2")))
        assert changed == ["study:Part"]

    def test_the_class_of_an_enum_or_dataclass_constant(self, parts):
        text = """
            import enum
            class Kind(enum.Enum):
                A = 1
                def size(self): return 1
            KIND = Kind.A
            def op():
                return KIND.size()
        """
        changed = changed_parts(parts(text), parts(text.replace("return 1", "return 2")))
        assert changed == ["study:Kind"]
