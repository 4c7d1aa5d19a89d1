"""Names: the same for a script, an import and ``python -m``."""

from __future__ import annotations

import functools
import json
import math
import subprocess
import sys
import types

import pytest

from metalab.errors import IdentityError
from metalab.identity.names import (
    adopt_main,
    canonical_module,
    main_name,
    reference,
    resolve,
)
from strategies import Colour, Holder, Point, top_level

SCRIPT = """
import enum, json
from metalab.identity.canonical import fingerprint
from metalab.identity.code import code_fingerprint
from metalab.identity.names import reference
from metalab.identity.values import from_jsonable, to_jsonable

class Colour(enum.Enum):
    RED = 1

def helper(x):
    return x

def operation(x):
    return helper(x), Colour.RED

def found():
    values = [Colour.RED, Colour, helper]
    assert from_jsonable(to_jsonable(values)) == values
    return {
        "ref": reference(operation),
        "id": fingerprint(values),
        "parts": code_fingerprint(operation).parts,
    }

if __name__ == "__main__":
    print(json.dumps(found()))
"""


def run(folder, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, check=True, text=True
    )
    return json.loads(done.stdout)


class TestScript:
    def test_however_it_is_started_it_gives_the_same_names_ids_and_code(self, tmp_path):
        (tmp_path / "study.py").write_text(SCRIPT)
        found = [
            run(tmp_path, "study.py"),
            run("/", str(tmp_path / "study.py")),
            run(tmp_path, "-m", "study"),
            run(tmp_path, "-c", "import json, study; print(json.dumps(study.found()))"),
        ]
        assert found[0]["ref"] == "study:operation"
        assert found == [found[0]] * 4

    def test_a_module_of_a_package_keeps_its_full_name_under_python_m(self, tmp_path):
        (tmp_path / "lab").mkdir()
        (tmp_path / "lab" / "study.py").write_text(SCRIPT)
        imported = "import json, lab.study; print(json.dumps(lab.study.found()))"
        found = run(tmp_path, "-m", "lab.study")
        assert found["ref"] == "lab.study:operation"
        assert found == run(tmp_path, "-c", imported)

    def test_text_from_a_pipe_has_no_name_of_its_own(self, tmp_path):
        code = "from metalab.identity.names import main_name; print(main_name())"
        done = subprocess.run(
            [sys.executable, "-"], input=code, capture_output=True, check=True, text=True
        )
        assert done.stdout.strip() == "__main__"

    def test_a_child_of_multiprocessing_gives_the_same_names(self, tmp_path):
        text = SCRIPT.replace(
            "    print(json.dumps(found()))",
            "    import multiprocessing\n"
            "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
            "        print(json.dumps([found(), pool.apply(found)]))",
        )
        (tmp_path / "study.py").write_text(text)
        here, child = run(tmp_path, "study.py")
        assert here["ref"] == "study:operation"
        assert child == here


class TestMainName:
    def test_it_is_that_of_the_module_that_was_run(self):
        assert main_name() == canonical_module("__main__") == canonical_module("__mp_main__")
        assert canonical_module("json") == "json"

    @pytest.mark.parametrize(
        ("file", "name"),
        [("/some/where/study.py", "study"), ("my-study.py", "my-study"), ("<stdin>", "__main__")],
    )
    def test_a_file_is_known_by_its_stem(self, monkeypatch, file, name):
        main = types.ModuleType("__main__")
        main.__file__ = file
        monkeypatch.setitem(sys.modules, "__main__", main)
        assert main_name() == name

    def test_a_notebook_has_no_file(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
        assert main_name() == "__main__"

    def test_an_adopted_script_gives_its_name_and_its_objects(self):
        sent = types.FunctionType((lambda: 1).__code__, {"__name__": "__main__"}, "sent")
        sent.__qualname__ = "sent"
        with pytest.raises(IdentityError, match="does not lead back"):
            reference(sent)
        adopt_main("study", {"sent": sent})
        try:
            assert reference(sent) == "study:sent"
            assert resolve("study:sent") is sent
            assert resolve("study:other") is None
        finally:
            adopt_main(None)
        assert main_name() != "study"
        assert resolve("study:sent") is None


class TestReference:
    @pytest.mark.parametrize(
        ("value", "ref"),
        [
            (len, "builtins:len"),
            (math.sqrt, "math:sqrt"),
            (json.dumps, "json:dumps"),
            (top_level, "strategies:top_level"),
            (Point, "strategies:Point"),
            (Holder.method, "strategies:Holder.method"),
            (Holder.build, "strategies:Holder.build"),
            (functools.partial, "functools:partial"),
        ],
    )
    def test_it_names_what_can_be_imported_and_leads_back(self, value, ref):
        assert reference(value) == ref
        assert resolve(ref) == value

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (lambda: 1, "the lambda .* define it with def"),
            (pytest.fixture(lambda: 1), "has no name|lambda|does not lead back"),
            (Holder().method, "does not lead back"),
            ("abc".upper, "has no name"),
            (3, "an? int has no name"),
        ],
    )
    def test_what_cannot_be_imported_is_refused(self, value, text):
        with pytest.raises(IdentityError, match=text):
            reference(value)

    def test_a_local_function_is_refused(self):
        def local():
            pass

        with pytest.raises(IdentityError, match="is defined inside a function; move it"):
            reference(local)

    def test_a_name_that_now_means_something_else_is_refused(self, monkeypatch):
        monkeypatch.setattr(sys.modules["strategies"], "top_level", len)
        with pytest.raises(IdentityError, match="the name is unset or reused"):
            reference(top_level)


class TestResolve:
    @pytest.mark.parametrize(
        "ref", ["no_such_module:x", "json:no_such_name", "strategies:Point.no.such", "json", ""]
    )
    def test_what_is_not_loaded_is_none(self, ref):
        assert resolve(ref) is None

    def test_it_imports_nothing(self):
        sys.modules.pop("this", None)
        assert resolve("this:s") is None
        assert "this" not in sys.modules

    def test_it_asks_no_module_to_make_the_name(self, monkeypatch):
        lazy = types.ModuleType("lazy")
        lazy.__getattr__ = lambda name: pytest.fail(f"asked for {name}")
        monkeypatch.setitem(sys.modules, "lazy", lazy)
        assert resolve("lazy:x") is None

    def test_members_of_classes_are_found(self):
        assert resolve("strategies:Colour.RED") is Colour.RED
