"""Bytecode: what a function does where its source cannot be found."""

from __future__ import annotations

from types import CodeType
from typing import Any

from metalab.identity.canonical import canonical_bytes, hash_bytes

__all__ = ["bytecode_digest", "codes_within", "global_names"]


# The flags above tell of docstrings and of features that were switched on elsewhere.
_KINDS_OF_FUNCTION = 0xFFFF


def bytecode_digest(code: CodeType, doc: str | None = None) -> str:
    """Return a hash of what compiled code does; where it stands and its docstring do not count.

    It holds for one minor version of Python.
    """
    constants = list(code.co_consts)
    if doc is not None and constants and constants[0] == doc:
        constants[0] = None
    return hash_bytes(
        canonical_bytes(
            (
                code.co_code,
                code.co_exceptiontable,
                code.co_names,
                code.co_varnames,
                code.co_cellvars,
                code.co_freevars,
                (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
                code.co_flags & _KINDS_OF_FUNCTION,
                [_plain(constant) for constant in constants],
            )
        )
    )


def codes_within(code: CodeType) -> list[CodeType]:
    """Return a code object and all that is nested in it."""
    found = [code]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found.extend(codes_within(constant))
    return found


def global_names(code: CodeType) -> frozenset[str]:
    """Return the names that code looks up outside its functions, among names of attributes."""
    return frozenset(name for within in codes_within(code) for name in within.co_names)


def _plain(constant: Any) -> object:
    if isinstance(constant, CodeType):
        return ("code", bytecode_digest(constant))
    if isinstance(constant, tuple):
        return ("tuple", [_plain(item) for item in constant])
    return "..." if constant is Ellipsis else ("constant", constant)
