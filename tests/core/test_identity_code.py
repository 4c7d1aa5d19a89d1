"""Code fingerprints: they follow the user's own code, and only what the code does counts."""

from __future__ import annotations

import importlib.util
import json
import linecache
import os
import subprocess
import sys
import textwrap
from functools import partial
from glob import glob
from pathlib import Path
from shutil import which

import attrs
import pluggy
import pytest

import metalab
from metalab.identity.code import changed_parts, code_fingerprint

GOLDENS = Path(__file__).parent / "goldens"
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


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Import a text as the module ``study``, again and again."""
    monkeypatch.syspath_prepend(str(tmp_path))
    # Bytecode of the text before may have the same time stamp.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(text, name="study"):
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def parts(load):
    """Return the parts of the operation ``op`` of a text."""
    return lambda text: code_fingerprint(load(text).op).parts


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


class TestOtherModules:
    HELPERS = """
        LIMIT = 1
        CACHE = {}
        def helper(x):
            CACHE[x] = 1
            return x + LIMIT
        def unused(x):
            return x
    """
    WAYS = (
        "import helpers\ndef op(x):\n    return helpers.helper(x)\n",
        "import helpers as h\ndef op(x):\n    return h.helper(x)\n",
        "from helpers import helper\ndef op(x):\n    return helper(x)\n",
    )

    @pytest.mark.parametrize("text", WAYS)
    @pytest.mark.parametrize(
        ("old", "new", "changed"),
        [
            ("x + LIMIT", "x - LIMIT", ["helpers:helper"]),
            ("LIMIT = 1", "LIMIT = 2", ["helpers:LIMIT"]),
            ("CACHE = {}", "CACHE = {1: 2}", ["helpers:CACHE"]),
            ("return x\n", "return 2 * x\n", []),
        ],
    )
    def test_their_functions_and_constants_are_followed(self, load, parts, text, old, new, changed):
        load(self.HELPERS, "helpers")
        before = parts(text)
        load(self.HELPERS.replace(old, new), "helpers")
        assert changed_parts(before, parts(text)) == changed

    def test_a_module_of_a_package_is_followed_by_its_dotted_name(self, load, parts):
        load("", "pack.__init__")
        package = load("", "pack")
        package.sub = load(self.HELPERS, "pack.sub")
        text = "import pack.sub\ndef op(x):\n    return pack.sub.helper(x)\n"
        assert "pack.sub:LIMIT" in parts(text)

    @pytest.mark.parametrize("loaded", [False, True])
    @pytest.mark.parametrize(
        "statement",
        ["from helpers import helper", "import helpers", "from pack.helpers import helper"],
    )
    def test_a_module_imported_inside_the_function_counts_as_a_whole(
        self, load, tmp_path, statement, loaded
    ):
        name = statement.split()[1]
        if "." in name:
            (tmp_path / "pack").mkdir()
            (tmp_path / "pack" / "__init__.py").write_text("")
        study = load(f"def op(x):\n    {statement}\n    return helper(x)\n")
        load(self.HELPERS, name)
        if not loaded:
            del sys.modules[name]
        before = code_fingerprint(study.op).parts
        assert set(before) >= {f"{name}:*", "study:op"}
        file = tmp_path / f"{name.replace('.', '/')}.py"
        file.write_text(textwrap.dedent(self.HELPERS) + "# a comment\n")
        assert code_fingerprint(study.op).parts == before
        file.write_text(textwrap.dedent(self.HELPERS.replace("x + LIMIT", "x")))
        assert changed_parts(before, code_fingerprint(study.op).parts) == [f"{name}:*"]
        assert (name in sys.modules) == loaded

    def test_what_that_module_imports_counts_too(self, load, tmp_path):
        (tmp_path / "deeper.py").write_text("X = 1\n")
        (tmp_path / "shallow.py").write_text("from deeper import X\nimport json\n")
        study = load("def op():\n    from shallow import X\n    return X\n")
        assert set(code_fingerprint(study.op).parts) == {"study:op", "shallow:*", "deeper:*"}

    def test_relative_imports_inside_the_function(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(str(tmp_path))
        (tmp_path / "relpack").mkdir()
        (tmp_path / "relpack" / "__init__.py").write_text("")
        (tmp_path / "relpack" / "near.py").write_text("def f(): return 1\n")
        (tmp_path / "relpack" / "study.py").write_text(
            "def op():\n    from .near import f\n    from ....too.far import g\n    return f()\n"
        )
        study = importlib.import_module("relpack.study")
        found = code_fingerprint(study.op).parts
        assert set(found) == {"relpack.near:*", "relpack.study:op"}

    def test_a_module_of_a_library_is_not_followed(self, parts):
        assert set(parts("import json\ndef op(x):\n    return json.dumps(x)\n")) == {"study:op"}
        text = "def op(x):\n    import json, attrs, no_such_module\n    return json.dumps(x)\n"
        assert set(parts(text)) == {"study:op"}

    def test_metalab_itself_is_not_followed(self, parts):
        text = """
            import metalab
            from metalab.identity.canonical import fingerprint
            def op(x):
                return fingerprint(metalab.__name__)
        """
        assert set(parts(text)) == {"study:op"}

    def test_an_installed_package_is_its_own_when_its_function_is_asked_about(
        self, tmp_path, monkeypatch
    ):
        folder = tmp_path / "site-packages"
        folder.mkdir()
        monkeypatch.syspath_prepend(str(folder))
        (folder / "installed.py").write_text("N = 1\ndef op():\n    return N\n")
        (folder / "another.py").write_text("import installed\ndef op():\n    return installed.N\n")
        assert set(code_fingerprint(importlib.import_module("installed").op).parts) == {
            "installed:N",
            "installed:op",
        }
        assert set(code_fingerprint(importlib.import_module("another").op).parts) == {"another:op"}


TOUCHY = """
class Touchy:
    def __getattr__(self, name):
        raise RuntimeError("nothing may be asked of this")
x = Touchy()
"""


class TestOpaque:
    @pytest.mark.parametrize(
        ("text", "opaque"),
        [
            (
                "import logging\nx = logging.getLogger('a')",
                "study:x: an instance of logging:Logger",
            ),
            ("import threading\nx = threading.Lock()", "study:x: an instance of _thread:lock"),
            ("x = open(__file__); x.close()", "study:x: an instance of _io:TextIOWrapper"),
            ("class A:\n    pass\nx = A()", "study:x: an instance of study:A"),
            ("import study as x", "study:x: module study"),
            (TOUCHY, "study:x: an instance of study:Touchy"),
            ("y = 1", "study:op names x, which is not defined"),
        ],
    )
    def test_what_cannot_be_looked_into_is_listed_and_no_error(self, load, text, opaque):
        study = load(f"{text}\ndef op():\n    return x\n")
        assert code_fingerprint(study.op).opaque == (opaque,)

    @pytest.mark.parametrize("call", ["eval('1')", "exec('1')", "__import__('x')", "globals()"])
    def test_calls_that_can_reach_anything_are_listed(self, load, call):
        study = load(f"def op():\n    return {call}\n")
        assert code_fingerprint(study.op).opaque == (f"study:op calls {call.split('(')[0]}()",)

    def test_importing_by_a_computed_name_is_listed(self, load):
        study = load("import importlib\ndef op():\n    return importlib.import_module('x')\n")
        assert code_fingerprint(study.op).opaque == ("study calls importlib.import_module()",)

    def test_an_attribute_that_a_module_makes_when_asked_is_listed(self, load):
        load("def __getattr__(name):\n    return 1\n", "helpers")
        study = load("import helpers\ndef op():\n    return helpers.x\n")
        assert code_fingerprint(study.op).opaque == ("helpers:x",)

    def test_a_module_to_be_imported_that_is_no_python_is_listed(self, load, tmp_path):
        (tmp_path / "broken_module.py").write_text("def f(:\n")
        study = load("def op():\n    import broken_module\n")
        assert code_fingerprint(study.op).opaque == ("module broken_module",)

    def test_names_that_a_class_body_binds_are_not_missed(self, load):
        study = load("def op():\n    class A:\n        x = 1\n        y = x\n    return A\n")
        assert code_fingerprint(study.op).opaque == ()


class TestWithoutSource:
    def run(self, text):
        namespace = {"__name__": "__main__"}
        exec(compile(textwrap.dedent(text), "<stdin>", "exec"), namespace)
        return code_fingerprint(namespace["op"])

    def test_a_module_that_no_file_made_is_own(self):
        namespace = {"__name__": "nowhere"}
        exec("def helper(): return 1\ndef op(): return helper()", namespace)
        parts = code_fingerprint(namespace["op"]).parts
        assert set(parts) == {"nowhere:helper (bytecode)", "nowhere:op (bytecode)"}

    def test_without_columns_lambdas_on_one_line_are_known_by_bytecode(self, tmp_path):
        (tmp_path / "study.py").write_text(
            "from metalab.identity.code import code_fingerprint\n"
            "pair = [lambda x: x + 1, lambda x: x + 2]\n"
            "found = [code_fingerprint(one) for one in pair]\n"
            "assert found[0].hash != found[1].hash\n"
            "assert list(found[0].parts) == ['study:<lambda> (bytecode)'], found[0].parts\n"
        )
        options = ["-X", "no_debug_ranges"]
        subprocess.run([sys.executable, *options, "study.py"], cwd=tmp_path, check=True)

    def test_different_code_gets_a_different_hash(self):
        one, two = self.run("def op(): return 1"), self.run("def op(): return 2")
        assert one.hash != two.hash
        assert list(one.parts) == [f"{one_name()}:op (bytecode)"]

    def test_comments_and_docstrings_do_not_count(self):
        one = self.run("def op(x):\n    return x + 1\n")
        two = self.run("\n\n# c\ndef op(x):\n    'doc'\n\n    return x + 1  # d\n")
        assert one.hash == two.hash

    @pytest.mark.parametrize(
        ("old", "new"),
        [("x * 2", "x * 3"), ("N = 1", "N = 2"), ("y + N", "N + y"), ("C:", "C(B):")],
    )
    def test_helpers_constants_and_classes_are_followed(self, old, new):
        text = """
            N = 1
            def helper(x): return x * 2
            class B:
                pass
            class C:
                rate = 0.5
                def fit(self, y): return y + N
            def op(x):
                return C().fit(helper(x))
        """
        assert self.run(text).hash != self.run(text.replace(old, new)).hash

    def test_a_module_is_followed_by_the_attributes_used(self, load):
        load("def helper(x):\n    return x\ndef unused(x):\n    return x\n", "helpers")
        found = self.run("import helpers\ndef op(x): return helpers.helper(x)").parts
        assert "helpers:helper" in found
        assert "helpers:unused" not in found

    def test_a_text_known_to_linecache_is_read(self):
        text = "def op(x):\n    return x  # a cell\n"
        name = "<cell-1>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        namespace = {"__name__": "__main__"}
        exec(compile(text, name, "exec"), namespace)  # with the features this file asks for
        try:
            assert list(code_fingerprint(namespace["op"]).parts) == [f"{one_name()}:op"]
        finally:
            del linecache.cache[name]

    def test_a_file_edited_since_it_was_loaded_does_not_lend_its_text(self, load, tmp_path):
        study = load("def op():\n    return 1\n")
        before = code_fingerprint(study.op)
        (tmp_path / "study.py").write_text("def op():\n    return 2\n")
        stale = code_fingerprint(study.op)
        assert list(stale.parts) == ["study:op (bytecode)"]
        (tmp_path / "study.py").write_text("# moved\n\n\ndef op():\n    return 1\n")
        assert code_fingerprint(study.op).parts == before.parts

    def test_a_class_edited_since_it_was_loaded_does_not_lend_its_text(self, load, tmp_path):
        text = "class C:\n    def f(self):\n        return 1\ndef op():\n    return C().f()\n"
        study = load(text)
        (tmp_path / "study.py").write_text(text.replace("return 1", "return 2"))
        assert set(code_fingerprint(study.op).parts) == {"study:C (bytecode)", "study:op"}

    def test_a_file_that_is_no_python_is_no_error(self, load, tmp_path):
        study = load("def op():\n    return 1\n")
        (tmp_path / "study.py").write_text("%matplotlib inline\ndef op(:\n")
        assert list(code_fingerprint(study.op).parts) == ["study:op (bytecode)"]


def one_name():
    from metalab.identity.names import main_name

    return main_name()


class TestFingerprint:
    def test_it_has_the_hash_of_its_parts_and_of_each_file(self, load, tmp_path):
        load("LIMIT = 1\ndef f(x):\n    return x\n", "helpers")
        study = load("import helpers\ndef op(x):\n    return helpers.f(x)\n")
        found = code_fingerprint(study.op)
        assert len(found.hash) == 16
        assert all(len(digest) == 16 for digest in found.parts.values())
        assert list(found.files) == [str(tmp_path / "helpers.py"), str(tmp_path / "study.py")]
        assert all(len(digest) == 64 for digest in found.files.values())

    def test_equal_code_has_an_equal_hash_and_other_code_another(self, load):
        hashes = {
            code_fingerprint(load(f"def op(x):\n    return x + {i}\n").op).hash for i in range(20)
        }
        assert len(hashes) == 20

    def test_lambdas_on_one_line_are_told_apart(self, load):
        study = load("one, two = (lambda x: x + 1), (lambda x: x + 2)\n")
        assert code_fingerprint(study.one).hash != code_fingerprint(study.two).hash
        assert code_fingerprint(study.one).parts.keys() == {"study:<lambda>"}

    def test_definitions_of_one_name_all_count(self, load):
        study = load("""
            def f(x): return 1
            first = f
            def f(x): return 2
            def op(x): return first(x) + f(x)
        """)
        assert set(code_fingerprint(study.op).parts) == {"study:op", "study:f", "study:f#2"}

    def test_functions_that_call_each_other_are_followed_once(self, parts):
        text = "def even(n):\n    return n == 0 or op(n - 1)\ndef op(n):\n    return even(n - 1)\n"
        assert set(parts(text)) == {"study:even", "study:op"}

    def test_a_long_chain_of_helpers_is_followed_to_its_end(self, parts):
        text = "".join(f"def f{i}(x):\n    return f{i + 1}(x)\n" for i in range(500))
        text += "def f500(x):\n    return x\ndef op(x):\n    return f0(x)\n"
        assert len(parts(text)) == 502

    def test_constants_that_hold_themselves_are_no_error(self, parts):
        assert parts("loop = []\nloop.append(loop)\ndef op():\n    return loop\n")

    @pytest.mark.parametrize("target", [len, dict, partial(len, []), [].append])
    def test_callables_that_are_no_functions_have_a_fingerprint(self, target):
        assert len(code_fingerprint(target).hash) == 16

    def test_partials_methods_and_instances_are_followed(self, load):
        study = load("""
            from functools import partial
            class Call:
                def __init__(self, x): self.x = x
                def __call__(self): return self.x
                def method(self): return 2 * self.x
            def f(x, k): return x * k
            one, two = partial(f, k=1), partial(f, k=2)
        """)
        hashes = {
            code_fingerprint(target).hash
            for target in (study.one, study.two, study.Call, study.Call(1), study.Call(1).method)
        }
        assert len(hashes) == 5
        assert "study:Call" in code_fingerprint(study.Call(1).method).parts

    def test_a_wrapper_around_a_function_is_seen_through(self, load):
        study = load("""
            class Wrapper:
                def __init__(self, function):
                    self.__wrapped__ = function
                def __call__(self): return self.__wrapped__()
            def helper(): return 1
            op = Wrapper(helper)
        """)
        assert "study:helper" in code_fingerprint(study.op).parts

    def test_a_function_of_metalab_itself_has_one(self):
        assert code_fingerprint(changed_parts).parts.keys() == {
            "metalab.identity.code:changed_parts"
        }


class TestChangedParts:
    def test_it_names_what_differs_is_new_or_is_gone(self):
        old, new = {"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "4", "d": "5"}
        assert changed_parts(old, new) == ["a", "c", "d"]
        assert changed_parts(old, dict(old)) == []


ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import identity_sample as sample
from metalab.identity.code import code_fingerprint
found = code_fingerprint(sample.operation)
print(json.dumps({"hash": found.hash, "parts": found.parts, "opaque": found.opaque}))
"""


class TestVersionsOfPython:
    @pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
    def test_parts_are_those_committed(self, version, tmp_path):
        # As text, so that no formatter brings what is odd in it into line.
        sample = (GOLDENS / "identity_sample.txt").read_text()
        (tmp_path / "identity_sample.py").write_text(sample)
        python = find_python(version)
        if python is None:
            pytest.skip(f"there is no Python {version} here")
        found = subprocess.run(
            [python, "-c", ASK, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": pure_path()},
            capture_output=True,
            check=True,
            text=True,
        )
        assert json.loads(found.stdout) == json.loads((GOLDENS / "identity_code.json").read_text())


def find_python(version):
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    home = Path.home()
    patterns = [
        f"{home}/.pyenv/versions/{version}.*/bin/python",
        f"{home}/.local/share/uv/python/cpython-{version}.*/bin/python3",
    ]
    found = [path for pattern in patterns for path in sorted(glob(pattern))]  # noqa: PTH207 - in the home folder
    return found[0] if found else which(f"python{version}")


def pure_path():
    """The folders of metalab and of the pure Python packages that its identity room needs."""
    return os.pathsep.join(
        str(Path(package.__file__).parent.parent) for package in (metalab, attrs, pluggy)
    )
