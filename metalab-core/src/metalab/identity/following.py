"""Following: from a function to all of the user's code and constants that it names."""

from __future__ import annotations

import ast
import builtins
import sys
from collections import deque
from hashlib import blake2b
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

from metalab.identity.canonical import canonical_bytes
from metalab.identity.definitions import (
    Piece,
    methods_of,
    name_of,
    piece_of_class,
    piece_of_function,
)
from metalab.identity.describing import Describing, Description, Kind, unwrapped
from metalab.identity.finding import absolute_name, find_module_file
from metalab.identity.names import canonical_module
from metalab.identity.ownership import Ownership, module_file
from metalab.identity.scopes import ModuleScope, local_imports, names_in
from metalab.identity.sources import Source, source_of
from metalab.identity.syntax import syntax_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BYTECODE", "Following"]

BYTECODE = " (bytecode)"
"""Ends the name of a part whose source is not what runs, so that its bytecode stands in."""

# With these, code can reach what no reader of its text can name.
_DYNAMIC = frozenset({"__import__", "eval", "exec", "globals"})
_MUTABLE = (dict, list, set)


class Following:
    """Visits code, each piece once; ``parts``, ``files`` and ``opaque`` grow while it does."""

    def __init__(self, function: Any) -> None:
        self.parts: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.opaque: set[str] = set()
        module = getattr(function, "__module__", None)
        package = module.partition(".")[0] if isinstance(module, str) else ""
        self._ownership = Ownership("" if package in sys.stdlib_module_names else package)
        self._describing = Describing(self._ownership, self._enqueue)
        self._queue: deque[tuple[FunctionType | type, str, str]] = deque()
        # Keeping what was visited keeps its id from being used again.
        self._visited: dict[int, tuple[object, str]] = {}
        self._bound: dict[str, str] = {}
        self._files_followed: set[str] = set()
        self._start(function)

    def run(self) -> None:
        """Visit everything that is reached from the function."""
        while self._queue:
            item, name, label = self._queue.popleft()
            if isinstance(item, FunctionType):
                self._follow_function(item, name, label)
            else:
                self._follow_class(item, name, label)

    def _start(self, function: Any) -> None:
        if isinstance(function, FunctionType):
            self._enqueue(function, name_of(function))
            return
        name = getattr(function, "__qualname__", type(function).__qualname__)
        label = f"{canonical_module(getattr(function, '__module__', None) or '')}:{name}"
        found = self._describing.describe(function, label)
        if found.kind is not Kind.CODE:
            self._record(label, found.text)

    def _enqueue(self, item: FunctionType | type, label: str) -> str:
        if isinstance(item, FunctionType):
            name, alike = name_of(item), item.__closure__ or item.__defaults__
        else:
            name, alike = f"{canonical_module(item.__module__)}:{item.__qualname__}", None
        if id(item) not in self._visited:
            # Functions made by one factory share a name; where they were met tells them apart.
            told_apart = alike or "<locals>" in name or "<lambda>" in name
            self._visited[id(item)] = (item, label if told_apart else name)
            self._queue.append((item, name, label))
        known = self._visited[id(item)][1]
        return name if known == name else f"{name} at {known}"

    def _follow_function(self, function: FunctionType, name: str, label: str) -> None:
        piece = piece_of_function(function)
        module = function.__globals__.get("__name__") or "__main__"
        bindings = self._bindings(piece, function.__globals__, module, name)
        bindings += self._captured(function, label)
        bindings += [
            (f"default {i}", self._describing.describe(default, label).text)
            for i, default in enumerate(_defaults(function))
            if not isinstance(default, _MUTABLE)
        ]
        if (inner := unwrapped(function)) is not None:
            bindings.append(("wrapped", self._describing.describe(inner, label).text))
        self._follow_local_imports(piece.node, function.__globals__.get("__package__"))
        self._record_piece(name, piece, bindings)

    def _follow_class(self, cls: type, name: str, label: str) -> None:
        piece, methods = piece_of_class(cls), methods_of(cls)
        module = sys.modules.get(cls.__module__)
        namespace = methods[0].__globals__ if methods else vars(module) if module else {}
        bindings = self._bindings(piece, namespace, cls.__module__, name)
        for base in (*cls.__bases__, type(cls)):
            bindings.append(("base", self._describing.describe(base, label).text))
        for method in methods:
            bindings += self._captured(method, f"{label}.{method.__name__}")
        self._follow_local_imports(piece.node, namespace.get("__package__"))
        self._record_piece(name, piece, bindings)

    def _captured(self, function: FunctionType, label: str) -> list[tuple[str, str]]:
        bindings = []
        for variable, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            place = f"{label}.{variable}"
            found = self._describing.describe(value, place)
            if found.kind in {Kind.VALUE, Kind.OPAQUE}:
                self._record(place, found.text)
                found = Description(found.kind, "a value")
            bindings.append((f"captured {variable}", found.text))
        return bindings

    def _bindings(
        self, piece: Piece, namespace: Mapping[str, Any], module: str, name: str
    ) -> list[tuple[str, str]]:
        bindings = []
        for dotted in sorted(piece.reads):
            root = dotted.partition(".")[0]
            if root in namespace:
                bindings += [
                    (full, self._resolve(full, namespace, module))
                    for full in _spelt_out(dotted, namespace[root], piece)
                ]
            elif root in _DYNAMIC:
                self.opaque.add(f"{name} calls {root}()")
            elif root in piece.required and not hasattr(builtins, root):
                self.opaque.add(f"{name} names {root}, which is not defined")
        return bindings

    def _resolve(self, dotted: str, namespace: Mapping[str, Any], module: str) -> str:
        name, *rest = dotted.split(".")
        value = namespace[name]
        while (
            rest and isinstance(value, ModuleType) and self._ownership.owns_module(value.__name__)
        ):
            module, name = value.__name__, rest.pop(0)
            if name not in vars(value):
                self.opaque.add(f"{canonical_module(module)}:{name}")
                return "unknown"
            value = vars(value)[name]
        if dotted == "importlib.import_module":
            self.opaque.add(f"{canonical_module(module)} calls importlib.import_module()")
        label = f"{canonical_module(module)}:{name}"
        if label not in self._bound:
            self._bound[label] = "itself"  # for constants defined by each other
            self._bound[label] = self._bind(module, name, value, label)
        return self._bound[label]

    def _is_own_module(self, value: object) -> TypeGuard[ModuleType]:
        return isinstance(value, ModuleType) and self._ownership.owns_module(value.__name__)

    def _bind(self, module: str, name: str, value: Any, label: str) -> str:
        scope = self._scope(module)
        changes = name in scope.mutated
        if changes and isinstance(value, _MUTABLE):
            return self._bind_state(module, name, label, self._code_in(value, label))
        found = self._describing.describe(value, label)
        if changes and found.kind is Kind.VALUE:
            return self._bind_state(module, name, label, "")
        if found.kind is Kind.FOREIGN:
            return f"import {scope.imports[name]}" if name in scope.imports else found.text
        if found.kind is Kind.OPAQUE:
            self.opaque.add(f"{label}: {found.text}" if len(found.text) < 200 else label)  # noqa: PLR2004 - a readable line
            return self._bind_state(module, name, label, found.text)
        if found.kind is Kind.VALUE:
            self._record(label, found.text)
            return "a value"
        return found.text

    def _bind_state(self, module: str, name: str, label: str, text: str) -> str:
        # What changes while the program runs is known by how it was defined.
        scope = self._scope(module)
        content = [text.encode("utf-8", "surrogatepass")]
        for statement in scope.assignments.get(name, ()):
            content.append(syntax_bytes(statement))
            namespace = vars(sys.modules[module]) if module in sys.modules else {}
            content += [
                self._resolve(dotted, namespace, module).encode()
                for dotted in sorted(names_in(statement).outside)
                if dotted.partition(".")[0] in namespace
            ]
        self._record(label, content)
        return "a value"

    def _code_in(self, value: Any, label: str) -> str:
        items = [*value, *value.values()] if isinstance(value, dict) else list(value)
        code = [item for item in items if isinstance(item, FunctionType | type)]
        return "|".join(sorted(self._describing.describe(item, label).text for item in code))

    def _follow_local_imports(self, node: ast.AST | None, package: str | None) -> None:
        for name, level in () if node is None else local_imports(node):
            module = absolute_name(name, level, package) if level else name
            if module and module not in self._files_followed:
                self._files_followed.add(module)
                self._follow_file(module)

    def _follow_file(self, module: str) -> None:
        file = find_module_file(module)
        if file is None or not self._ownership.owns_file(module, file):
            return
        source = source_of(file)
        if source is None:
            self.opaque.add(f"module {module}")
            return
        self._note_file(file, source)
        self._record(f"{module}:*", syntax_bytes(source.tree))
        is_package = file.endswith("__init__.py")
        self._follow_local_imports(source.tree, module if is_package else module.rpartition(".")[0])

    def _scope(self, module: str) -> ModuleScope:
        file = module_file(module)
        source = source_of(file) if file else None
        return _NO_SCOPE if source is None else source.scope

    def _record_piece(self, name: str, piece: Piece, bindings: list[tuple[str, str]]) -> None:
        if piece.source is None:
            name = f"{name}{BYTECODE}"
        else:
            self._note_file(piece.source.filename, piece.source)
        self._record(name, [piece.content, sorted(bindings)])

    def _note_file(self, file: str, source: Source) -> None:
        if source.digest is not None:
            self.files[file] = source.digest

    def _record(self, name: str, content: object) -> None:
        digest = blake2b(canonical_bytes(content), digest_size=8).hexdigest()
        distinct, n = name, 1
        while self.parts.get(distinct, digest) != digest:  # two definitions of one name
            n += 1
            distinct = f"{name}#{n}"
        self.parts[distinct] = digest


def _defaults(function: FunctionType) -> list[object]:
    keywords = function.__kwdefaults__ or {}
    return [*(function.__defaults__ or ()), *(keywords[name] for name in sorted(keywords))]


def _spelt_out(dotted: str, value: Any, piece: Piece) -> list[str]:
    # Bytecode keeps a module's name and the attributes read from it apart.
    if piece.source is None and isinstance(value, ModuleType):
        attributes = sorted(piece.reads & vars(value).keys())
        return [f"{dotted}.{name}" for name in attributes] or [dotted]
    return [dotted]


_NO_SCOPE = ModuleScope(ast.Module(body=[], type_ignores=[]))
