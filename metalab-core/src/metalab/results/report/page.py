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
from metalab.results.report.pictures import fewer, of_first

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["LIMIT", "is_report", "write_report"]

LIMIT = 20_000_000
"""How many bytes a page has at most, as far as runs can be left out."""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_MARK = '<meta name="generator" content="metalab report">'
_HEAD = 4096
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

    Where it would have more bytes than the limit, pictures are left out, and then the last
    runs, as those beyond ``max_runs``, which it says. Equal contents give equal pages but for the
    moment of writing.
    """
    count = contents["runs_in_all"] if max_runs is None else max_runs
    page = _page(title, _first(contents, count))
    if (excess := len(page) - limit) > 0:
        contents = {**contents, "pictures": fewer(contents["pictures"], excess)}
        page = _page(title, _first(contents, count))
    while len(page) > limit and count:
        count = int(min(count, contents["runs_in_all"]) * min(limit / len(page), 1) * _MARGIN)
        page = _page(title, _first(contents, count))
    with placed(path) as aside:
        aside.write_bytes(page)
    return path


def is_report(path: Path) -> bool:
    """Tell whether a file is a page that ``write_report`` has written."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _MARK.encode() in file.read(_HEAD)


def _first(contents: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the contents with no more than some runs."""
    if count >= contents["runs_in_all"]:
        return dict(contents)
    details = contents["details"]
    cut = {part: [each for each in details[part] if each[0] < count] for part in _PARTS}
    return {
        **contents,
        **{name: [_cut(each, count) for each in contents[name]] for name in ("artifacts", "runs")},
        "details": {**details, **cut},
        "pictures": of_first(contents["pictures"], count),
    }


def _cut(column: Mapping[str, Any], count: int) -> dict[str, Any]:
    # Texts are numbered in the order of their first use.
    cells = column["cells"][:count]
    last = max((cell[0] for cell in cells if isinstance(cell, list)), default=-1)
    return {**column, "cells": cells, "texts": column["texts"][: last + 1]}


def _page(title: str, contents: Mapping[str, Any]) -> bytes:
    own = files(__package__)
    style = own.joinpath("report.css").read_text(encoding="utf-8")
    script = own.joinpath("report.js").read_text(encoding="utf-8")
    name = html.escape(title)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"{_MARK}\n"
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
