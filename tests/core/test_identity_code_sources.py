"""Code fingerprints: without source, with another than was loaded, and under each Python."""

from __future__ import annotations

import json
import linecache
import os
import subprocess
import sys
import textwrap
from glob import glob
from pathlib import Path
from shutil import which

import attrs
import pluggy
import pytest

import metalab
from metalab.identity.code import code_fingerprint

pytest_plugins = ["text_modules"]
GOLDENS = Path(__file__).parent / "goldens"


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

    def test_an_edit_of_the_same_size_within_a_step_of_the_files_clock_is_seen(
        self, load, tmp_path
    ):
        one = load("def op():\n    return 1\n")
        assert list(code_fingerprint(one.op).parts) == ["study:op"]
        times = (tmp_path / "study.py").stat()
        two = load("def op():\n    return 2\n")
        os.utime(tmp_path / "study.py", ns=(times.st_atime_ns, times.st_mtime_ns))
        assert list(code_fingerprint(two.op).parts) == ["study:op"]

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


ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import identity_sample as sample
from metalab.identity.code import code_fingerprint
found = code_fingerprint(sample.operation)
print(json.dumps({"hash": found.hash, "parts": found.parts, "opaque": found.opaque}))
"""


class TestVersionsOfPython:
    @pytest.mark.other_pythons
    @pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
    def test_parts_are_those_committed(self, version, tmp_path):
        # As text, so that no formatter brings what is odd in it into line.
        sample = (GOLDENS / "identity_sample.txt").read_text()
        (tmp_path / "identity_sample.py").write_text(sample)
        python = find_python(version)
        if python is None:
            pytest.skip(f"there is no Python {version} here; install it to compare with it")
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
    found += filter(None, [which(f"python{version}")])
    return next(filter(answers, found), None)


def answers(python):
    # A version manager's shim may stand for an interpreter that is not there.
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def pure_path():
    """The folders of metalab and of the pure Python packages that its identity room needs."""
    return os.pathsep.join(
        str(Path(package.__file__).parent.parent) for package in (metalab, attrs, pluggy)
    )
