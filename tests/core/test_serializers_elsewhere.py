"""Objects of other libraries that a run kept, read in another process, with and without these."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pandas as pd
import polars as pl
import pytest
from matplotlib.figure import Figure
from PIL import Image

import metalab
from core.test_results_arrow import WITHOUT
from studies import run

LIBRARIES = ("matplotlib", "pandas", "PIL", "polars", "pyarrow", "torch")


@metalab.operation
def keep(capture):
    frame = pd.DataFrame({"x": [1.5, None], "c": pd.Categorical(["a", "b"])})
    capture.artifact("frame", frame)
    capture.artifact("series", frame["x"])
    capture.artifact("polars", pl.DataFrame({"x": [1, None]}))
    capture.artifact("image", Image.new("RGB", (2, 2), "red"))
    capture.artifact("figure", Figure(figsize=(1, 1)))


@metalab.operation
def keep_lazy(capture):
    capture.artifact("lazy", pl.LazyFrame({"x": [1]}))


@metalab.operation
def keep_mixed(capture):
    capture.artifact("mixed", pd.DataFrame({"x": [1, "a"]}))


def experiment(operation):
    return metalab.Experiment(
        name="keep", version="1", context=None, operation=operation,
        params=metalab.grid(), seeds=metalab.seeds(1),
    )  # fmt: skip


def told(script):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    store = tmp_path_factory.mktemp("kept") / "store"
    results = run(experiment(keep), store)
    assert not results.failed.records
    return store


def test_they_come_back_in_another_process(kept):
    out = told(f"""
        import metalab
        run = metalab.load_results({str(kept)!r})[0]
        print(run.artifact("frame").to_dict("list"), list(run.artifact("frame").dtypes.map(str)))
        print(run.artifact("series").name, run.artifact("polars").to_dict(as_series=False))
        print(run.artifact("image").getpixel((1, 1)), run.artifact("figure")[:4])
    """)
    assert out.splitlines() == [
        "{'x': [1.5, nan], 'c': ['a', 'b']} ['float64', 'category']",
        "x {'x': [1, None]}",
        "(255, 0, 0) b'\\x89PNG'",
    ]


def test_their_records_say_what_they_are(kept):
    found = {each.name: each for each in metalab.load_results(kept)[0].artifacts()}
    assert {name: (each.kind, each.format) for name, each in found.items()} == {
        "frame": ("frame", "pandas/parquet"),
        "series": ("series", "pandas/series"),
        "polars": ("frame", "polars/parquet"),
        "image": ("image", "PIL/png"),
        "figure": ("figure", "matplotlib/png"),
    }


@pytest.mark.parametrize(
    ("hidden", "name", "expected"),
    [
        ("pandas", "frame", "frames and series need pandas: pip install 'metalab[pandas,arrow]'"),
        ("pyarrow", "frame", "pandas frames and series need pyarrow: pip install 'metalab[arrow]'"),
        ("pyarrow", "series", "need pyarrow: pip install 'metalab[arrow]'"),
        ("polars", "polars", "polars frames and series need polars: pip install 'metalab[polars]'"),
        ("PIL", "image", "images need Pillow: pip install 'pillow'"),
        ("matplotlib", "figure", "b'\\x89PNG'"),
    ],
)
def test_where_a_library_is_missing_what_to_install_is_said(kept, hidden, name, expected):
    out = told(
        WITHOUT.format(hidden=[hidden])
        + textwrap.dedent(f"""
            import metalab
            from metalab.errors import MissingExtraError
            try:
                print(metalab.load_results({str(kept)!r})[0].artifact({name!r})[:4])
            except MissingExtraError as error:
                print(error)
        """)
    )
    assert expected in out


def test_without_torch_a_tensors_file_says_what_to_install():
    out = told(
        WITHOUT.format(hidden=["torch"])
        + textwrap.dedent("""
            import io
            from metalab.errors import MissingExtraError
            from metalab.serializers import serializer_named
            try:
                serializer_named("torch/pt").load(io.BytesIO())
            except MissingExtraError as error:
                print(error)
        """)
    )
    assert out == "tensors need PyTorch: pip install 'torch'\n"


def test_a_frame_that_is_kept_without_pyarrow_fails_its_run_with_what_to_install(tmp_path):
    out = told(
        WITHOUT.format(hidden=["pyarrow"])
        + textwrap.dedent("""
            import pandas, metalab
            capture = metalab.Capture()
            try:
                capture.artifact("frame", pandas.DataFrame({"x": [1]}))
            except metalab.errors.CaptureError as error:
                print(error)
        """)
    )
    assert "capture.artifact('frame')" in out
    assert "pip install 'metalab[arrow]'" in out


@pytest.mark.parametrize(
    ("operation", "expected"),
    [(keep_lazy, "keep its .collect()"), (keep_mixed, "column x")],
)
def test_what_is_refused_fails_its_run_with_the_reason(store, operation, expected):
    (record,) = run(experiment(operation), store).records
    assert record.status == "failed"
    assert expected in record.error["message"]


def test_no_library_is_imported_for_objects_of_others():
    out = told(f"""
        import sys, metalab
        from metalab.serializers import serializer_for
        serializer_for([1]), serializer_for("a"), serializer_for(b"a")
        print([name for name in {LIBRARIES!r} if name in sys.modules])
    """)
    assert out == "[]\n"
