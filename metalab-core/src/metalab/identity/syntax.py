"""Syntax: what a piece of source text says, without how it is laid out.

The bytes are those of every Python version: only fields that hold something count, in
the order of their names, and what versions disagree about is brought to one form.
"""

from __future__ import annotations

import ast
from typing import Any

from metalab.identity.canonical import canonical_bytes

__all__ = ["syntax_bytes"]

# Whether a name is read or written follows from where it stands; the others are about the text.
_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_BLOCKS = frozenset({"body", "finalbody", "orelse"})
_PASS = [ast.Pass()]


def syntax_bytes(node: Any) -> bytes:
    """Return the bytes of a node or nodes; comments, docstrings and layout leave none."""
    parts: list[bytes] = []
    _write(node, parts)
    return b"".join(parts)


def _write(value: Any, parts: list[bytes]) -> None:
    if isinstance(value, ast.AST):
        _write_node(value, parts)
    elif isinstance(value, list):
        parts.append(b"[")
        for item in value:
            _write(item, parts)
        parts.append(b"]")
    else:
        parts.append(b"..." if value is Ellipsis else canonical_bytes(value))


def _write_node(node: ast.AST, parts: list[bytes]) -> None:
    parts.append(b"(%b" % type(node).__name__.encode())
    for name in sorted(node._fields):
        value = getattr(node, name, None)
        if name in _IGNORED_FIELDS or value is None:
            continue
        if isinstance(value, list):
            value = _tidy(node, name, value)
            if not value:
                continue
        parts.append(b" %b=" % name.encode())
        _write(value, parts)
    parts.append(b")")


def _tidy(node: ast.AST, name: str, value: list[Any]) -> list[Any]:
    if name in _BLOCKS:
        # Text that stands alone is a docstring or a comment.
        kept = [statement for statement in value if not _is_text(statement)]
        return kept or (_PASS if name == "body" else [])
    return _merged(value) if isinstance(node, ast.JoinedStr) else value


def _is_text(statement: Any) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _merged(values: list[Any]) -> list[Any]:
    # Versions split the fixed text of an f-string at different places.
    merged: list[Any] = []
    for value in values:
        if not isinstance(value, ast.Constant):
            merged.append(value)
        elif merged and isinstance(merged[-1], ast.Constant):
            merged[-1] = ast.Constant(f"{merged[-1].value!s}{value.value!s}")
        elif value.value:
            merged.append(value)
    return merged
