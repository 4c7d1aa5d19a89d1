"""The plugin for pickles: any Python object, at the price that reading one runs its code.

It offers itself for no object: pickle must be asked for by name.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import attrs

from metalab.hookspecs import hookimpl

if TYPE_CHECKING:
    from metalab.serializers.base import Serializer

__all__ = ["PickleSerializer", "metalab_serializer_named"]

# Read by every Python that metalab supports; written into files, hence never "the newest".
_PROTOCOL = 5


@attrs.frozen
class PickleSerializer:
    """Whatever pickle takes. The registry hands it out only where the caller allows it."""

    kind: ClassVar[str] = "pickle"
    format: ClassVar[str] = "pickle/pickle"
    extension: ClassVar[str] = "pkl"

    def can_handle(self, obj: object) -> bool:
        """Promise an attempt: only pickling an object tells whether it can be pickled."""
        del obj
        return True

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write the object; TypeError or ValueError says what in it cannot be pickled."""
        try:
            pickle.dump(obj, file, protocol=_PROTOCOL)
        except (pickle.PicklingError, AttributeError) as error:
            raise TypeError(f"it cannot be pickled: {error}") from error

    def load(self, file: BinaryIO) -> Any:
        """Read the object back, which runs whatever code the pickle names."""
        return pickle.load(file)  # noqa: S301  serializer_named asked the caller for the explicit word


_PICKLE = PickleSerializer()


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002  the hook's name for it
    """Return the serializer of the format ``pickle/pickle``."""
    return _PICKLE if format == _PICKLE.format else None
