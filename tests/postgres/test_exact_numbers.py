"""A float is the same float in the files, in the index, in CSV and Parquet, NaN and all."""

from __future__ import annotations

import csv
import math
import shutil
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from core.store_tools import made
from metalab.results import Results
from metalab.store import FileStore
from postgres.index_tools import fill

pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("pandas")

from metalab_postgres.frames import frame  # noqa: E402  it needs pandas

NAMED = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e16, 2.0**53, 0.1 + 0.2, 1.7e308]


def bits(value):
    assert type(value) is float
    return "nan" if math.isnan(value) else struct.pack(">d", value)


def in_csv(results, folder):
    with results.to_csv(folder / "a.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["x"]) for row in csv.DictReader(file)]


def in_parquet(results, folder):
    return pq.read_table(results.to_parquet(folder / "a.parquet"))["x"].to_pylist()


def in_index(store):
    with store.index.reading() as cursor:
        found = frame(cursor, store.experiment_id, ["x"])
    return None if found is None else found["x"].tolist()


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=25)
@example(values=NAMED)
@example(values=[math.nan])
@given(values=st.lists(st.floats() | st.sampled_from(NAMED), min_size=1, max_size=20))
def test_a_float_is_the_same_everywhere(pg_stores, values):
    with pg_stores() as store, tempfile.TemporaryDirectory() as folder:
        fill(store, [made(n, index=n, metrics={"x": value}) for n, value in enumerate(values)])
        store.index.update(store.experiment_id)
        wanted = list(map(bits, values))
        files = Results.from_store(FileStore(store.root).scoped(store.experiment_id))
        assert [bits(run.metrics["x"]) for run in files] == wanted
        found = in_index(store)
        # Of a column without a number the files are asked.
        assert set(wanted) == {"nan"} if found is None else list(map(bits, found)) == wanted
        assert list(map(bits, in_csv(files, Path(folder)))) == wanted
        assert list(map(bits, in_parquet(files, Path(folder)))) == wanted
        shutil.rmtree(store.get_working_directory())
