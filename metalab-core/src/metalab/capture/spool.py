"""A file for bytes of unknown number: in memory while they are few, else on disk."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Spool"]

_IN_MEMORY = 1 << 20


class Spool(io.BufferedIOBase):
    """Takes what a serializer writes; ``content`` then is the bytes, or the path of a file.

    The file lies in the folder for temporary files and goes with the spool, so that an
    object of any size never stands in memory a second time.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._limit = in_memory
        self._file: io.BytesIO | IO[bytes] = io.BytesIO()
        self._path: Path | None = None

    @property
    def content(self) -> bytes | Path:
        """What was written."""
        if self._path is None:
            return self._file.getvalue()  # type: ignore[union-attr]  # a BytesIO until there is a path
        self._file.flush()
        return self._path

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        size = memoryview(data).nbytes
        if self._path is None and self._file.tell() + size > self._limit:
            self._move_to_disk()
        self._file.write(data)
        return size

    def read(self, size: int | None = -1) -> bytes:
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        return self._file.truncate(size)

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Let go of the bytes, and of the file if there is one."""
        self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        super().close()

    def _move_to_disk(self) -> None:
        memory = self._file
        disk = tempfile.NamedTemporaryFile(prefix="metalab-", delete=False)  # noqa: SIM115  close() does
        self._path = Path(disk.name)
        self._file = disk
        position = memory.tell()
        disk.write(memory.getvalue())  # type: ignore[union-attr]
        disk.seek(position)
