"""Page: the file of a report, put together from its parts and written in one step."""

from __future__ import annotations

import base64
import gzip
import html
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from metalab.results.placing import placed
from metalab.results.report.embedding import embedded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["LIMIT", "write_report"]

LIMIT = 20_000_000
"""How many bytes a page has at most, as far as runs can be left out."""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_MARGIN = 0.95
_PARTS = ("traces", "logs", "series")


def write_report(
    path: Path,
    title: str,
    contents: Mapping[str, Any],
    *,
    max_runs: int | None = None,
    limit: int = LIMIT,
) -> Path:
    """Write the page, replacing a file that is there; return its path.

    Where it would have more bytes than the limit, or more runs than wanted, the last ones are
    left out, which it says. Equal contents give equal pages but for the moment of writing.
    """
    count = contents["runs_in_all"] if max_runs is None else max_runs
    page = _page(title, _first(contents, count))
    while len(page) > limit and count:
        count = int(min(count, contents["runs_in_all"]) * min(limit / len(page), 1) * _MARGIN)
        page = _page(title, _first(contents, count))
    with placed(path) as aside:
        aside.write_bytes(page)
    return path


def _first(contents: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the contents with no more than some runs."""
    if count >= contents["runs_in_all"]:
        return dict(contents)
    runs = [{**each, "cells": each["cells"][:count]} for each in contents["runs"]]
    details = contents["details"]
    cut = {part: [each for each in details[part] if each[0] < count] for part in _PARTS}
    kept = [_used(column) for column in runs]
    return {**contents, "runs": kept, "details": {**details, **cut}}


def _used(column: dict[str, Any]) -> dict[str, Any]:
    # Texts are numbered in the order of their first use.
    last = max((cell[0] for cell in column["cells"] if isinstance(cell, list)), default=-1)
    return {**column, "texts": column["texts"][: last + 1]}


def _page(title: str, contents: Mapping[str, Any]) -> bytes:
    own = files(__package__)
    style = own.joinpath("report.css").read_text(encoding="utf-8")
    script = own.joinpath("report.js").read_text(encoding="utf-8")
    name = html.escape(title)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{style}</style></head>\n"
        f'<body><header><h1><bdi>{name}</bdi></h1><p id="as-of">As of {moment}</p></header>\n'
        "<main><noscript>This page needs JavaScript, of which it has all inside.</noscript></main>"
        f'\n<script type="text/plain" id="data">{_compressed(embedded(contents))}</script>\n'
        f"<script>{script}</script></body></html>\n"
    )
    return text.encode("utf-8", "replace")


def _compressed(text: str) -> str:
    # No moment in its header: equal data gives equal bytes.
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
