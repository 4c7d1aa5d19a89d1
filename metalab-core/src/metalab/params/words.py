"""Words: how a value given by mistake is shown, and how what was meant is guessed."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["checked_name", "checked_text", "is_table", "listed", "shown"]

_shortener = reprlib.Repr()
_shortener.maxstring = 40
_shortener.maxother = 60
_shortener.maxlist = _shortener.maxtuple = _shortener.maxdict = 4

# Arrays of these kinds hold plain numbers and text; their items are wanted as such.
_PLAIN_KINDS = frozenset("biufcSU")


def shown(value: object) -> str:
    """Return a short repr."""
    return _shortener.repr(value)


def checked_name(name: object, where: str) -> str:
    """Return the name of a param; TypeError if it is no string."""
    if isinstance(name, str):
        return checked_text(name, f"{where}: the name")
    raise TypeError(f"{where}: the name {shown(name)} is of type {type(name).__name__}, not str")


def checked_text(text: str, what: str) -> str:
    """Return a text as a plain str; ValueError for one that no file can hold."""
    plain = str.__str__(text)
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} {shown(plain)} holds half of a surrogate pair") from None
    return plain


def listed(values: object, where: str, meant: str) -> tuple[Any, ...]:
    """Return the values that a user listed; what holds no ordered values is refused.

    ``where`` says who was given them, ``meant`` is a template that shows how to write a
    list in its place. Raises TypeError, and ValueError where there are no values.
    """
    if isinstance(values, str | bytes | bytearray):
        refusal = "is one value"
    elif isinstance(values, Mapping):
        refusal = "is a dict, which is one value"
    elif is_table(values):
        refusal = "is a table, not a list of values"
        meant = "from_frame(...) for its rows, or one of its columns"
    elif isinstance(values, set | frozenset):
        ordered = meant.replace("[{}]", "sorted({})").format(shown(values))
        raise TypeError(f"{where}: a set has no order; did you mean {ordered}?")
    elif (found := _items(values)) is None:
        refusal = f"is a {type(values).__name__}, not a list of values"
    elif found:
        return found
    else:
        raise ValueError(f"{where}: it has no values, so there would be no runs")
    raise TypeError(
        f"{where}: {shown(values)} {refusal}; did you mean {meant.format(shown(values))}?"
    )


def is_table(value: object) -> bool:
    """Tell whether a value is a data frame of any library."""
    return not isinstance(value, type) and hasattr(value, "columns")


def _items(values: Any) -> tuple[Any, ...] | None:
    if not isinstance(values, Iterable):
        return None
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    dimensions = getattr(values, "ndim", 1)
    if dimensions == 0:
        return None
    if kind in _PLAIN_KINDS and dimensions == 1:
        return tuple(values.tolist())  # type: ignore[attr-defined]  # an array or a column
    return tuple(values)
