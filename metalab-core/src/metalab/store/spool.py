"""A file for bytes of unknown number: in memory while they are few, else on disk."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from _typeshed import ReadableBuffer

__all__ = ["Spool"]

_IN_MEMORY = 1 << 20


class Spool(io.BufferedIOBase):
    """Takes what a serializer writes; ``content`` then is the bytes, or the path of a file.

    The file lies in the folder for temporary files, or where a subclass puts it, and goes
    with the spool, so that an object of any size never stands in memory a second time.
    ``file`` is what takes the bytes at present.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._limit = in_memory
        self._memory = io.BytesIO()
        self.file: IO[bytes] = self._memory
        self._path: Path | None = None
        self._ending = contextlib.ExitStack()

    @property
    def content(self) -> bytes | Path:
        """What was written."""
        if self._path is None:
            return self._memory.getvalue()
        self.file.flush()
        return self._path

    def temporary(self) -> AbstractContextManager[tuple[IO[bytes], Path]]:
        """Open a new file, to be read as well, that is removed in the end."""
        return _temporary()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        size = memoryview(data).nbytes
        if self._path is None and self.file.tell() + size > self._limit:
            self._move_to_disk()
        self.file.write(data)
        return size

    def read(self, size: int | None = -1) -> bytes:
        return self.file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def truncate(self, size: int | None = None) -> int:
        return self.file.truncate(size)

    def flush(self) -> None:
        if not self.file.closed:
            self.file.flush()

    def close(self) -> None:
        """Let go of the bytes, and of the file if there is one."""
        with contextlib.suppress(OSError):  # of what is still to be written, and given up
            self.file.close()
        self._ending.close()
        super().close()

    def _move_to_disk(self) -> None:
        file, path = self._ending.enter_context(self.temporary())
        file.write(self._memory.getvalue())
        file.seek(self._memory.tell())
        self.file, self._path = file, path
        self._memory = io.BytesIO()


@contextlib.contextmanager
def _temporary() -> Iterator[tuple[IO[bytes], Path]]:
    with tempfile.NamedTemporaryFile(prefix="metalab-", delete=False) as file:
        path = Path(file.name)
        try:
            yield file, path
        finally:
            file.close()
            path.unlink(missing_ok=True)
