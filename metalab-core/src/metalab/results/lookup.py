"""Names that users give: ids by unique prefix, and what there is where nothing matches."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, overload

from metalab.errors import MetalabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["NameLookupError", "listed", "missing", "resolve_id"]

_SHOWN = 10


class NameLookupError(MetalabError, KeyError):
    """A name that was asked for is not there, or means several things; the text lists what is."""

    def __str__(self) -> str:
        # KeyError would show the text as a quoted literal.
        return str(self.args[0])


@overload
def listed(names: str | Iterable[str]) -> list[str]: ...
@overload
def listed(names: None) -> None: ...
def listed(names: str | Iterable[str] | None) -> list[str] | None:
    """Return the names that were given as one or several; None stays None."""
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)


def resolve_id(given: str, run_ids: Sequence[str]) -> int:
    """Return the place of the run whose id is, or alone begins with, ``given``."""
    found = [place for place, run_id in enumerate(run_ids) if run_id.startswith(given)]
    if len(found) == 1:
        return found[0]
    exact = [place for place in found if run_ids[place] == given]
    if exact:
        return exact[0]
    if not found:
        raise NameLookupError(f"no run's id begins with {given!r} ({_some(run_ids, 'runs')})")
    raise NameLookupError(
        f"{len(found)} runs' ids begin with {given!r}: "
        f"{_joined(run_ids[place] for place in found[:_SHOWN])}"
        f"{' and more' if len(found) > _SHOWN else ''}; give more of the id"
    )


def missing(who: str, what: str, name: str, names: Iterable[str]) -> NameLookupError:
    """Make the error that ``who`` has no ``what`` of a name, listing the names there are."""
    there = sorted(names)
    text = f"{who} no {what} named {name!r} ({_some(there, 'there are')})"
    if close := get_close_matches(name, there, n=1):
        text += f"; did you mean {close[0]!r}?"
    return NameLookupError(text)


def _some(names: Sequence[str], what: str) -> str:
    if not names:
        return "there are none"
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{what}: {_joined(names[:_SHOWN])}{more}"


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)
