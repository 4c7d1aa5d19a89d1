"""Code fingerprints: they follow the user's own modules, and no one else's."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest

from metalab.identity.code import changed_parts, code_fingerprint

pytest_plugins = ["text_modules"]


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
