"""A store in memory, written from the contract alone: proof that it never means a directory."""

from __future__ import annotations

import hashlib
import io
import json
from itertools import count
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import attrs

from metalab.errors import StoreError, StoreNotFoundError
from metalab.store.base import LogLine, Store, StoreWriter
from metalab.store.claiming import UNITS, Claim, Claims, Ending, unit_of
from metalab.store.config import StoreConfig
from metalab.store.document import record_line
from metalab.store.folded import FoldedLog
from metalab.store.lines import (
    Stamp,
    derived_document,
    forget_document,
    line_of,
    loss_document,
    plan_document,
    release_document,
    series_document,
)
from metalab.store.names import experiment_folder, file_name

_places: dict[str, dict[str, Shelf]] = {}
_writers = count(1)
_closed: set[str] = set()


@attrs.define
class Shelf:
    """What one experiment keeps."""

    lines: list[bytes] = attrs.Factory(list)
    manifests: dict[str, str] = attrs.Factory(dict)
    launches: dict[str, str] = attrs.Factory(dict)
    patches: dict[str, bytes] = attrs.Factory(dict)
    payloads: dict[str, bytes] = attrs.Factory(dict)
    artifacts: dict[str, bytes] = attrs.Factory(dict)
    logs: list[tuple[str, LogLine]] = attrs.Factory(list)
    claims: dict[tuple[str, int, int], Claim] = attrs.Factory(dict)
    units: dict[str, int] = attrs.Factory(dict)


class MemoryClaims(Claims):
    """Claims in a dictionary, which all launches of this process share."""

    def __init__(self, shelf: Shelf, plan: str, runs: int, units: int) -> None:
        self.size = shelf.units.setdefault(plan, unit_of(runs, units))
        self._shelf = shelf
        self._plan = plan

    def owners(self):
        known = list(self._shelf.claims.items())  # others take some meanwhile
        mine = (claim for (plan, _, _), claim in known if plan == self._plan)
        return {claim.unit: claim for claim in sorted(mine, key=lambda claim: claim.generation)}

    def take(self, claim):
        place = self._plan, claim.unit, claim.generation
        return self._shelf.claims.setdefault(place, claim) == claim


class MemoryWriter(StoreWriter):
    """Memory is as durable as it gets, so everything is acknowledged at once."""

    def __init__(self, shelf, launch: str, task: str) -> None:
        self.name = f"{launch}.{task}.memory.{next(_writers):08x}"
        self._shelf = shelf
        self._launch = launch
        self._seq = count(1)
        self._closed = False

    def _stamp(self) -> Stamp:
        return Stamp(self.name, 1, next(self._seq), self._launch)

    def _add(self, line: bytes) -> None:
        if self._closed:
            raise StoreError("this writer is closed")
        self._shelf().lines.append(line)

    def start(self, run_id, record, *, careful=False) -> None:
        self._add(record_line(record(), self._stamp()))

    def put(self, record, acknowledged=None) -> None:
        self._add(record_line(record, self._stamp()))
        if acknowledged is not None:
            acknowledged()

    def put_series(self, record, name, points) -> None:
        self._add(line_of(series_document(record, name, points, self._stamp())))

    def put_derived(self, run_id, name, values, *, code, of, rev=1) -> None:
        document = derived_document(run_id, name, values, self._stamp(), code=code, of=of, rev=rev)
        self._add(line_of(document))

    def forget(self, run_id, epoch) -> None:
        self._add(line_of(forget_document(run_id, epoch, self._stamp())))

    def join(self, plan) -> None:
        self._add(line_of(plan_document(plan, self._stamp())))

    def release(self, plan, units) -> None:
        self._add(line_of(release_document(plan, units, self._stamp())))

    def put_loss(self, run_id, loss) -> None:
        self._add(line_of(loss_document(run_id, loss, self._stamp())))

    def put_artifact(self, record, name, source, *, extension):
        data = source.read_bytes() if isinstance(source, Path) else source
        digest = hashlib.sha256(data).hexdigest()
        uri = f"memory/{record.run_id}/{len(self._shelf().artifacts)}"
        self._shelf().artifacts[uri] = data
        return uri, digest, len(data)

    def append_log(self, record, text, name="run") -> None:
        self._shelf().logs.extend(
            (self.name, LogLine(record.run_id, record.epoch, record.attempt, file_name(name), line))
            for line in text.removesuffix("\n").split("\n")
        )

    def copy(self, line) -> bytes:
        self._add(line)
        return line

    def copy_log(self, writer, lines) -> None:
        self._shelf().logs.extend((writer, line) for line in lines)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._closed = True
        _closed.add(self.name)


class MemoryRunLog(FoldedLog):
    """A fold of all lines at one moment."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__({f"line {number}": line for number, line in enumerate(lines, 1)})
        self._lines = lines


class MemoryStore(Store):
    """Keeps everything in dictionaries of this process; its parts may be others."""

    writer_type = MemoryWriter
    log_type = MemoryRunLog
    claims_type = MemoryClaims

    def __init__(self, config: MemoryStoreConfig) -> None:
        if config.experiment_id is not None:
            experiment_folder(config.experiment_id)  # refuses what is no id
        self._config = config

    @property
    def config(self):
        return self._config

    def _shelf(self) -> Shelf:
        if self.experiment_id is None:
            raise ValueError("this is a collection; choose an experiment with scoped(...)")
        return _places.get(self._config.place, {}).get(self.experiment_id) or Shelf()

    def _made(self) -> Shelf:
        if self.experiment_id is None:
            raise ValueError("this is a collection; choose an experiment with scoped(...)")
        return _places.setdefault(self._config.place, {}).setdefault(self.experiment_id, Shelf())

    def scoped(self, experiment_id):
        config = self._config.scoped(experiment_id)
        return self if config == self._config else type(self)(config)

    def list_experiments(self):
        return self._config.list_experiments()

    def writer(self, launch, task="0", *, executor="", owner=""):
        self._shelf()
        return self.writer_type(self._made, launch, task)

    def claims(self, plan, runs, units=UNITS):
        return self.claims_type(self._made(), plan, runs, units)

    def ending(self, writer):
        return Ending("closed") if writer in _closed else None

    def read(self, since=None):
        return self.log_type(list(self._shelf().lines))

    def put_manifest(self, manifest):
        content = json.dumps(manifest, allow_nan=False)
        name = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
        self._made().manifests.setdefault(name, content)
        return name

    def manifests(self):
        return {name: json.loads(text) for name, text in self._shelf().manifests.items()}

    def put_launch(self, launch, document):
        content = json.dumps(document, allow_nan=False)
        if self._made().launches.setdefault(launch, content) != content:
            raise StoreError(f"{launch} is another launch")

    def launches(self):
        return {name: json.loads(text) for name, text in self._shelf().launches.items()}

    def put_patch(self, data):
        name = hashlib.sha256(data).hexdigest()
        self._made().patches[name] = data
        return name

    def get_patch(self, name):
        return self._shelf().patches.get(name)

    def put_payload(self, data):
        name = hashlib.sha256(data).hexdigest()
        self._made().payloads[name] = data
        return name

    def open_payload(self, name):
        if name not in self._shelf().payloads:
            raise StoreError(f"there is no payload {name}")
        return io.BytesIO(self._shelf().payloads[name])

    def open_artifact(self, artifact):
        uri = artifact if isinstance(artifact, str) else artifact.uri
        if not uri.startswith("memory/"):
            raise ValueError(f"{uri!r} is no artifact of this store")
        if uri not in self._shelf().artifacts:
            raise StoreError(f"the bytes of {uri} are gone")
        return io.BytesIO(self._shelf().artifacts[uri])

    def _logs(self, run_id):
        state = self.read().state(run_id)
        found: dict[str, str] = {}
        for _, line in self._shelf().logs:
            attempt = (line.epoch, line.attempt)
            if line.run_id == run_id and (state is None or attempt == (state.epoch, state.attempt)):
                found[line.name] = f"{found.get(line.name, '')}{line.text}\n"
        return found

    def get_log(self, run_id, name="run"):
        return self._logs(run_id).get(file_name(name))

    def list_logs(self, run_id):
        return sorted(map(unquote, self._logs(run_id)))

    def logs(self):
        kept: dict[str, list[LogLine]] = {}
        for writer, line in self._shelf().logs:
            kept.setdefault(writer, []).append(line)
        return kept

    def close(self):
        pass


@attrs.frozen
class MemoryStoreConfig(StoreConfig):
    """Names a place in this process's memory."""

    scheme: ClassVar[str] = "memory"
    made: ClassVar[type[MemoryStore]] = MemoryStore
    place: str = "default"

    @property
    def locator(self) -> str:
        return f"memory://{self.place}"

    def connect(self) -> MemoryStore:
        _places.setdefault(self.place, {})
        return self.made(self)

    def open(self) -> MemoryStore:
        kept = _places.get(self.place)
        if kept is None or (self.is_scoped and self.experiment_id not in kept):
            raise StoreNotFoundError(f"nothing is kept at {self.place}")
        return self.made(self)

    def list_experiments(self) -> list[str]:
        return sorted(_places.get(self.place, {}))
