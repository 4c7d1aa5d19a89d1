"""A store's plugin may have a command of its own name, which costs nobody else anything."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest

from metalab.cli import main
from metalab.store import FileStore
from plugin_tools import core_alone, read_metadata_again

PLUGIN = """
    from metalab.hookspecs import hookimpl

    @hookimpl
    def metalab_command():
        return "acme_command"
"""
COMMAND = """
    def add_arguments(parser):
        parser.description = "Polish the store."
        parser.add_argument("--twice", action="store_true")

    def run(arguments):
        print("polished", arguments.twice, arguments.command)
        return 3
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """Install a store plugin of a name from the source of its module."""

    def install(source, name="acme"):
        info = tmp_path / "acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[metalab.stores]\n{name} = acme_{name}\n")
        (tmp_path / f"acme_{name}.py").write_text(textwrap.dedent(source))
        (tmp_path / "acme_command.py").write_text(textwrap.dedent(COMMAND))
        monkeypatch.syspath_prepend(str(tmp_path))
        read_metadata_again()

    yield install
    monkeypatch.undo()
    importlib.invalidate_caches()
    for module in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[module]
    read_metadata_again()


def test_it_is_called_as_its_plugin_is(acme, capsys):
    acme(PLUGIN)
    assert main(["acme", "--twice", "--debug"]) == 3
    assert capsys.readouterr().out == "polished True acme\n"
    assert main(["acme", "--help"]) == 0
    assert "Polish the store." in capsys.readouterr().out


def test_a_plugin_without_one_is_no_command(acme, capsys):
    acme(PLUGIN.replace("metalab_command", "metalab_store_config"))
    assert main(["acme"]) == 2
    assert "invalid choice: 'acme'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["postgres", "postgresql"])
def test_a_command_of_a_plugin_that_is_not_installed_says_what_to_install(name, capsys):
    with core_alone():
        assert main([name, "start"]) == 2
    told = capsys.readouterr().err
    assert f"metalab: error: the command {name!r} is a plugin's" in told
    assert told.endswith("pip install 'metalab[postgres]'\n")


def test_an_index_that_no_installed_store_keeps_says_what_to_install(store, capsys):
    FileStore(store).make()
    with core_alone():
        assert main(["index", "status", store]) == 2
    assert "other kinds, and pip install 'metalab[postgres]' brings one" in capsys.readouterr().err


def test_a_command_of_core_is_core_s_whatever_a_plugin_is_named(acme, capsys):
    acme("raise RuntimeError('must not be imported')", name="ls")
    assert main(["ls", "--help"]) == 0
    assert "must not be imported" not in capsys.readouterr().err


def test_a_plugin_that_does_not_load_is_named(acme, capsys):
    acme("1 / 0")
    assert main(["acme"]) == 2
    told = capsys.readouterr().err
    assert "metalab: error: acme 1.0 does not load" in told
    assert "ZeroDivisionError" in told
