"""Freezing: a context is fingerprinted and described once, its files by what they contain."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from metalab.context.paths import DirPath, FilePath, FileStamp
from metalab.errors import IdentityError
from metalab.identity.arrays import is_array
from metalab.identity.canonical import fingerprint
from metalab.identity.names import canonical_module, reference
from metalab.identity.objects import is_namedtuple, namedtuple_items, state_of
from metalab.identity.values import to_jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FrozenContext", "freeze"]

# Classes that carry this name are identified by module and name wherever they are defined.
MARK = "__metalab_context_spec__"

# Part of every fingerprint of a context with files or large values in it.
_FORMAT = "metalab.context/1"

# Larger texts, bytes and arrays, and longer lists of plain values, stand in the manifest by
# their fingerprint. Changing these numbers would change fingerprints.
_MOST_BYTES = 16_384
_MOST_ITEMS = 4096


@attrs.frozen(eq=False)
class FrozenContext:
    """A context as it was when it was planned.

    ``spec`` is the very object that operations receive. ``manifest`` describes it as strict
    JSON, with fingerprints in place of large values. ``files`` has what was seen of each file
    by absolute path, and of the files of each folder by its absolute path and pattern.
    """

    spec: Any
    fingerprint: str
    manifest: dict[str, Any] = attrs.field(repr=False)
    files: Mapping[str, FileStamp] = attrs.field(factory=dict, repr=False)

    def changed_files(self) -> list[str]:
        """Return those of the files whose size or times have changed, or that are gone."""
        return [path for path, stamp in self.files.items() if not is_unchanged(path, stamp)]


def freeze(context: Any) -> FrozenContext:
    """Fingerprint and describe a context, hashing its files now.

    Raises FileNotFoundError that names the field (``context.data: file not found: ...``), and
    IdentityError for a value that has no identity.
    """
    if isinstance(context, type):
        name = context.__name__
        raise TypeError(f"the context is the class {name}; did you mean {name}(...)?")
    freezing = _Freezing()
    try:
        node = freezing.visit(context, "context")
    except RecursionError:
        raise IdentityError("context: contains itself, or is nested too deeply") from None
    if node is None:
        node = _plain(context, "context")
    stamps = {path: attrs.asdict(stamp) for path, stamp in freezing.files.items()}
    files = to_jsonable(stamps, "context", exact=True)  # file names may be no text
    manifest = {"fingerprint": node.identity, "value": node.document, "files": files}
    return FrozenContext(context, node.identity, manifest, freezing.files)


@attrs.frozen
class _Node:
    """A value's fingerprint, and the value as strict JSON."""

    identity: str
    document: Any


def _plain(value: Any, path: str) -> _Node:
    return _Node(fingerprint(value, path), to_jsonable(value, path, exact=True))


class _Freezing:
    """One walk through a context. Files are hashed on the way, so that errors can name them."""

    def __init__(self) -> None:
        self.files: dict[str, FileStamp] = {}

    def visit(self, value: Any, path: str) -> _Node | None:
        """Return the node of a value, or None if its own canonical bytes say all."""
        cls = type(value)
        if _is_large(value):
            identity = fingerprint(value, path)
            return _Node(identity, {"$hash": [cls.__name__, identity]})
        if cls in _ATOMS:
            return None
        if callable(getattr(cls, "fingerprint_payload", None)):
            return self._visit_content(value, path)
        if cls is dict or cls in _SEQUENCES:
            visit = self._visit_dict if cls is dict else self._visit_items
            return visit(value, path)
        return self._visit_object(value, path)

    def _visit_object(self, value: Any, path: str) -> _Node | None:
        cls = type(value)
        tag = "$namedtuple" if is_namedtuple(cls) else "$object"
        with _located(path):
            state = _items_by_name(value) if tag == "$namedtuple" else state_of(value)
        return None if state is None else self._visit_fields(tag, value, state, path)

    def _visit_content(self, value: Any, path: str) -> _Node:
        with _located(path):
            seen = self._see(value)
            payload = value.fingerprint_payload()
            ref = _reference(type(value))
        if seen is not None:
            place, stamp = seen
            self.files[place] = attrs.evolve(stamp, sha256=payload["sha256"])
        node = _plain(payload, f"{path}.fingerprint_payload()")
        return _node("content", [ref, node.identity], {"$payload": [ref, node.document]})

    def _see(self, value: Any) -> tuple[str, FileStamp] | None:
        # Before the content is read: a change meanwhile will show as a change.
        if type(value) not in {FilePath, DirPath} or not os.path.exists(value):  # noqa: PTH110
            return None
        place = os.path.abspath(value)  # noqa: PTH100  a Path does not take ".." away
        if isinstance(value, DirPath):
            place = os.path.join(place, value.pattern)  # noqa: PTH118  as above
        return place, value.stamp("")

    def _visit_dict(self, value: dict[Any, Any], path: str) -> _Node | None:
        nodes = self._visit_parts({f"{path}[{key!r}]": item for key, item in value.items()})
        if nodes is None:
            return None
        pairs = list(zip(value, nodes, strict=True))
        identity = {key: node.identity for key, node in pairs}
        if all(type(key) is str and key[:1] != "$" for key in value):
            return _node("dict", identity, {key: node.document for key, node in pairs}, path)
        written = [[to_jsonable(key, path, exact=True), node.document] for key, node in pairs]
        return _node("dict", identity, {"$dict": written}, path)

    def _visit_items(self, value: Any, path: str) -> _Node | None:
        if all(type(item) in _ATOMS for item in value):
            return None
        nodes = self._visit_parts({f"{path}[{i}]": item for i, item in enumerate(value)})
        if nodes is None:
            return None
        kind = type(value)
        if kind in {set, frozenset}:
            nodes.sort(key=lambda node: node.identity)
        documents = [node.document for node in nodes]
        return _node(
            kind.__name__,
            [node.identity for node in nodes],
            documents if kind is list else {f"${kind.__name__}": documents},
        )

    def _visit_fields(
        self, tag: str, value: object, fields: dict[str, Any], path: str
    ) -> _Node | None:
        cls = type(value)
        parts = {f"{path}.{name}": item for name, item in fields.items()}
        nodes = self._visit_parts(parts, is_wanted=hasattr(cls, MARK))
        if nodes is None:
            return None
        with _located(path):
            ref = _reference(cls)
        named = dict(zip(fields, nodes, strict=True))
        documents = {name: node.document for name, node in named.items()}
        identity = [ref, {name: node.identity for name, node in named.items()}]
        held = list(documents.values()) if tag == "$namedtuple" else documents
        return _node(tag, identity, {tag: [ref, held]})

    def _visit_parts(
        self, parts: Mapping[str, Any], *, is_wanted: bool = False
    ) -> list[_Node] | None:
        found = [self.visit(item, path) for path, item in parts.items()]
        if not is_wanted and not any(found):
            return None
        return [
            node or _plain(item, path)
            for node, (path, item) in zip(found, parts.items(), strict=True)
        ]


@contextmanager
def _located(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise type(error)(f"{path}: {error}") from error
    except IdentityError as error:
        raise IdentityError(f"{path}: {error}") from error


def _is_large(value: Any) -> bool:
    cls = type(value)
    if cls in {bytes, str}:
        return len(value) > _MOST_BYTES
    if is_array(cls):
        return bool(value.nbytes > _MOST_BYTES)
    return (
        cls in _SEQUENCES
        and len(value) > _MOST_ITEMS
        and all(type(item) in _ATOMS for item in value)
    )


def _items_by_name(value: Any) -> dict[str, Any]:
    return dict(zip(value._fields, namedtuple_items(value), strict=True))


def _reference(cls: type) -> str:
    if hasattr(cls, MARK):
        return f"{canonical_module(cls.__module__)}:{cls.__qualname__}"
    return reference(cls)


def _node(kind: str, identity: Any, document: Any, path: str = "context") -> _Node:
    return _Node(fingerprint((_FORMAT, kind, identity), path), document)


def is_unchanged(place: str, stamp: FileStamp) -> bool:
    """Tell whether a file, or the files of a folder, have the size and times they had."""
    source: FilePath | DirPath = FilePath(place)
    if stamp.pattern is not None:
        source = DirPath(place.removesuffix(stamp.pattern), stamp.pattern)
    try:
        return source.stamp(stamp.sha256) == stamp
    except FileNotFoundError:
        return False


_ATOMS = frozenset({bool, bytes, complex, float, int, str, type(None)})
_SEQUENCES = frozenset({frozenset, list, set, tuple})
