"""Starting the command costs what its words need, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from metalab.cli.version import installed_version

_TIMES = 1.5
_SLACK = 1.25  # a shared machine is noisy
_ROUNDS = 9


def _plain():
    """The environment without what has subprocesses measured: that costs, and loads modules."""
    return {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}


def _loaded_by(*words):
    source = f"""
        import sys
        from metalab.cli import main
        main({list(words)!r})
        print("\\n".join(sorted(sys.modules)), file=sys.stderr)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        check=True,
        env=_plain(),
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_what_only_speaks_of_itself_loads_nothing_else(words):
    loaded = _loaded_by(*words)
    own = {name for name in loaded if name.startswith("metalab")}
    assert own == {
        "metalab",
        "metalab._lazy",
        "metalab.errors",
        "metalab.harmless",
        "metalab.cli",
        "metalab.cli.parser",
        "metalab.cli.text",
        "metalab.cli.usage",
        "metalab.cli.version",
        "metalab.cli.warned",
    }
    assert not loaded & {"attrs", "importlib.metadata", "json", "pluggy", "shutil", "traceback"}


def test_a_command_loads_no_other_command():
    loaded = _loaded_by("plugins")
    assert {name for name in loaded if name.startswith("metalab.cli.")} == {
        "metalab.cli.parser",
        "metalab.cli.plugins",
        "metalab.cli.text",
        "metalab.cli.usage",
        "metalab.cli.version",
        "metalab.cli.warned",
    }


def test_reading_loads_no_soft_dependency(tmp_path):
    assert not _loaded_by("ls", str(tmp_path)) & {"numpy", "pandas", "rich", "matplotlib"}


def test_starting_costs_little_more_than_the_import():
    """The least CPU time of whole processes that take turns."""
    start = "from metalab.cli import main; main({!r})"
    commands = {
        "import": "import metalab",
        "version": start.format(["--version"]),
        "help": start.format(["--help"]),
    }
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(_ROUNDS):
        for name, source in commands.items():
            least[name] = min(least[name], _cpu_ms(source))
    limit = least["import"] * _TIMES * _SLACK
    assert max(least["version"], least["help"]) < limit, least


def _cpu_ms(source):
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.DEVNULL, env=_plain()
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return 1000 * (usage.ru_utime + usage.ru_stime)


class TestVersion:
    def test_it_is_that_of_the_metadata(self):
        from importlib.metadata import version

        assert installed_version() == version("metalab-core")

    def test_metadata_of_another_shape_is_asked_the_long_way(self, tmp_path, monkeypatch):
        (tmp_path / "metalab_core.egg-info").mkdir()
        (tmp_path / "metalab_core.egg-info" / "PKG-INFO").write_text(
            "Metadata-Version: 2.1\nName: metalab-core\nVersion: 9.8\n"
        )
        monkeypatch.setattr(sys, "path", [str(tmp_path / "no-such-folder"), str(tmp_path)])
        assert installed_version() == "9.8"

    def test_source_that_is_not_installed_has_no_version(self, monkeypatch):
        monkeypatch.setattr(sys, "path", [])
        assert installed_version() == "0+source"
