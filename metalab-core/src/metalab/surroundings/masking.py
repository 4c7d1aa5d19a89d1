"""Masking: what a command line or a setting may hold that nobody else shall read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["hints_at_secret", "masked", "masked_words"]

_MASK = "***"
_HINT = re.compile(r"token|key|secret|passw|pwd|credential|auth|cookie|jwt|private", re.IGNORECASE)
# ``name=value``, also in the query of an address and with dashes before the name.
_SETTING = re.compile(r"(?P<name>[\w.\-]+)(?P<sign>=)(?P<value>[^&;,\s\"']+)")
_USER = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.\-]*://)(?P<user>[^/@\s:?#]*):[^/\s?#]*@", re.IGNORECASE
)
# Hosts of code take a token in place of a user.
_TOKEN_AS_USER = re.compile(r"(?P<scheme>(?:https?|git)://)[^/@\s:?#]+@", re.IGNORECASE)
_KNOWN = re.compile(
    r"\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w\-]{16,}|hf_\w{16,}|sk-[\w\-]{16,}"
    r"|xox[a-z]-[\w\-]{10,}|AKIA[A-Z0-9]{12,}|eyJ[\w\-]+\.[\w\-]+\.[\w\-]+)"
)
_BEARER = re.compile(r"(?P<kind>\b(?:bearer|basic)\s+)\S+", re.IGNORECASE)


def hints_at_secret(name: str) -> bool:
    """Tell whether something of that name is likely to be a secret."""
    return _HINT.search(name) is not None


def masked(text: str) -> str:
    """Return a text with ``***`` for each password and token that can be told from the rest."""
    text = _USER.sub(rf"\g<scheme>\g<user>:{_MASK}@", text)
    text = _TOKEN_AS_USER.sub(rf"\g<scheme>{_MASK}@", text)
    text = _BEARER.sub(rf"\g<kind>{_MASK}", text)
    text = _KNOWN.sub(_MASK, text)
    return _SETTING.sub(_masked_setting, text)


def masked_words(words: Sequence[str]) -> list[str]:
    """Mask the words of a command line; the word after ``--password`` and the like as a whole."""
    told: list[str] = []
    hidden = False
    for word in words:
        told.append(_MASK if hidden and not word.startswith("-") else _masked_word(word))
        hidden = word.startswith("-") and "=" not in word and hints_at_secret(word)
    return told


def _masked_word(word: str) -> str:
    name, sign, value = word.partition("=")
    # A value with blanks or commas in it is one word all the same.
    if sign and value and re.fullmatch(r"[\w.\-]+", name) and hints_at_secret(name):
        return f"{name}={_MASK}"
    return masked(word)


def _masked_setting(found: re.Match[str]) -> str:
    return f"{found['name']}={_MASK}" if hints_at_secret(found["name"]) else found[0]
