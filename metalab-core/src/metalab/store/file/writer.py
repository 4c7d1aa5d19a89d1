"""The writer of a file store: one worker's records, artifacts and logs."""

from __future__ import annotations

import re
import secrets
import weakref
from contextlib import closing
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs
import msgspec

from metalab.store.base import Acknowledge, StoreWriter
from metalab.store.document import record_line
from metalab.store.file import artifacts, disk
from metalab.store.file.backlog import Parts, Rewrite
from metalab.store.file.freshnames import FreshNames
from metalab.store.file.hashing import sha256
from metalab.store.file.journal import Journal
from metalab.store.file.large import ArtifactSpool, LargeArtifact
from metalab.store.file.logs import LogFile, log_files
from metalab.store.file.packs import Pack
from metalab.store.file.segment import Segment
from metalab.store.host import (
    host_name,
    metalab_version,
    process_identity,
    this_moment,
)
from metalab.store.lines import (
    FORMAT,
    Stamp,
    derived_document,
    forget_document,
    line_of,
    loss_document,
    plan_document,
    release_document,
    series_document,
)
from metalab.store.names import file_name, part_name, split_part, writer_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from metalab.records import AttemptKey, RunRecord
    from metalab.store.file.layout import Folder
    from metalab.store.file.options import Options
    from metalab.store.reading import LogLine, Loss

__all__ = ["FileWriter"]

_GAP = 1_000_000
_is_writer = re.compile(r"(?!\.)[a-z0-9%._~-]+").fullmatch


class FileWriter(StoreWriter):
    """Appends to files that no other writer touches; they are made on the first put.

    A forked child that goes on with it writes to files of its own.
    """

    def __init__(
        self, folder: Folder, launch: str, task: str, options: Options, executor: str, owner: str
    ) -> None:
        self._folder = folder
        self._launch = launch
        self._task = task
        self._options = options
        self._roles = {"executor": executor, "owner": owner}
        self._parts = Parts(self._create, self._closing, self._prepare)
        self._journal = Journal(self._parts, options)
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        self.name = writer_name(self._launch, self._task, host_name(), secrets.token_hex(4))
        self._seq = count(1)
        self._pack = Pack(self.name, partial(self._make, "packs"), self._journal.touch)
        self._names = FreshNames(self._journal.touch)
        self._log = LogFile(self.name, partial(self._make, "logs"))
        self._log_parts: dict[str, int] | None = None

    def start(self, run_id: str, record: Callable[[], RunRecord], *, careful: bool = False) -> None:
        """Note that a run has begun; see RunWriter."""
        if careful:
            self._journal.append(self._encode(record()))
            self._journal.flush()
        else:
            self._journal.announce(run_id, lambda: self._encode(record()))

    def put(self, record: RunRecord, acknowledged: Acknowledge | None = None) -> None:
        """Write the record of a run that has ended; see RunWriter."""
        self._journal.append(self._encode(record), acknowledged, announced=record.run_id)

    def put_series(
        self, run: AttemptKey, name: str, points: Sequence[tuple[int | float, Any]]
    ) -> None:
        """Write further points of a run's metric series."""
        self._append(lambda stamp: series_document(run, name, points, stamp))

    def put_derived(
        self, run_id: str, name: str, values: Mapping[str, Any], *, code: str, of: str, rev: int = 1
    ) -> None:
        """Write values derived from a record; see RunWriter."""
        self._append(
            lambda stamp: derived_document(run_id, name, values, stamp, code=code, of=of, rev=rev)
        )

    def forget(self, run_id: str, epoch: int) -> None:
        """Write that a run's lines before an epoch count no more."""
        self._append(lambda stamp: forget_document(run_id, epoch, stamp))

    def attend(self) -> None:
        """Be ready to write, and show that this lives, until it is closed; see StoreWriter."""
        self._journal.beat()

    def join(self, plan: str) -> None:
        """Write that this works on a plan, durably; see StoreWriter."""
        self._append(lambda stamp: plan_document(plan, stamp))
        self._journal.flush()

    def release(self, plan: str, units: Sequence[int]) -> None:
        """Write that this gives up its claims on units of a plan."""
        self._append(lambda stamp: release_document(plan, units, stamp))

    def put_loss(self, run_id: str, loss: Loss) -> None:
        """Write that an attempt at a run has no end."""
        self._append(lambda stamp: loss_document(run_id, loss, stamp))

    def put_artifact(
        self, run: AttemptKey, name: str, source: bytes | Path, *, extension: str
    ) -> tuple[str, str, int]:
        """Keep the bytes of an artifact; see RunWriter."""
        with disk.explained(f"the artifact {name!r} cannot be kept"):
            small = artifacts.small_bytes(source)
            if small is not None:
                return self._pack_up(run, name, small, extension)
            return LargeArtifact(self._folder, self._names, run, name, extension).keep(source)

    def dump_artifact(
        self, run: AttemptKey, name: str, dump: Callable[[BinaryIO], None], *, extension: str
    ) -> tuple[str, str, int]:
        """Keep what is written to a file as an artifact; see RunWriter."""
        large = LargeArtifact(self._folder, self._names, run, name, extension)
        with ArtifactSpool(large) as spool:
            dump(spool)  # type: ignore[arg-type]  # typeshed: no BufferedIOBase is a BinaryIO
            with disk.explained(f"the artifact {name!r} cannot be kept"):
                content = spool.content
                if isinstance(content, bytes):
                    return self._pack_up(run, name, content, extension)
                return large.keep_written(spool.file, content)

    def append_log(self, run: AttemptKey, text: str, name: str = "run") -> None:
        """Add one line to a log of a run."""
        try:  # a context manager would cost as much again as the line
            self._log.append(run.run_id, (run.epoch, run.attempt), name, text)
        except OSError as error:
            raise disk.explain(error, "a log cannot be written") from error

    def copy(self, line: bytes) -> bytes:
        """Write a line as another writer wrote it; see StoreWriter."""
        written = self._rewritten(line + b"\n") if self._pack.has_moved else line + b"\n"
        self._journal.append(written)
        return written

    def copy_log(self, writer: str, lines: Iterable[LogLine]) -> None:
        """Add lines to another writer's logs, in files of their own; see StoreWriter."""
        name = writer if _is_writer(writer) else file_name(writer)
        if self._log_parts is None:
            files = log_files(self._folder.path / "logs")
            self._log_parts = {each: split_part(paths[-1].name)[1] for each, paths in files.items()}
        # Whoever joins two copies by hand shall not meet one name twice.
        after = self._log_parts.get(name, 0) + secrets.randbelow(_GAP)
        self._log_parts[name] = after + 1
        log = LogFile(name, partial(self._make, "logs"), after=after)
        with closing(log), disk.explained("a log cannot be written"):
            log.copy(lines)
            log.flush()

    def flush(self) -> None:
        """Return once everything put so far is durable and acknowledged."""
        self._flush_log()
        self._journal.flush()

    def close(self) -> None:
        """Flush, and end this writer for good."""
        try:
            self._journal.close()
            self._flush_log()
        finally:
            self._pack.close()
            self._log.close()

    def renew(self) -> None:
        """Begin anew in a forked child, with files of its own."""
        self._journal.renew()
        self._pack.abandon()
        self._log.abandon()
        self._begin()

    def _flush_log(self) -> None:
        with disk.explained("a log cannot be written"):
            self._log.flush()

    def _make(self, name: str) -> Path:
        return self._folder.make(name)

    def _stamp(self) -> Stamp:
        return Stamp(self.name, self._journal.part, next(self._seq), self._launch)

    def _encode(self, record: RunRecord) -> bytes:
        if record.artifacts and self._pack.has_moved:
            present = [attrs.evolve(a, uri=self._pack.moved(a.uri)) for a in record.artifacts]
            record = attrs.evolve(record, artifacts=present)
        return record_line(record, self._stamp())

    def _append(self, document: Callable[[Stamp], dict[str, Any]]) -> None:
        self._journal.append(line_of(document(self._stamp())))

    def _pack_up(
        self, run: AttemptKey, name: str, data: bytes, extension: str
    ) -> tuple[str, str, int]:
        uri = self._pack.add(artifacts.member_name(run, name, extension), data)
        return uri, sha256(data), len(data)

    # What the journal asks for.

    def _create(self, part: int, prev_good: int | None) -> Segment:
        segment = Segment.create(self._make("runs") / f"{part_name(self.name, part)}.jsonl")
        opening = {
            "t": "open",
            "format": FORMAT,
            "writer": self.name,
            "part": part,
            "prev_good": prev_good,
            "launch": self._launch,
            "task": self._task,
            "experiment": self._folder.experiment_id,
            **process_identity(),
            **self._roles,
            "metalab": metalab_version(),
            "opened": this_moment(),
        }
        try:
            segment.append(line_of(opening))
        except OSError:
            segment.discard()
            raise
        return segment

    def _closing(self, part: int, lines: int) -> bytes:
        return line_of({"t": "close", "writer": self.name, "part": part, "lines": lines})

    def _prepare(self) -> Rewrite | None:
        self._names.sync()
        return self._rewritten if self._pack.sync(durable=self._options.durable) else None

    def _rewritten(self, line: bytes) -> bytes:
        """Return a line with the present uris of its artifacts, as a later line of its writer."""
        document = msgspec.json.decode(line)
        if not document.get("artifacts"):
            return line
        for artifact in document["artifacts"]:
            artifact["uri"] = self._pack.moved(artifact["uri"])
        del document["crc"]
        if document["writer"] != self.name:  # a copy keeps its place in the order
            return line_of(document)
        stamp = self._stamp()
        return line_of({**document, "part": stamp.part, "seq": stamp.seq})


def _renew_all() -> None:
    for writer in list(_writers):
        writer.renew()


_writers: weakref.WeakSet[FileWriter] = weakref.WeakSet()
disk.after_fork(_renew_all)
