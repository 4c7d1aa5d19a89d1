"""The command line: plain text, honest exit codes, nothing imported for a list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from metalab.cli import main
from metalab.cli.text import columns
from metalab.plugins import EXTENSION_POINTS


@pytest.fixture(params=["metalab", "python -m metalab"])
def command(request):
    """Both ways to start the command, each in a process of its own."""
    module = [sys.executable, "-m", "metalab"]
    script = [sys.executable, "-c", "import sys; from metalab.cli import main; sys.exit(main())"]
    start = module if request.param.startswith("python") else script

    def run(*words, env=None):
        return subprocess.run(
            [*start, *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(env or {})},
        )

    return run


def _metadata():
    return [info for point in EXTENSION_POINTS for info in point.installed()]


class TestMain:
    def test_version(self, command):
        done = command("--version")
        assert (done.returncode, done.stdout) == (0, f"metalab {version('metalab-core')}\n")

    def test_help_lists_the_commands(self, capsys):
        assert main(["--help"]) == 0
        assert "plugins" in capsys.readouterr().out

    @pytest.mark.parametrize("words", [[], ["no-such-command"], ["plugins", "--no-such-flag"]])
    def test_a_command_that_cannot_be_understood_is_2(self, words, capsys):
        assert main(words) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.splitlines()[-1].startswith("metalab")

    def test_an_error_of_metalab_is_one_line_and_1(self, capsys, in_tmp):
        assert main(["ls", "nowhere"]) == 1
        said = capsys.readouterr()
        expected = f"metalab: error: there is no store at {in_tmp / 'nowhere'}\n"
        assert (said.out, said.err) == ("", expected)

    def test_a_reader_that_leaves_early_makes_no_noise(self):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{sys.executable} -m metalab plugins --json | head -c 1"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("[", "")


class TestPlugins:
    def test_the_list_is_what_metadata_says(self, command):
        done = command("plugins")
        assert (done.returncode, done.stderr) == (0, "")
        header, *rows = (line.split() for line in done.stdout.splitlines())
        assert header == ["group", "name", "distribution", "version"]
        assert rows == [[i.group, i.name, i.distribution, i.version] for i in _metadata()]

    def test_json_is_a_list_of_objects(self, command):
        done = command("plugins", "--json")
        assert done.returncode == 0
        rows = json.loads(done.stdout)
        assert [(row["group"], row["name"], row["module"]) for row in rows] == [
            (info.group, info.name, info.module) for info in _metadata()
        ]

    def test_listing_imports_no_plugin(self):
        source = """if True:
            import sys
            from metalab.cli import main
            main(["plugins"])
            bad = {"metalab.store", "metalab.runner", "metalab_numpy", "metalab_slurm", "numpy"}
            sys.exit(", ".join(bad & set(sys.modules)) or 0)
        """
        done = subprocess.run(
            [sys.executable, "-c", source], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_check_finds_nothing_wrong_with_our_own(self, command):
        done = command("plugins", "--check")
        assert done.returncode == 0, done.stdout
        header, *rows = (line.split() for line in done.stdout.splitlines())
        assert header[-1] == "check"
        assert {row[-1] for row in rows} == {"ok"}
        assert len(rows) == len(_metadata())

    def test_check_says_what_is_wrong_and_is_1(self, command, broken):
        done = command("plugins", "--check", env=broken)
        assert done.returncode == 1
        states = {
            line.split()[1]: line.split()[-1] for line in done.stdout.splitlines() if "  " in line
        }
        assert (states["broken"], states["twice"], states["file"]) == ("broken", "broken", "ok")
        told = [line for line in done.stdout.splitlines() if line.startswith("broken: ")]
        assert told == [
            (
                "broken: acme 1.0 does not load its metalab.stores plugin 'broken' (acme_broken): "
                "ZeroDivisionError: division by zero"
            ),
            (
                "broken: more than one distribution serves 'twice' in metalab.stores: "
                "twice (acme 1.0) and twice (bcme 1.0); uninstall all but one, "
                "or name the others in METALAB_DISABLE_PLUGINS"
            ),
        ]

    def test_check_as_json_has_the_problem_of_each(self, command, broken):
        done = command("plugins", "--check", "--json", env=broken)
        assert done.returncode == 1
        problems = {row["name"]: row["problem"] for row in json.loads(done.stdout)}
        assert problems["file"] is None
        assert "ZeroDivisionError" in problems["broken"]

    def test_a_list_without_check_is_0_even_so(self, command, broken):
        done = command("plugins", env=broken)
        assert (done.returncode, done.stderr) == (0, "")
        assert sum(" twice " in line for line in done.stdout.splitlines()) == 2

    def test_disabled_plugins_are_left_out(self, command):
        done = command("plugins", env={"METALAB_DISABLE_PLUGINS": "metalab-slurm"})
        assert "metalab-slurm" not in done.stdout
        assert "metalab-core" in done.stdout


@pytest.fixture
def broken(tmp_path):
    """The environment of a process that sees a broken plugin and two rivals."""
    for dist, names in {"acme": "broken twice", "bcme": "twice"}.items():
        info = tmp_path / f"{dist}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
        lines = [f"{name} = acme_{name}" for name in names.split()]
        (info / "entry_points.txt").write_text("\n".join(["[metalab.stores]", *lines]))
    (tmp_path / "acme_broken.py").write_text("1 / 0\n")
    return {"PYTHONPATH": str(tmp_path)}


def test_columns_are_padded_and_lines_have_no_trailing_blanks():
    assert columns([["a", "bb"], ["ccc", "d"]]) == "a    bb\nccc  d"
