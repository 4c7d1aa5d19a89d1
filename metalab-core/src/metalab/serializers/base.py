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
        """Tell whether ``dump`` takes the object and ``load`` gives an equal one back.

        It is asked about any object, raises nothing and imports nothing: what no module has
        imported yet, no object is of.
        """
        ...

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write the object; raises TypeError or ValueError that says what cannot be kept.

        Objects that are the same give the same bytes, in every process.
        """
        ...

    def load(self, file: BinaryIO) -> Any:
        """Read the object back; any error where the file is not whole, never another object.

        A format whose files may run code when they are read has the kind ``pickle``.
        """
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
