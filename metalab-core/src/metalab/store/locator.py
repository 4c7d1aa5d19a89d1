"""Locators: where a store is, as one string."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

__all__ = ["LocatorInfo", "parse_locator"]


@attrs.frozen
class LocatorInfo:
    """The parts of a locator. The password is kept out of every repr."""

    scheme: str
    path: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    params: dict[str, str] = attrs.Factory(dict)
    raw: str = attrs.field(default="", repr=False)


def parse_locator(locator: str | os.PathLike[str]) -> LocatorInfo:
    """Take a locator apart: a path, or ``scheme://user:password@host:port/path?key=value``.

    A path (``~`` is expanded) and ``file://`` both have the scheme ``file`` and an absolute
    path. Raises ValueError if the text is empty or its port is no number.
    """
    raw = os.fspath(locator)
    if not raw:
        raise ValueError("an empty text is no store; name a folder or a URL")
    if "://" not in raw:
        return LocatorInfo("file", _absolute(raw), raw=raw)
    parts = urlsplit(raw)
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"}:
            raise ValueError(
                f"{raw!r} names the host {parts.netloc!r}; a file store is a local path: "
                f"write file:///{parts.netloc}{parts.path} or ./{parts.netloc}{parts.path}"
            )
        return LocatorInfo("file", _absolute(unquote(parts.path)), params=params, raw=raw)
    return LocatorInfo(
        scheme=parts.scheme,
        path=unquote(parts.path),
        host=parts.hostname,
        port=parts.port,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        params=params,
        raw=raw,
    )


def _absolute(path: str) -> str:
    # absolute(), not resolve(): a link in the path is the user's choice and stays one.
    return str(Path(path).expanduser().absolute())
