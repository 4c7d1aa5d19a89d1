"""``FILE[:NAME]``: which experiment is meant, and how its file is loaded."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

from metalab.cli.target import load_experiment
from metalab.cli.usage import UsageError
from metalab.script import LoadError

STUDY = """
import metalab

@metalab.operation
def op(params):
    return {"y": params["x"]}

def make(name):
    return metalab.Experiment(
        name=name, version="1", context={}, operation=op,
        params=metalab.grid(x=[1]), seeds=metalab.seeds(base=1),
    )
"""
ONE = STUDY + "experiment = make('one')\n"
TWO = STUDY + "first = make('one')\nsecond = make('two')\n"


@pytest.fixture
def write(in_tmp, monkeypatch):
    """Write a file of the user's into the working folder; what loading it leaves is undone."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    loaded = set(sys.modules)

    def write(text, name="study_of_target.py"):
        (in_tmp / name).write_text(textwrap.dedent(text))
        return name

    yield write
    for name in set(sys.modules) - loaded:
        if str(in_tmp) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


class TestChoice:
    def test_the_only_experiment_is_taken(self, write):
        assert load_experiment(write(ONE)).name == "one"

    def test_one_experiment_under_two_names_is_one(self, write):
        assert load_experiment(write(ONE + "again = experiment\n")).name == "one"

    def test_a_name_chooses(self, write):
        assert load_experiment(f"{write(TWO)}:second").name == "two"

    def test_several_are_listed(self, write):
        file = write(TWO)
        with pytest.raises(UsageError) as refusal:
            load_experiment(file)
        assert str(refusal.value) == (
            f"{file} has 2 experiments; choose one of {file}:first, {file}:second"
        )

    def test_none_is_said(self, write):
        with pytest.raises(UsageError, match="has no experiment at its top level; assign "):
            load_experiment(write(STUDY))

    @pytest.mark.parametrize(
        ("name", "fault"),
        [("nothing", "no 'nothing'"), ("op", r"no experiment 'op' \(a OperationWrapper\)")],
    )
    def test_a_name_that_is_no_experiment_lists_those_there_are(self, write, name, fault):
        with pytest.raises(UsageError, match=f"has {fault} .*; its experiments: first, second"):
            load_experiment(f"{write(TWO)}:{name}")

    def test_a_file_whose_name_has_a_colon_is_found(self, write):
        assert load_experiment(write(ONE, "study:one.py")).name == "one"
        with pytest.raises(UsageError, match=r"there is no file study:missing\.py"):
            load_experiment("study:missing.py")

    def test_a_missing_file_and_a_folder_are_refused(self, in_tmp):
        with pytest.raises(UsageError, match=r"^there is no file missing\.py$"):
            load_experiment("missing.py:exp")
        with pytest.raises(UsageError, match="is a folder; name a python file in it"):
            load_experiment(str(in_tmp))


class TestLoading:
    def test_the_module_has_the_stem_as_its_name(self, write):
        experiment = load_experiment(write(ONE, "02-my study.py"))
        assert experiment.operation.ref == "02-my study:op"

    def test_the_files_folder_comes_first_on_the_path(self, write, in_tmp):
        folder = in_tmp / "sub"
        folder.mkdir()
        (folder / "helper_of_target.py").write_text("NAME = 'from the folder'\n")
        write(
            STUDY + "import helper_of_target\nexp = make(helper_of_target.NAME)\n", "sub/main1.py"
        )
        assert load_experiment("sub/main1.py").name == "from the folder"
        assert sys.path[0] == str(folder)

    def test_links_are_resolved_for_the_path_but_not_for_the_name(self, write, in_tmp):
        folder = in_tmp / "real"
        folder.mkdir()
        write(ONE, "real/behind.py")
        (in_tmp / "linked.py").symlink_to(folder / "behind.py")
        assert load_experiment("linked.py").operation.ref == "linked:op"
        assert sys.path[0] == str(folder)

    def test_what_is_guarded_does_not_run(self, write):
        file = write(ONE + 'if __name__ == "__main__":\n    raise RuntimeError("ran")\n')
        assert load_experiment(file).name == "one"

    def test_an_edit_within_the_same_second_counts(self, write, in_tmp):
        """Python's cache of bytecode would take the file for unchanged."""
        file = write(ONE)
        before = (in_tmp / file).stat()
        load_experiment(file)
        del sys.modules["study_of_target"]
        write(ONE.replace("'one'", "'two'"))
        os.utime(in_tmp / file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert load_experiment(file).name == "two"
        assert not list(in_tmp.rglob("*.pyc"))

    def test_the_same_file_is_loaded_once(self, write):
        file = write(ONE)
        assert load_experiment(file) is load_experiment(file)

    def test_a_file_named_like_an_imported_module_is_refused(self, write):
        with pytest.raises(UsageError, match="has the name of 'json', a module that is imported"):
            load_experiment(write(ONE, "json.py"))
        assert Path(sys.modules["json"].__file__).name == "__init__.py"


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("x = 1\n1 / 0\n", "study_of_target.py:2: ZeroDivisionError: division by zero"),
            ("x = (\n", "study_of_target.py:1: SyntaxError: '(' was never closed"),
            ("raise KeyError\n", "study_of_target.py:1: KeyError"),
            ("import no_such_one\n", "study_of_target.py:1: ModuleNotFoundError: No module named"),
            (
                "import sys\nsys.exit(3)\n",
                "study_of_target.py:2: the file exits while it is loaded; put that under if",
            ),
        ],
    )
    def test_what_a_file_raises_is_told_with_its_place(self, write, text, told):
        with pytest.raises(LoadError) as error:
            load_experiment(write(text))
        assert str(error.value).startswith(told)

    def test_the_place_is_in_the_users_own_file(self, write):
        """The deepest frame is metalab's; the line to look at is the user's."""
        with pytest.raises(LoadError, match=r"study_of_target\.py:3: .*x.*5"):
            load_experiment(write("import metalab\n\nmetalab.grid(x=5)\n"))

    def test_an_error_in_an_imported_file_names_that_file(self, write, in_tmp):
        (in_tmp / "broken_of_target.py").write_text("y = = 1\n")
        with pytest.raises(LoadError, match=r"broken_of_target\.py:1: SyntaxError"):
            load_experiment(write("import broken_of_target\n"))

    def test_what_is_no_text_is_refused(self, write, in_tmp):
        (in_tmp / "binary.py").write_bytes(b"\x00\xff")
        with pytest.raises(LoadError, match=r"^binary\.py"):
            load_experiment("binary.py")
