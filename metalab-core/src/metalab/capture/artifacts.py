"""Artifacts of one run: bytes given to the writer, and the descriptors that find them again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from metalab.capture.data import plain_metadata
from metalab.capture.figures import close_figure, draw
from metalab.capture.refusal import check_labels, refusal
from metalab.errors import MetalabError, StoreError
from metalab.identity.canonical import fingerprint
from metalab.records import ArtifactDescriptor, AttemptKey
from metalab.serializers import serializer_for

if TYPE_CHECKING:
    import os

    from metalab.store.base import RunWriter

__all__ = ["ArtifactWriter"]

_BYTES = "builtins/bytes"
_EXTENSION = re.compile(r"(?:[A-Za-z0-9]{1,16}\.)?[A-Za-z0-9]{1,16}")
_PACKED = frozenset({".gz", ".bz2", ".xz", ".zst", ".lz4"})

_Meta = Mapping[str, Any] | None
_Kept = tuple[str, str, int]  # uri, sha256, size


class ArtifactWriter:
    """Hands the bytes of artifacts to a run's writer and describes what became of them.

    Every method raises CaptureError, naming the call, for what cannot be kept.
    """

    def __init__(self, run: AttemptKey, writer: RunWriter, *, allow_pickle: bool) -> None:
        self._run = run
        self._writer = writer
        self._allow_pickle = allow_pickle

    def put_object(
        self, name: str, obj: Any, kind: str | None, format_: str | None, metadata: _Meta
    ) -> ArtifactDescriptor:
        """Keep an object with the serializer chosen by format, by kind, or by its library."""
        check_labels("artifact", name, kind=kind, format=format_)
        meta = plain_metadata("artifact", name, metadata)
        try:
            serializer = serializer_for(
                obj, kind=kind, format=format_, allow_pickle=self._allow_pickle
            )
        except MetalabError as error:
            raise refusal("artifact", name, error) from error
        if type(obj) is bytes and serializer.format == _BYTES:
            kept = self._keep("artifact", name, obj, serializer.extension)
        else:
            kept = self._dump(
                "artifact", name, lambda file: serializer.dump(obj, file), serializer.extension
            )
        return self._describe("artifact", name, serializer.kind, serializer.format, kept, meta)

    def put_json(self, name: str, text: bytes, metadata: dict[str, Any]) -> ArtifactDescriptor:
        """Keep the JSON text of a structure that is too large for the run's record."""
        kept = self._keep("data", name, text, "json")
        return self._describe("data", name, "data", "builtins/json", kept, metadata)

    def put_file(
        self, name: str, path: str | os.PathLike[str], kind: str | None, metadata: _Meta
    ) -> ArtifactDescriptor:
        """Keep the bytes that a file has now; the file itself is left alone."""
        check_labels("file", name, kind=kind)
        meta = plain_metadata("file", name, metadata)
        source = _checked_file(name, path)
        kept = self._keep("file", name, source, _extension_of(source))
        return self._describe("file", name, kind or "file", _BYTES, kept, meta)

    def put_figure(
        self, name: str, figure: Any, format_: str, dpi: float, *, close: bool
    ) -> ArtifactDescriptor:
        """Keep a figure as drawn, and close it whatever comes of that."""
        try:
            check_labels("figure", name, format=format_)
            extension = format_ if _EXTENSION.fullmatch(format_) else "bin"
            kept = self._dump(
                "figure", name, lambda file: draw(figure, file, format=format_, dpi=dpi), extension
            )
        finally:
            if close:
                close_figure(figure)
        meta = plain_metadata("figure", name, {"format": format_, "dpi": dpi})
        return self._describe("figure", name, "figure", _BYTES, kept, meta)

    def _dump(
        self, call: str, name: str, dump: Callable[[BinaryIO], None], extension: str
    ) -> _Kept:
        def refusing(file: BinaryIO) -> None:
            try:
                dump(file)
            except StoreError:
                raise  # the file is the store's
            except Exception as error:  # of other people's code, which may raise anything
                raise refusal(call, name, f"{type(error).__name__}: {error}") from error

        with _storing(call, name):
            return self._writer.dump_artifact(self._run, name, refusing, extension=extension)

    def _keep(self, call: str, name: str, source: bytes | Path, extension: str) -> _Kept:
        with _storing(call, name):
            return self._writer.put_artifact(self._run, name, source, extension=extension)

    def _describe(
        self, call: str, name: str, kind: str, format_: str, kept: _Kept, meta: dict[str, Any]
    ) -> ArtifactDescriptor:
        run = self._run
        uri, digest, size = kept
        # Structures and artifacts may share a name; a file or a figure is an artifact like any.
        space = "data" if call == "data" else "artifact"
        return ArtifactDescriptor(
            artifact_id=fingerprint((run.run_id, run.epoch, run.attempt, space, name)),
            name=name,
            kind=kind,
            format=format_,
            uri=uri,
            content_hash=digest,
            size_bytes=size,
            metadata=meta,
        )


@contextmanager
def _storing(call: str, name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, StoreError) as error:
        raise refusal(call, name, f"the store did not take it: {error}") from error


def _checked_file(name: str, path: str | os.PathLike[str]) -> Path:
    try:
        source = Path(path).expanduser()
    except TypeError as error:
        raise refusal("file", name, f"a path is wanted, not {type(path).__name__}") from error
    if source.is_dir():
        raise refusal(
            "file",
            name,
            f"{source} is a directory; capture its files one by one, or pack it first "
            "(shutil.make_archive)",
        )
    if not source.exists():
        raise refusal("file", name, f"file not found: {source}")
    if not source.is_file():
        raise refusal("file", name, f"{source} is no regular file")
    return source


def _extension_of(path: Path) -> str:
    endings = path.suffixes[-2:] if path.suffix in _PACKED else [path.suffix]
    extension = "".join(endings).removeprefix(".")
    return extension if _EXTENSION.fullmatch(extension) else "bin"
