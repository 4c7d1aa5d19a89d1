"""What a serializer is."""

from __future__ import annotations

from typing import Any, BinaryIO, Protocol, runtime_checkable

__all__ = ["Mappable", "Serializer"]


@runtime_checkable
class Serializer(Protocol):
    """Writes objects of one kind as bytes and reads them back with the same type and value.

    ``kind`` says what the object is to a reader (``array``, ``json``, ``text``), ``format``
    names the serializer for ever in the records that use it, as ``library/form``
    (``numpy/npy``), and ``extension`` is the file name's ending, without a dot.
    """

    @property
    def kind(self) -> str:
        """What the object is to a reader."""
        ...

    @property
    def format(self) -> str:
        """The name that finds this serializer again."""
        ...

    @property
    def extension(self) -> str:
        """The ending of file names, without a dot."""
        ...

    def can_handle(self, obj: object) -> bool:
        """Tell whether ``dump`` takes the object and ``load`` gives an equal one back."""
        ...

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write the object; raises TypeError or ValueError that says what cannot be kept."""
        ...

    def load(self, file: BinaryIO) -> Any:
        """Read the object back."""
        ...


@runtime_checkable
class Mappable(Protocol):
    """What a serializer may do besides: show an object in its bytes, where they lie."""

    def view(self, memory: memoryview) -> Any:
        """Return an object that cannot be written to and holds no copy of the bytes.

        ``memory`` are those that ``dump`` wrote, mapped from a file; they stay as long as
        something refers to them.
        """
        ...
