"""Page: the file of a report, put together from its parts and written in one step."""

from __future__ import annotations

import html
import os
import tempfile
from collections import Counter
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalab.results.report.embedding import embedded, packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["write_report"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def write_report(
    path: Path,
    title: str,
    columns: Mapping[str, Sequence[Any]],
    groups: Mapping[str, Sequence[Any]],
    doubts: Sequence[str],
) -> Path:
    """Write the page of runs and groups, replacing a file that is there; return its path."""
    data = {
        "as_of": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": dict(Counter(columns["status"])),
        "doubts": list(doubts),
        "groups": packed(groups),
        "runs": packed(columns),
    }
    _replace(path, _page(title, embedded(data)))
    return path


def _page(title: str, data: str) -> str:
    own = files(__package__)
    style = own.joinpath("report.css").read_text(encoding="utf-8")
    script = own.joinpath("report.js").read_text(encoding="utf-8")
    name = html.escape(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{style}</style></head>\n"
        f"<body><h1>{name}</h1><main></main>\n"
        f'<script type="application/json" id="data">{data}</script>\n'
        f"<script>{script}</script></body></html>\n"
    )


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
