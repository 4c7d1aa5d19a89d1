"""docs/cli.md says everything that the parser knows, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metalab.cli.grammar import grammar
from metalab.cli.parser import COMMANDS

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SHARED = {"-h", "--help", "--debug"}


@pytest.fixture(params=grammar().commands, ids=lambda command: command.name)
def command(request):
    return request.param


def _section(command):
    return SECTIONS[f"metalab {command.name}"]


def test_every_command_has_a_section_in_the_order_of_the_help():
    found = [title.removeprefix("metalab ") for title in SECTIONS if title.startswith("metalab ")]
    assert found == list(COMMANDS)


def test_every_option_is_described_with_its_value(command):
    described = re.findall(r"^\| (`-.*?) \|", _section(command), re.MULTILINE)
    expected = [
        ", ".join(
            f"`{name} {option.value}`" if option.value is not None else f"`{name}`"
            for name in option.names
        )
        for option in command.options
        if not SHARED & set(option.names)
    ]
    assert described == expected


def test_every_choice_is_named(command):
    for argument in command.arguments:
        assert [
            choice for choice in argument.choices if f"`{choice}`" not in _section(command)
        ] == []


def test_what_stands_without_an_option_is_explained(command):
    (usage,) = re.findall(rf"^`metalab {command.name}(.*?)`", _section(command), re.MULTILINE)
    names = re.findall(r"\S+", usage)
    assert [name.removeprefix("[").removesuffix("]") for name in names] == [
        operand.value.removesuffix("]") for operand in command.operands
    ]


def test_the_options_of_all_commands_are_described_once():
    shared = SECTIONS["In every command"]
    own = {name for option in grammar().options for name in option.names}
    assert own == SHARED | {"--version"}
    assert [name for name in own if not re.search(rf"[` ]{name}\b", shared)] == []


def test_every_command_but_those_that_only_act_prints_json():
    without = {
        command.name
        for command in grammar().commands
        if not any("--json" in option.names for option in command.options)
    }
    assert without == {"completion"}


def test_every_option_has_words_of_help():
    for command in grammar().commands:
        assert command.help == COMMANDS[command.name]
        assert [argument for argument in command.arguments if not argument.help] == []
