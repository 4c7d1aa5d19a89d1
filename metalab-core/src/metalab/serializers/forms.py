"""The forms that core itself writes: tagged JSON, UTF-8 text, and bytes as they are."""

from __future__ import annotations

from typing import Any, BinaryIO, ClassVar

import attrs
import msgspec

from metalab.errors import IdentityError
from metalab.identity.values import from_jsonable, to_jsonable

__all__ = ["BytesSerializer", "JsonSerializer", "TextSerializer", "json_text"]

_CONTAINERS = (dict, list, tuple, set, frozenset)
# Within a text of the user's this would have its quotes escaped, so it is only ever a tag.
_ONE_WAY = b'{"$payload":'
_SLICE = 1 << 20  # characters or bytes, so that a long text is never in memory twice


def json_text(value: object, path: str, *, exact: bool) -> bytes:
    """Return the tagged JSON of a value, in one line.

    With ``exact``, numpy scalars keep their types, else they become plain. IdentityError
    names the place of what JSON cannot give back.
    """
    text = msgspec.json.encode(to_jsonable(value, path, exact=exact))
    if _ONE_WAY in text:
        raise IdentityError(
            f"{path}: an object in it is known by its fingerprint_payload() alone, which does not "
            "bring it back; make its class an attrs class or dataclass"
        )
    return text + b"\n"


@attrs.frozen
class JsonSerializer:
    """Plain values and structures of them, as strict JSON with tags for what JSON lacks."""

    kind: ClassVar[str] = "json"
    format: ClassVar[str] = "builtins/json"
    extension: ClassVar[str] = "json"

    def can_handle(self, obj: object) -> bool:
        """Tell whether the object has a tagged JSON form.

        The items of a container are not looked at: ``dump`` names the one at fault.
        """
        if type(obj) in _CONTAINERS:
            return True
        try:
            json_text(obj, "value", exact=True)
        except Exception:  # noqa: BLE001  an object may answer questions with any error
            return False
        return True

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write the object; IdentityError (a TypeError) names the path of what has no form."""
        file.write(json_text(obj, "value", exact=True))

    def load(self, file: BinaryIO) -> Any:
        """Read the object back."""
        return from_jsonable(msgspec.json.decode(file.read()))


@attrs.frozen
class TextSerializer:
    """A string as UTF-8, line ends untouched."""

    kind: ClassVar[str] = "text"
    format: ClassVar[str] = "builtins/text"
    extension: ClassVar[str] = "txt"

    def can_handle(self, obj: object) -> bool:
        """Tell whether the object is a string, and of no subclass that would be lost."""
        return type(obj) is str

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write the string; ValueError if it holds half of a surrogate pair, TypeError if none."""
        if not self.can_handle(obj):
            raise TypeError(f"a str is wanted, not {type(obj).__name__}")
        file.writelines(
            obj[start : start + _SLICE].encode() for start in range(0, len(obj), _SLICE)
        )

    def load(self, file: BinaryIO) -> Any:
        """Read the string back."""
        return file.read().decode()


@attrs.frozen
class BytesSerializer:
    """Bytes as they are."""

    kind: ClassVar[str] = "bytes"
    format: ClassVar[str] = "builtins/bytes"
    extension: ClassVar[str] = "bin"

    def can_handle(self, obj: object) -> bool:
        """Tell whether the object is bytes; a bytearray would come back as another type."""
        return type(obj) is bytes

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write the bytes; TypeError refuses all else."""
        if not self.can_handle(obj):
            raise TypeError(f"bytes are wanted, not {type(obj).__name__}")
        file.write(obj)

    def load(self, file: BinaryIO) -> Any:
        """Read the bytes back."""
        return file.read()
