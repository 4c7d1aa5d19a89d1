"""Large artifacts: files of their own, which get their names when they are durable."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

import attrs

from metalab.store.file import disk
from metalab.store.file.hashing import Hashing, sha256, sha256_of_file
from metalab.store.file.packs import LARGEST
from metalab.store.names import ending, file_name
from metalab.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from _typeshed import ReadableBuffer

    from metalab.records import AttemptKey
    from metalab.store.file.freshnames import FreshNames
    from metalab.store.file.layout import Folder

__all__ = ["ArtifactSpool", "LargeArtifact"]

_BLOCK = 1 << 20


@attrs.frozen
class LargeArtifact:
    """Keeps an artifact as a file of its own, durably but for its name: its uri, sha256, size.

    The name holds the content's hash: equal content is kept once, and no attempt overwrites
    another.
    """

    folder: Folder
    names: FreshNames
    run: AttemptKey
    name: str
    extension: str

    def temporary(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        """Open a hidden file where the artifact will lie."""
        return disk.temporary(self.folder.make("artifacts", file_name(self.run.run_id)[:2]))

    def keep(self, source: bytes | Path) -> tuple[str, str, int]:
        """Keep bytes, or a copy of a file."""
        with self.temporary() as (file, written):
            if isinstance(source, Path):
                digest = _copy(source, file)
                return self._keep(file, written, lambda: digest)
            hashing = Hashing(partial(sha256, source))  # while the disk is waited for
            file.write(source)
            return self._keep(file, written, hashing.result)

    def keep_written(self, file: IO[bytes], written: Path) -> tuple[str, str, int]:
        """Keep what is in a temporary file, which becomes the artifact."""
        file.flush()
        hashing = Hashing(partial(sha256_of_file, file))  # as above
        return self._keep(file, written, hashing.result)

    def _keep(
        self, file: IO[bytes], written: Path, digest_of: Callable[[], str]
    ) -> tuple[str, str, int]:
        file.flush()
        disk.sync(file.fileno())
        digest, size = digest_of(), os.fstat(file.fileno()).st_size
        file.close()
        path = written.parent / self._name(digest)
        if not (path.exists() and path.stat().st_size == size):
            disk.move(written, path, size, lasting=False)
        self.names.add(path.parent)  # also where another has given the name, which may be as fresh
        return f"artifacts/{path.parent.name}/{path.name}", digest, size

    def _name(self, digest: str) -> str:
        run, name = file_name(self.run.run_id), file_name(self.name)
        return f"{run}.{name}.{digest[:12]}{ending(self.extension)}"


class ArtifactSpool(Spool):
    """Takes the bytes of an artifact, those of a large one in the file that becomes it.

    What the disk does not take is a StoreError.
    """

    def __init__(self, artifact: LargeArtifact) -> None:
        super().__init__(LARGEST)
        self._artifact = artifact

    def temporary(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        return self._artifact.temporary()

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except OSError as error:
            what = f"the artifact {self._artifact.name!r} cannot be kept"
            raise disk.explain(error, what) from error


def _copy(source: Path, file: BinaryIO) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
