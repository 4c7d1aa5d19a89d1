"""Code fingerprints: what they hold, and what they say of what they cannot hold."""

from __future__ import annotations

from functools import partial

import pytest

from metalab.identity.code import changed_parts, code_fingerprint

pytest_plugins = ["text_modules"]


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
