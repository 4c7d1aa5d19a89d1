"""Connection strings of libpq as users write them: URLs and ``key=value`` texts.

All options of libpq are kept; those of metalab's own are taken out. Passwords are kept apart,
so that no text made here ever has one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Dsn", "take_own"]

_SECRET = ("password", "sslpassword")
_SCHEMES = ("postgresql", "postgres")
_is_host = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+").fullmatch
_is_plain = re.compile(r"postgresql://(?:[^:@/?]*@)?[^@/?]*/[^@/?]*(?:\?[^?]*)?").fullmatch


@attrs.frozen
class Dsn:
    """Where a database is: a URL of libpq's without passwords, and these apart from it."""

    text: str
    secrets: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)

    @classmethod
    def of(cls, text: str) -> Dsn:
        """Read a connection string.

        Raises ValueError, which repeats none of it, for what libpq would not understand.
        """
        found = {key: str(value) for key, value in _parsed(text).items() if value is not None}
        secrets = tuple((key, found.pop(key)) for key in _SECRET if key in found)
        return cls(_url(found), secrets)

    @classmethod
    def written(cls, text: str) -> Dsn:
        """Read the URL that another Dsn wrote, without asking libpq; other texts as ``of`` does."""
        return cls(text) if _is_plain(text) and "password=" not in text else cls.of(text)

    def conninfo(self, **defaults: Any) -> str:
        """Return what libpq connects with, secrets included; ``defaults`` fill what is missing."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415  as below

        return make_conninfo("", **{**defaults, **_parsed(self.text), **dict(self.secrets)})

    def url(self, own: Mapping[str, str]) -> str:
        """Return the URL with options of metalab's own after libpq's."""
        more = urlencode(own, quote_via=quote)
        return self.text + ("&" if "?" in self.text else "?") + more if own else self.text

    def __str__(self) -> str:
        return self.text


def _parsed(text: str) -> dict[str, Any]:
    # Workers have the text of a configuration and no driver: they write files alone.
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        return conninfo_to_dict(text)
    except ProgrammingError:
        raise ValueError(
            "the connection string is none that libpq understands; write it as "
            "postgresql://user@host:5432/database or as 'host=... dbname=... user=...'"
        ) from None


def _url(known: Mapping[str, str]) -> str:
    netloc = _netloc(known.get("host", ""), known.get("port", ""))
    # What a URL has no place for is told in its query, which libpq reads as well.
    placed = {"dbname"} | ({"host", "port", "user"} if netloc else set())
    user = quote(known["user"], safe="") + "@" if netloc and "user" in known else ""
    rest = [(key, value) for key, value in known.items() if key not in placed]
    query = urlencode(rest, quote_via=quote)
    place = f"{user}{netloc}/{quote(known.get('dbname', ''), safe='')}"
    return f"{_SCHEMES[0]}://{place}" + (f"?{query}" if query else "")


def _netloc(hosts: str, ports: str) -> str:
    """Return hosts and ports as a URL has them; empty where they are better told in its query."""
    names = hosts.split(",")
    numbers = ports.split(",") if ports else []
    fits = len(numbers) == len(names) or (not numbers and len(names) == 1)
    if not (fits and all(map(_is_host, names)) and all(map(str.isdecimal, numbers))):
        return ""
    written = [f"[{name}]" if ":" in name else name for name in names]
    return ",".join(map(":".join, zip(written, numbers, strict=True))) if numbers else written[0]


def take_own(text: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Take options of metalab's own out of a connection string: the rest, and what they say."""
    wanted = set(names)
    if text.partition("://")[0] not in _SCHEMES:
        return _take_words(text, wanted)
    head, _, query = text.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    own = {key: unquote(value) for key, _, value in pairs if key in wanted}
    rest = "&".join("".join(pair) for pair in pairs if pair[0] not in wanted)
    return head + ("?" + rest if rest else ""), own


def _take_words(text: str, wanted: set[str]) -> tuple[str, dict[str, str]]:
    """Do the same for ``key=value`` words, whose values may be quoted and escaped."""
    own: dict[str, str] = {}
    rest: list[str] = []
    for key, value in _words(text):
        if key in wanted:
            own[key] = value
        else:
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            rest.append(f"{key}='{escaped}'")
    return " ".join(rest), own


def _words(text: str) -> Iterable[tuple[str, str]]:
    place = 0
    while text[place:].strip():
        key, sign, after = text[place:].partition("=")
        if not sign:
            raise ValueError("the connection string has a word without '=' in it")
        place = len(text) - len(after.lstrip())
        value, place = _value(text, place)
        yield key.strip(), value


def _value(text: str, place: int) -> tuple[str, int]:
    quoted = text[place : place + 1] == "'"
    place += quoted
    found: list[str] = []
    while place < len(text):
        sign = text[place]
        if sign == "'" if quoted else sign.isspace():
            return "".join(found), place + 1
        if sign == "\\":
            place += 1
            sign = text[place : place + 1]
        found.append(sign)
        place += 1
    if quoted:
        raise ValueError("the connection string has a quote that is not closed")
    return "".join(found), place
