"""Page: the file of a report, put together from its parts and written in one step."""

from __future__ import annotations

import base64
import gzip
import html
import os
from collections import Counter
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from metalab.results.report.embedding import embedded, packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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
        "failures": packed(_causes(columns)),
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
        f'<script type="text/plain" id="data">{_compressed(data)}</script>\n'
        f"<script>{script}</script></body></html>\n"
    )


def _compressed(text: str) -> str:
    # No moment in its header: equal data gives equal bytes.
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)).decode()


def _causes(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    counts: Counter[str] = Counter()
    example: dict[str, str] = {}
    errors = columns.get("error", ())
    for run_id, status, error in zip(columns["run_id"], columns["status"], errors, strict=False):
        if status == "failed":
            cause = error or "unknown"
            counts[cause] += 1
            example.setdefault(cause, run_id)
    causes = [cause for cause, _ in counts.most_common()]
    return {
        "cause": causes,
        "runs": [counts[each] for each in causes],
        "example": [example[each] for each in causes],
    }


def _replace(path: Path, text: str) -> None:
    # Not by tempfile, whose files nobody else may read: the page is made to be handed on.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", errors="replace")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
