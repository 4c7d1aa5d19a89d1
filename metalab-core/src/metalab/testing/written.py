"""What is tested of a serializer: what its author says of it, and how it is asked."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, ClassVar

from metalab.plugins import SERIALIZERS
from metalab.serializers.registry import serializer_named
from metalab.testing.asking import Asked
from metalab.testing.sameness import is_same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalab.serializers.base import Serializer

__all__ = ["ERROR", "REFUSALS", "Written"]

ERROR = object()
"""What stands for the object of a file that could not be read."""
REFUSALS = (TypeError, ValueError)
"""How a serializer says that it does not take an object."""


class Written(Asked):
    """What the author of a serializer states: set ``format``, override ``objects`` at least.

    The attributes say what it promises; the strictest promise is the default, and where one is
    not given the test of it is skipped, or asks for less.
    """

    format: ClassVar[str] = ""
    """The format under test, as ``library/form``."""
    is_exact: ClassVar[bool] = True
    """Whether ``load`` gives back an object that is the same; not where it is drawn, say."""
    is_deterministic: ClassVar[bool] = True
    """Whether objects that are the same give the same bytes, in every process."""
    is_safe: ClassVar[bool] = True
    """Whether ``load`` runs no code that a file names; without it the kind is ``pickle``."""
    detects_truncation: ClassVar[bool] = True
    """Whether a file that lacks its end is an error; not where every prefix is a file too."""
    detects_damage: ClassVar[bool] = False
    """Whether a file with one byte changed is an error, as a checksum in the format finds it.

    Not asked for by default: a store compares the hash of what it reads.
    """

    def objects(self) -> Sequence[Any]:
        """Return objects that the serializer takes, made anew in each call.

        Among them are those at the edges: empty, of each dtype and byte order, with NaN and
        infinities, with names beyond ASCII, floats with all their digits, as 0.1 + 0.2.
        """
        raise NotImplementedError(f"{type(self).__name__}.objects returns objects to write")

    def refused(self) -> Sequence[Any]:
        """Return objects of the library that the serializer cannot give back exactly."""
        return ()

    def parameters(self) -> Sequence[Any]:
        """Return objects, no two the same, that the plugin's ``metalab_canonical_form`` takes."""
        return ()

    def same(self, one: Any, other: Any) -> bool:
        """Tell whether two objects have one type and one value; override it for arrays.

        It is the author's definition of equal: what is equal by it has equal bytes.
        """
        return is_same(one, other)

    def _library(self) -> str:
        assert self.format, f"{type(self).__name__}.format names the format under test"
        return self.format.partition("/")[0]

    def _hooks(self) -> Any:
        return SERIALIZERS[self._library()]

    def _serializer(self) -> Serializer:
        assert self._library() in SERIALIZERS, SERIALIZERS.missing(self._library())
        return serializer_named(self.format, allow_pickle=True)

    def _objects(self) -> Sequence[Any]:
        objects = self.objects()
        assert objects, f"{type(self).__name__}.objects returns no object to write"
        return objects

    def _dump(self, obj: Any) -> bytes:
        file = io.BytesIO()
        self._serializer().dump(obj, file)
        return file.getvalue()

    def _load(self, data: bytes) -> Any:
        return self._serializer().load(io.BytesIO(data))

    def _attempt(self, data: bytes) -> Any:
        try:
            return self._load(data)
        except Exception:  # noqa: BLE001  any error tells a reader that the file is none
            return ERROR
