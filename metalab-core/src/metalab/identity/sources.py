"""Sources: parsed source files, and the definitions in them that running code came from."""

from __future__ import annotations

import ast
import linecache
import re
import warnings
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Any

from metalab.identity.bytecode import bytecode_digest, codes_within
from metalab.identity.files import is_settled
from metalab.identity.scopes import ModuleScope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import CodeType

__all__ = ["Definition", "Source", "plain_qualname", "source_of"]

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
_COMPREHENSION = re.compile(r"<(?:dictcomp|genexpr|listcomp|setcomp)>\.(?:<locals>\.)?")


class Source:
    """One source text: its tree, and what it compiles to."""

    def __init__(self, text: str, filename: str, digest: str | None = None) -> None:
        self.digest = digest
        self.filename = filename
        with warnings.catch_warnings():  # what the compiler thinks of the text was said before
            warnings.simplefilter("ignore")
            self.tree = ast.parse(text, filename)
        self.scope = ModuleScope(self.tree)

    @cached_property
    def definitions(self) -> dict[str, list[Definition]]:
        """The functions, classes and lambdas by qualified name, in the order of the text."""
        found: dict[str, list[Definition]] = {}
        for name, node in _definitions(self.tree, ""):
            found.setdefault(name, []).append(node)
        return found

    @cached_property
    def codes(self) -> dict[str, list[CodeType]]:
        """The compiled functions by qualified name, in the order of the text."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = compile(self.tree, self.filename, "exec", dont_inherit=True)
        found: dict[str, list[CodeType]] = {}
        for code in codes_within(module):
            found.setdefault(plain_qualname(code.co_qualname), []).append(code)
        return found

    def definition_of(self, code: CodeType) -> Definition | None:
        """Return the definition that code was compiled from, or None if the text has changed."""
        name, wanted = plain_qualname(code.co_qualname), bytecode_digest(code)
        same = [c for c in self.codes.get(name, ()) if bytecode_digest(c) == wanted]
        # Of several that do the same, the one at the same place.
        same.sort(key=lambda c: c.co_firstlineno != code.co_firstlineno)
        for candidate in same:
            if node := _node_at(self.definitions.get(name, ()), candidate):
                return node
        return None

    def class_of(self, qualname: str) -> ast.ClassDef | None:
        """Return the last class definition of a qualified name."""
        found = [n for n in self.definitions.get(qualname, ()) if isinstance(n, ast.ClassDef)]
        return found[-1] if found else None


_sources: dict[str, tuple[object, Source | None]] = {}


def source_of(filename: str, namespace: Mapping[str, Any] | None = None) -> Source | None:
    """Return the parsed source of a file, of a notebook's cell or of a prompt's input, or None.

    Each is parsed again only when it has changed.
    """
    file = Path(filename)
    try:
        stamp: object = _stamp_of(file)
        read = file.read_bytes
    except (OSError, ValueError):
        text = "".join(linecache.getlines(filename, dict(namespace) if namespace else None))
        stamp, read = text, text.encode
    if (known := _sources.get(filename)) is None or known[0] != stamp:
        data = stamp if isinstance(stamp, bytes) else read()
        known = _sources[filename] = (
            stamp,
            _parse(data, filename, real=not isinstance(stamp, str)),
        )
    return known[1]


def _stamp_of(file: Path) -> object:
    """Return what tells that a file has changed: its state, or while that may not, its content."""
    found = file.stat()
    if is_settled(found):
        return found.st_mtime_ns, found.st_size, found.st_ino
    return file.read_bytes()


def _parse(data: bytes, filename: str, *, real: bool) -> Source | None:
    if not data:
        return None
    try:
        encoding = detect_encoding(BytesIO(data).readline)[0]
        return Source(data.decode(encoding), filename, sha256(data).hexdigest() if real else None)
    except (SyntaxError, ValueError):  # no Python, or Python with a notebook's own commands
        return None


def plain_qualname(qualname: str) -> str:
    """Return a qualified name without the comprehensions it passes through.

    Some versions of Python count them as functions, some do not.
    """
    return _COMPREHENSION.sub("", qualname)


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    inner, body = prefix, frozenset[int]()
    if isinstance(node, Definition):
        name = prefix + ("<lambda>" if isinstance(node, ast.Lambda) else node.name)
        yield name, node
        inner = f"{name}." if isinstance(node, ast.ClassDef) else f"{name}.<locals>."
        body = frozenset(map(id, node.body if isinstance(node.body, list) else [node.body]))
    for child in ast.iter_child_nodes(node):
        # Decorators, defaults and bases belong to the scope around the definition.
        yield from _definitions(child, inner if id(child) in body else prefix)


def _node_at(nodes: Iterable[Definition], code: CodeType) -> Definition | None:
    there = [node for node in nodes if _first_line(node) == code.co_firstlineno]
    if len(there) > 1:  # lambdas on one line
        span = _code_span(code)
        there = [n for n in there if isinstance(n, ast.Lambda) and _span(n.body) == span]
    return there[0] if there else None


def _first_line(node: Definition) -> int:
    decorators: list[int] = [d.lineno for d in getattr(node, "decorator_list", ())]
    return min([node.lineno, *decorators])


def _span(node: ast.expr) -> tuple[int, ...]:
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0


def _code_span(code: CodeType) -> tuple[int, ...]:
    # Several lambdas fit on a line; what runs in each has its own columns.
    spans = [
        (line, column or 0, end_line, end_column)
        for line, end_line, column, end_column in code.co_positions()
        if line and end_line and end_column
    ]
    if not spans:
        return ()
    return (*min(span[:2] for span in spans), *max(span[2:] for span in spans))
