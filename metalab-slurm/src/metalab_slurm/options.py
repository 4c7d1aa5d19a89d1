"""sbatch's options that a user passes through, and those that are not theirs to give."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["checked_line", "checked_options", "directive"]

_OWNED = (
    "array", "output", "error", "job-name", "signal", "requeue", "no-requeue", "open-mode",
    "chdir", "parsable", "wrap", "wait", "export", "export-file", "clusters", "test-only",
)  # fmt: skip
_FIELDS = {
    "partition": "partition",
    "time": "time",
    "cpus-per-task": "cpus",
    "mem": "memory",
    "account": "account",
    "qos": "qos",
    "constraint": "constraint",
}
_SHORT = {
    "a": "array", "o": "output", "e": "error", "J": "job-name", "D": "chdir", "W": "wait",
    "M": "clusters", "p": "partition", "t": "time", "c": "cpus-per-task", "A": "account",
    "q": "qos", "C": "constraint",
}  # fmt: skip

_is_option = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*").fullmatch


def checked_options(options: Mapping[str, object]) -> dict[str, str | None]:
    """Return options by their names without dashes; the value of a flag is None.

    ``True`` or None gives a flag without a value, ``False`` leaves the option out. Raises
    ValueError for options that metalab sets itself, TypeError for values that are no text and
    no number.
    """
    if not isinstance(options, Mapping):
        raise TypeError(f"extra_sbatch={options!r} is no mapping of sbatch's options to values")
    checked: dict[str, str | None] = {}
    for given, value in options.items():
        name = _name(given)
        if value is False:
            continue
        if name in checked:
            raise ValueError(f"extra_sbatch names {name!r} twice")
        checked[name] = _value(given, value)
    return checked


def _name(given: object) -> str:
    # In code a keyword has no dash, and none of sbatch's options has an underscore.
    name = given.strip().lstrip("-").replace("_", "-") if isinstance(given, str) else ""
    if not _is_option(name):
        raise ValueError(f"extra_sbatch: {given!r} is no name of an sbatch option")
    full = _SHORT.get(name, name) if len(name) == 1 else _unabridged(name)
    if field := _FIELDS.get(full):
        raise ValueError(f"extra_sbatch: {given!r} has a field of its own: use {field}=")
    if full in _OWNED:
        raise ValueError(
            f"extra_sbatch: {given!r} is sbatch's --{full}: leave it out, for metalab sets it"
        )
    return full


def _unabridged(name: str) -> str:
    """Return the option that is not theirs to give and that sbatch would take a name for."""
    if name in _FIELDS:
        return name
    return next((full for full in (*_OWNED, *_FIELDS) if full.startswith(name)), name)


def _value(given: object, value: object) -> str | None:
    if value is True or value is None:
        return None
    if not isinstance(value, str | int | float):
        raise TypeError(f"extra_sbatch: the value {value!r} of {given!r} is no text and no number")
    return checked_line(str(value), f"extra_sbatch: the value of {given!r}")


def checked_line(value: object, what: str) -> str:
    """Return text that fits on one line of a script; raises TypeError or ValueError."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is {value!r}, which is no text")
    if not value.strip():
        raise ValueError(f"{what} is empty")
    if any(character in value for character in "\n\r\0"):
        raise ValueError(f"{what} is {value!r}: it has to stay on one line, without a NUL")
    return value


def directive(name: str, value: str | None = None) -> str:
    """Write an option as a line of a batch script, quoted as sbatch reads such lines."""
    option = f"-{name}" if len(name) == 1 else f"--{name}"
    if value is None:
        return f"#SBATCH {option}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    joint = "" if len(name) == 1 else "="
    # Quotes around the whole: a short option's value would else begin outside of them.
    return f'#SBATCH "{option}{joint}{escaped}"'
