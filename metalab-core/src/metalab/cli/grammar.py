"""The command line as data: its commands, their options, and what values these take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import attrs

from metalab.cli.parser import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Argument", "Command", "Grammar", "grammar"]


@attrs.frozen
class Argument:
    """An option, or, without ``names``, what stands by itself.

    ``value`` is the name of the value it takes, None for a flag; ``choices`` are the values
    there are, if not all are allowed.
    """

    names: tuple[str, ...]
    help: str
    value: str | None = None
    choices: tuple[str, ...] = ()


@attrs.frozen
class Command:
    """A command of ``metalab``."""

    name: str
    help: str
    arguments: tuple[Argument, ...]

    @property
    def options(self) -> list[Argument]:
        """What begins with a dash."""
        return [argument for argument in self.arguments if argument.names]

    @property
    def operands(self) -> list[Argument]:
        """What stands by itself."""
        return [argument for argument in self.arguments if not argument.names]


@attrs.frozen
class Grammar:
    """All commands, and the options that stand before them."""

    options: tuple[Argument, ...]
    commands: tuple[Command, ...]


def grammar() -> Grammar:
    """Read the whole grammar off the parser."""
    actions = _actions(make_parser())
    (branch,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001  see _actions
    commands = [
        Command(choice.dest, choice.help or "", _arguments(_actions(branch.choices[choice.dest])))
        for choice in branch._choices_actions  # noqa: SLF001  see _actions
    ]
    return Grammar(_arguments(action for action in actions if action is not branch), (*commands,))


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    # argparse has no public way to say what a parser takes.
    return parser._actions  # noqa: SLF001


def _arguments(actions: Iterable[argparse.Action]) -> tuple[Argument, ...]:
    return tuple(
        Argument(
            tuple(action.option_strings),
            action.help or "",
            None if action.nargs == 0 else str(action.metavar or action.dest.upper()),
            tuple(map(str, action.choices or ())),
        )
        for action in actions
    )
