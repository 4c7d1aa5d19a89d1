"""Definitions: what a function or class consists of, by its source or else its bytecode."""

from __future__ import annotations

from functools import cached_property
from inspect import get_annotations
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import attrs

from metalab.identity.bytecode import bytecode_digest, global_names
from metalab.identity.canonical import canonical_bytes, hash_bytes
from metalab.identity.names import canonical_module
from metalab.identity.ownership import module_file
from metalab.identity.scopes import names_in
from metalab.identity.sources import Source, plain_qualname, source_of
from metalab.identity.syntax import syntax_bytes

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator

__all__ = [
    "Piece",
    "definition_digest",
    "is_ambiguous",
    "methods_of",
    "name_of",
    "piece_of_class",
    "piece_of_function",
]


@attrs.frozen
class Piece:
    """A piece of code: its bytes, and the dotted names that it reads.

    ``required`` are the first parts of names that are looked up when it runs. ``node`` and
    ``source`` are None where the bytecode stands in for the source.
    """

    content: bytes
    reads: frozenset[str]
    required: frozenset[str]
    source: Source | None = None
    node: ast.AST | None = None


def name_of(function: FunctionType) -> str:
    """Return ``module:qualname`` of a function as it was written, whatever it is disguised as."""
    module = function.__globals__.get("__name__") or "__main__"
    return f"{canonical_module(module)}:{plain_qualname(function.__code__.co_qualname)}"


def piece_of_function(function: FunctionType) -> Piece:
    """Return what a function consists of."""
    code = function.__code__
    source = source_of(code.co_filename, function.__globals__)
    node = None if source is None else source.definition_of(code)
    if source is None or node is None:
        digest = bytecode_digest(code, function.__doc__)
        return Piece(digest.encode(), global_names(code), frozenset())
    return _piece(node, source, [code])


def piece_of_class(cls: type) -> Piece:
    """Return what a class consists of, without its bases."""
    methods = methods_of(cls)
    file = module_file(cls.__module__) or next((m.__code__.co_filename for m in methods), None)
    source = source_of(file, _globals_of(methods)) if file else None
    qualname = plain_qualname(cls.__qualname__)
    node = None if source is None else source.class_of(qualname)
    written = [method.__code__ for method in methods if method.__code__.co_filename == file]
    if source is None or node is None or not all(map(source.definition_of, written)):
        return _piece_of_methods(cls, methods)
    inner = [
        code
        for name, codes in source.codes.items()
        if name.startswith(f"{qualname}.")
        for code in codes
    ]
    return _piece(node, source, inner)


def methods_of(cls: type) -> list[FunctionType]:
    """Return the functions that a class defines, also those behind properties and the like."""
    found = (function for value in vars(cls).values() for function in _functions_behind(value))
    return [f for f in found if f.__code__.co_qualname.startswith(f"{cls.__qualname__}.")]


def definition_digest(function: FunctionType) -> str:
    """Return a hash of a function's own definition."""
    return hash_bytes(piece_of_function(function).content)


def is_ambiguous(function: FunctionType) -> bool:
    """Tell whether a function's name may be another's, too: a lambda's, or one of branches."""
    qualname = plain_qualname(function.__code__.co_qualname)
    if "<lambda>" in qualname:
        return True
    if "<locals>" not in qualname:
        return False
    source = source_of(function.__code__.co_filename, function.__globals__)
    return source is not None and len(source.definitions.get(qualname, ())) > 1


def _piece(node: ast.AST, source: Source, codes: Iterable[CodeType]) -> Piece:
    names = names_in(node)
    looked_up = frozenset[str]().union(*map(global_names, codes))
    inside = {name for name in names.inside if _root(name) in looked_up}
    required = {_root(name) for name in inside} - names.bound
    return Piece(syntax_bytes(node), names.outside | inside, frozenset(required), source, node)


def _piece_of_methods(cls: type, methods: list[FunctionType]) -> Piece:
    plain = {
        name: value
        for name, value in vars(cls).items()
        if not name.startswith("__") and isinstance(value, bool | bytes | float | int | str)
    }
    digests = sorted(
        (m.__code__.co_qualname, bytecode_digest(m.__code__, m.__doc__)) for m in methods
    )
    reads = frozenset[str]().union(*(global_names(method.__code__) for method in methods))
    fields = sorted(map(str, get_annotations(cls).items()))
    return Piece(canonical_bytes((digests, plain, fields)), reads, frozenset())


def _functions_behind(value: Any) -> Iterator[FunctionType]:
    if isinstance(value, FunctionType):
        yield value
    elif isinstance(value, staticmethod | classmethod):
        yield from _functions_behind(value.__func__)
    elif isinstance(value, property):
        for function in (value.fget, value.fset, value.fdel):
            yield from _functions_behind(function)
    elif isinstance(value, cached_property):
        yield from _functions_behind(value.func)


def _globals_of(methods: list[FunctionType]) -> dict[str, Any] | None:
    return methods[0].__globals__ if methods else None


def _root(dotted: str) -> str:
    return dotted.partition(".")[0]
