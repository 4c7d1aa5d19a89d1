"""The floors of the store: what a careful script would do with the very same files.

It reads the files that metalab wrote, or writes the very lines that metalab writes.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.store_work import (
    BY,
    GROUP,
    POLLS,
    TOLD,
    lines,
    one_array,
    plan_ids,
    segments,
    whole_columns,
)
from benchmarks.work import METRIC, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from benchmarks.work import Work


def write(work: Work) -> Callable[[], int]:
    """S1: one write a line, one sync a group."""
    work.folder.mkdir(parents=True)
    given = lines(work.runs)

    def phase() -> int:
        file = os.open(work.folder / "runs.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for first in range(0, len(given), GROUP):
            for line in given[first : first + GROUP]:
                os.write(file, line)
            os.fdatasync(file)
        os.close(file)
        return len(given)

    return phase


def resume(work: Work) -> Callable[[], int]:
    """S2: read each file, split it into lines, slice the ids; look those of the plan up."""
    return _resuming(work, lambda path: path.read_bytes().split(b"\n"))


def resume_by_line(work: Work) -> Callable[[], int]:
    """S2 with files that are read line by line, so that none of them is held as a whole."""

    def lines_of(path: Path) -> Iterable[bytes]:
        with path.open("rb") as file:
            yield from file

    return _resuming(work, lines_of)


def _resuming(work: Work, lines_of: Callable[[Path], Iterable[bytes]]) -> Callable[[], int]:
    plan = plan_ids(work.runs)

    def phase() -> int:
        done: set[bytes] = set()
        for path in segments(work):
            done.update([line[17:49] for line in lines_of(path)])
        return sum(map(done.__contains__, map(str.encode, plan)))

    return phase


class _Params(msgspec.Struct, gc=False):
    layer: Any = None
    lr: Any = None
    width: Any = None


class _Metrics(msgspec.Struct, gc=False):
    score: Any = None


class _Line(msgspec.Struct, gc=False):
    t: str
    params: _Params = msgspec.field(default_factory=_Params)
    metrics: _Metrics = msgspec.field(default_factory=_Metrics)


def columns(work: Work) -> Callable[[], int]:
    """S3: decode four values of each line with the library that metalab uses, make a frame."""
    import pandas as pd

    decode = msgspec.json.Decoder(_Line).decode

    def phase() -> int:
        rows: list[_Line] = []
        for path in segments(work):
            with path.open("rb") as file:
                rows += [row for row in map(decode, file) if row.t == "run"]
        made = {
            "param_layer": [row.params.layer for row in rows],
            "param_lr": [row.params.lr for row in rows],
            "param_width": [row.params.width for row in rows],
            METRIC: [row.metrics.score for row in rows],
        }
        return len(pd.DataFrame(made))

    return phase


def aggregate(work: Work) -> Callable[[], int]:
    """S8: decode all params and metrics of each line, make a DataFrame of some, group that."""
    import pandas as pd

    sections = {"params": sweep(work.runs), "metrics": TOLD}
    fields = {name: [(each, Any) for each in names] for name, names in sections.items()}
    kinds = [(name, msgspec.defstruct(name, each, gc=False)) for name, each in fields.items()]
    decode = msgspec.json.Decoder(msgspec.defstruct("Line", [("t", str), *kinds], gc=False)).decode
    told = ["count", "mean", "std", "min", "max"]

    def phase() -> int:
        rows: list[Any] = []
        for path in segments(work):
            with path.open("rb") as file:
                rows += [decode(line) for line in file if line.startswith(b'{"t":"run"')]
        made = {name: [getattr(row.params, name) for row in rows] for name in BY}
        made |= {name: [getattr(row.metrics, name) for row in rows] for name in TOLD}
        grouped = pd.DataFrame(made).groupby(list(BY), sort=False)
        return int(grouped[list(TOLD)].agg(told)[TOLD[0]]["count"].sum())

    return phase


def arrays(work: Work) -> Callable[[], int]:
    """S6: load arrays that were saved by hand, texts as numbers and a table, make a frame."""
    import numpy as np
    import pandas as pd

    import metalab

    file = work.folder / "floor.npz"
    frame = metalab.load_results(work.folder).to_dataframe()[list(whole_columns(work))]
    saved: dict[str, Any] = {}
    for name, column in frame.items():
        if column.dtype.kind in "bif":
            saved[f"{name}"] = column.to_numpy()
        else:
            codes, table = pd.factorize(column)
            saved[f"{name}.codes"] = codes.astype("uint16")
            saved[f"{name}.table"] = np.array(table, dtype="U")
    np.savez(file, **saved)

    def phase() -> int:
        made: dict[str, Any] = {}
        with np.load(file) as kept:
            for name in kept.files:
                if name.endswith(".table"):
                    text = name.removesuffix(".table")
                    made[text] = (
                        pd.Series(kept[name].astype(object)).take(kept[f"{text}.codes"]).array
                    )
                elif not name.endswith(".codes"):
                    made[name] = kept[name]
        return len(pd.DataFrame(made))

    return phase


def save(work: Work) -> Callable[[], int]:
    """S7: save the arrays and hash them, with the syncs of file and folder that make them last."""
    return _saving(work, lambda array: hashlib.sha256(array.data).hexdigest())


def save_unhashed(work: Work) -> Callable[[], int]:
    """S7: the same without the hashes, by which a damaged file could be told."""
    return _saving(work, lambda _: "")


def _saving(work: Work, hashed: Callable[[Any], str]) -> Callable[[], int]:
    import numpy as np

    work.folder.mkdir(parents=True)

    def phase() -> int:
        hashes = []
        for number in range(work.runs):
            array = one_array()
            with (work.folder / f"{number}.npy").open("wb") as file:
                np.save(file, array)
                file.flush()
                os.fsync(file.fileno())
            folder = os.open(work.folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
            hashes.append(hashed(array))
        return len(hashes)

    return phase


def poll(work: Work) -> Callable[[], int]:
    """S4: list the folder of the segments, so many times."""
    (folder,) = work.folder.glob("*/runs")

    def phase() -> int:
        found: set[str] = set()
        for _ in range(POLLS):
            with os.scandir(folder) as entries:
                found = {entry.name for entry in entries}
        return len(found)

    return phase
