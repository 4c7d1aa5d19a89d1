"""Revival: values read back from strict JSON, with the classes that are loaded."""

from __future__ import annotations

from binascii import a2b_base64
from enum import Enum
from typing import TYPE_CHECKING, Any

from metalab.errors import IdentityError
from metalab.identity.arrays import load_array, load_scalar
from metalab.identity.names import resolve
from metalab.identity.objects import is_namedtuple, is_stateful_class, rebuild
from metalab.identity.standard import form_by_tag
from metalab.identity.symbols import Symbol
from metalab.plugins import SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["from_jsonable"]


def from_jsonable(document: Any, *, strict: bool = False) -> Any:
    """Return the value that ``to_jsonable`` wrote; imports no module a document names.

    A class that is not loaded leaves a ``Symbol`` in its instance's place or, if ``strict``,
    raises IdentityError, as it does for a document that was not written by ``to_jsonable``.
    """
    return _Reader(strict).read(document)


class _Reader:
    def __init__(self, strict: bool) -> None:
        self._strict = strict

    def read(self, document: Any) -> Any:
        if type(document) is dict:
            if len(document) == 1:
                ((key, payload),) = document.items()
                if key[:1] == "$":
                    return self._read_tagged(key[1:], payload)
            return {key: self.read(item) for key, item in document.items()}
        if type(document) is list:
            return [self.read(item) for item in document]
        return document

    def _read_tagged(self, tag: str, payload: Any) -> Any:
        try:
            if reader := _TAGS.get(tag):
                return reader(self, payload)
            if form := form_by_tag(tag):
                return form.load(self.read(payload))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, IdentityError):
                raise
            raise IdentityError(
                f"a stored value is damaged: ${tag} {payload!r}: {error}"
            ) from error
        return self._symbol("", self.read(payload), tag)

    def _symbol(self, ref: str, value: Any, tag: str) -> Symbol:
        if self._strict:
            raise IdentityError(
                f"a stored value needs {ref or '$' + tag}, which is not loaded in this process"
            )
        return Symbol(ref, value, tag)

    def read_dict(self, payload: Any) -> Any:
        return {self.read(key): self.read(item) for key, item in payload}

    def read_enum(self, payload: Any) -> Any:
        ref, member = payload
        cls = resolve(ref)
        if not (isinstance(cls, type) and issubclass(cls, Enum)):
            return self._symbol(ref, member, "enum")
        if isinstance(member, str):
            found = cls.__members__.get(member)
            return self._symbol(ref, member, "enum") if found is None else found
        return cls(member)

    def read_object(self, payload: Any) -> Any:
        ref, fields = payload
        cls = resolve(ref)
        state = {name: self.read(item) for name, item in fields.items()}
        if isinstance(cls, type) and is_stateful_class(cls):
            return rebuild(cls, state)
        return self._symbol(ref, state, "object")

    def read_namedtuple(self, payload: Any) -> Any:
        ref, items = payload
        cls = resolve(ref)
        if isinstance(cls, type) and is_namedtuple(cls):
            return tuple.__new__(cls, self.read(items))
        return self._symbol(ref, self.read(items), "namedtuple")

    def read_reference(self, ref: Any) -> Any:
        found = resolve(ref)
        return self._symbol(ref, None, "ref") if found is None else found

    def read_payload(self, payload: Any) -> Any:
        ref, value = payload
        return self._symbol(ref, self.read(value), "payload")

    def read_plugin(self, payload: Any) -> Any:
        library, tag, value = payload
        value = self.read(value)
        if library in SERIALIZERS:
            found = SERIALIZERS[library].metalab_revive(tag=tag, payload=value)
            if found is not None:
                return found
        return self._symbol(f"{library}:{tag}", value, "plugin")


_TAGS: dict[str, Callable[[_Reader, Any], Any]] = {
    "bytes": lambda _, payload: a2b_base64(payload),
    "dict": _Reader.read_dict,
    "enum": _Reader.read_enum,
    "float": lambda _, payload: float(payload),
    "frozenset": lambda reader, payload: frozenset(reader.read(payload)),
    "int": lambda _, payload: int(payload, 0),
    "namedtuple": _Reader.read_namedtuple,
    "ndarray": lambda _, payload: load_array(payload),
    "object": _Reader.read_object,
    "payload": _Reader.read_payload,
    "plugin": _Reader.read_plugin,
    "ref": _Reader.read_reference,
    "scalar": lambda _, payload: load_scalar(payload),
    "set": lambda reader, payload: set(reader.read(payload)),
    "str": lambda _, payload: payload.encode("ascii").decode("unicode_escape"),
    "tuple": lambda reader, payload: tuple(reader.read(payload)),
}
