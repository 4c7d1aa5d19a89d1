"""Completion scripts for shells, written from the command line's grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from metalab.cli.grammar import Argument, Command, Grammar

__all__ = ["SHELLS"]


def _bash(grammar: Grammar) -> Iterator[str]:
    yield from _BASH_HEAD
    yield '    case "$command,$previous" in'
    for command in grammar.commands:
        for option in command.options:
            if option.value is not None:
                patterns = "|".join(f"{command.name},{name}" for name in option.names)
                yield f"        {patterns}) {_bash_values(option)}; return ;;"
    yield "    esac"
    yield '    case "$command" in'
    words = [*_names(grammar.options), *(command.name for command in grammar.commands)]
    yield f'        "") _metalab_words "{" ".join(words)}" ;;'
    for command in grammar.commands:
        yield f"        {command.name})"
        yield '            if [[ "$current" == -* ]]; then'
        yield f'                _metalab_words "{" ".join(_names(command.options))}"'
        yield "            else"
        yield f"                {' && '.join(map(_bash_values, command.operands)) or ':'}"
        yield "            fi ;;"
    yield "    esac"
    yield "}"
    yield "complete -F _metalab metalab"


_BASH_HEAD = (
    "# bash completion for metalab; in ~/.bashrc: source <(metalab completion bash)",
    "_metalab_words() {",
    "    local IFS=$' \\n'",
    '    COMPREPLY=($(compgen -W "$1" -- "$current"))',
    "}",
    "_metalab_paths() {",
    "    local IFS=$'\\n'",
    "    compopt -o filenames 2>/dev/null",
    '    COMPREPLY=($(compgen -d -- "$current"))',
    '    [[ -n "$1" ]] && COMPREPLY+=($(compgen -f -X "!*$1" -- "$current"))',
    "    return 0",
    "}",
    "_metalab() {",
    '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
    '    local command="" word',
    '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '        if [[ "$word" != -* ]]; then command="$word"; break; fi',
    "    done",
    "    COMPREPLY=()",
)


def _bash_values(argument: Argument) -> str:
    if argument.choices:
        return f'_metalab_words "{" ".join(argument.choices)}"'
    suffix = _PATHS.get(argument.value or "")
    return ":" if suffix is None else f"_metalab_paths {_quoted(suffix)}"


def _zsh(grammar: Grammar) -> Iterator[str]:
    yield "#compdef metalab"
    yield "# zsh completion for metalab; after compinit, source <(metalab completion zsh)"
    yield "_metalab() {"
    yield "    local curcontext=$curcontext state line"
    yield "    local -a commands"
    yield "    commands=("
    for command in grammar.commands:
        yield f"        {_quoted(f'{command.name}:{command.help}')}"
    yield "    )"
    specifications = [*map(_zsh_option, grammar.options), "'1:command:->command'"]
    yield f"    _arguments -C {' '.join(specifications)} '*::argument:->argument'"
    yield "    case $state in"
    yield "        command) _describe -t commands command commands ;;"
    yield "        argument)"
    yield "            case $words[1] in"
    for command in grammar.commands:
        yield f"                {command.name}) _arguments {' '.join(_zsh_arguments(command))} ;;"
    yield "            esac ;;"
    yield "    esac"
    yield "}"
    # As a file of $fpath the script is itself the function; sourced, it only declares it.
    yield 'if [[ "${funcstack[1]}" == _metalab ]]; then'
    yield '    _metalab "$@"'
    yield "else"
    yield "    compdef _metalab metalab"
    yield "fi"


def _zsh_arguments(command: Command) -> Iterator[str]:
    yield from map(_zsh_option, command.options)
    for place, operand in enumerate(command.operands, start=1):
        yield _quoted(f"{place}:{_zsh_escaped(operand.value or '')}:{_zsh_values(operand)}")


def _zsh_option(option: Argument) -> str:
    value = ""
    if option.value is not None:
        value = f":{_zsh_escaped(option.value)}:{_zsh_values(option)}"
    described = _quoted(f"[{_zsh_escaped(option.help)}]{value}")
    if len(option.names) == 1:
        return f"{option.names[0]}{described}"
    return f"'({' '.join(option.names)})'{{{','.join(option.names)}}}{described}"


def _zsh_values(argument: Argument) -> str:
    if argument.choices:
        return f"({' '.join(argument.choices)})"
    suffix = _PATHS.get(argument.value or "")
    if suffix is None:
        return " "
    return f'_files -g "*{suffix}"' if suffix else "_files -/"


def _zsh_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def _fish(grammar: Grammar) -> Iterator[str]:
    yield "# fish completion for metalab; in config.fish: metalab completion fish | source"
    yield "complete -c metalab -f"
    for option in grammar.options:
        yield f"complete -c metalab -n __fish_use_subcommand {_fish_option(option)}"
    for command in grammar.commands:
        described = f"-a {command.name} -d {_fish_quoted(command.help)}"
        yield f"complete -c metalab -n __fish_use_subcommand {described}"
        seen = f"complete -c metalab -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            yield f"{seen} {_fish_option(option)}"
        for operand in command.operands:
            if values := _fish_values(operand):
                yield f"{seen} -a {_fish_quoted(values)}"


def _fish_option(option: Argument) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    )
    described = f"{names} -d {_fish_quoted(option.help)}"
    if option.value is None:
        return described
    values = _fish_values(option)
    return f"{described} -x" + (f" -a {_fish_quoted(values)}" if values else "")


def _fish_values(argument: Argument) -> str:
    if argument.choices:
        return " ".join(argument.choices)
    suffix = _PATHS.get(argument.value or "")
    if suffix is None:
        return ""
    return f"(__fish_complete_suffix {suffix})" if suffix else "(__fish_complete_directories)"


# The values that are paths, by their name in the grammar: the suffix of the files that are
# meant, "" for folders.
_PATHS = {
    "STORE": "",
    "SOURCE": "",
    "DESTINATION": "",
    "FILE": ".html",
    "FILE[:NAME]": ".py",
}


def _names(options: Iterable[Argument]) -> list[str]:
    return [name for option in options for name in option.names]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: Mapping[str, Callable[[Grammar], Iterator[str]]] = {
    "bash": _bash,
    "fish": _fish,
    "zsh": _zsh,
}
"""Each shell, and what writes the lines of its script."""
