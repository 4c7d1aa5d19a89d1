"""Scopes: which names a piece of source uses, and what a module's text binds them to."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ModuleScope", "Names", "local_imports", "names_in"]

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_SCOPES = _FUNCTIONS | ast.ClassDef
_BINDERS = ast.Assign | ast.AnnAssign | ast.AugAssign
_MUTATORS = frozenset(
    {
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "setdefault",
        "update",
    }
)


@attrs.frozen
class Names:
    """Dotted names that are read: where a definition stands, and inside functions."""

    outside: frozenset[str]
    inside: frozenset[str]
    bound: frozenset[str]


def names_in(node: ast.AST) -> Names:
    """Return the dotted names that a definition or statement reads, and the names it binds."""
    outside: set[str] = set()
    inside: set[str] = set()
    bound = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and _is_store(n)}
    bound |= {n.name for n in ast.walk(node) if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    for name, within in _reads(node, within=False):
        (inside if within else outside).add(name)
    return Names(frozenset(outside), frozenset(inside), frozenset(bound))


def local_imports(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield module and relative level of each import inside a definition or module."""
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, 0) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            module = child.module or ""
            yield module, child.level
            # What is imported from a package may be a module of it.
            yield from (
                (f"{module}.{alias.name}".lstrip("."), child.level) for alias in child.names
            )


class ModuleScope:
    """What a module's text says about its top-level names."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree

    @cached_property
    def imports(self) -> dict[str, str]:
        """Where imported names come from, dotted; alternatives are joined by ``|``."""
        found: dict[str, set[str]] = {}
        for statement in _statements(self._tree):
            for name, origin in _origins(statement):
                found.setdefault(name, set()).add(origin)
        return {name: "|".join(sorted(origins)) for name, origins in found.items()}

    @cached_property
    def assignments(self) -> dict[str, list[ast.stmt]]:
        """The statements that bind each name at the top level."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in _statements(self._tree):
            if isinstance(statement, _BINDERS):
                for name in sorted(_targets(statement)):
                    found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def mutated(self) -> frozenset[str]:
        """The names whose value some function changes: they are state, not constants."""
        return frozenset(_mutations(self._tree, frozenset(), within=False))


def _reads(node: ast.AST, *, within: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Attribute | ast.Name) and (dotted := _dotted(node)):
        yield dotted, within
        return
    body = frozenset[int]()
    if isinstance(node, _FUNCTIONS):
        body = frozenset(map(id, node.body if isinstance(node.body, list) else [node.body]))
    for child in ast.iter_child_nodes(node):
        yield from _reads(child, within=within or id(child) in body)


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return None if _is_store(node) else node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return None if base is None else f"{base}.{node.attr}"
    return None


def _is_store(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    # Through if, try, with and loops, but into no scope of its own.
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, _SCOPES):
            yield from _statements(child)


def _origins(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or name, name
    elif isinstance(statement, ast.ImportFrom):
        for alias in statement.names:
            module = "." * statement.level + (statement.module or "")
            yield alias.asname or alias.name, f"{module}.{alias.name}"


def _targets(statement: Any) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    }


def _mutations(node: ast.AST, hidden: frozenset[str], *, within: bool) -> Iterator[str]:
    if isinstance(node, _FUNCTIONS):
        hidden, within = hidden | _locals(node), True
    if within:
        yield from (name for name in _changed(node) if name not in hidden)
    for child in ast.iter_child_nodes(node):
        yield from _mutations(child, hidden, within=within)


def _locals(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> frozenset[str]:
    names = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    shared: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Global):
            shared.update(node.names)
    return frozenset(names - shared)


def _changed(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Global):
        yield from node.names
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _MUTATORS and isinstance(node.func.value, ast.Name):
            yield node.func.value.id
    elif (
        isinstance(node, ast.Attribute | ast.Subscript)
        and not isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
    ):
        yield node.value.id
