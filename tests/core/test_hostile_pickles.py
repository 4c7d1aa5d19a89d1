"""A pickle in somebody else's store runs nothing unless the caller says that it may."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path

import attrs
import numpy as np
import pytest

import metalab
from metalab.cli import main
from metalab.errors import MetalabError
from metalab.records import ArtifactDescriptor, RunRecord
from metalab.results import Results
from metalab.results.computed import DerivedMetricWarning
from metalab.results.reducers import ReducerWarning
from metalab.serializers import serializer_named
from metalab.store import FileStore

NEEDED = {"pandas": "pyarrow", "polars": "polars", "PIL": "PIL"}
# Every format that is read without the caller's word; tensors have tests of their own.
FORMATS = [
    *("builtins/json", "builtins/text", "builtins/bytes"),
    *("numpy/npy", "numpy/npz"),
    *("pandas/parquet", "pandas/series", "polars/parquet", "polars/series"),
    *("PIL/png", "PIL/tiff", "matplotlib/png"),
]


class Trap:
    """An object whose pickle makes a folder as it is loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@metalab.operation
def laid(params, capture):
    capture.metric("y", params["x"])
    capture.artifact("model", Trap(params["path"]), kind="pickle")


@pytest.fixture
def sprung(tmp_path):
    """The folder that is there once the trap has gone off."""
    return tmp_path / "sprung"


@pytest.fixture
def results(store, sprung):
    """What a colleague's two runs left, each with a trap."""
    experiment = metalab.Experiment(
        "hostile",
        "1",
        None,
        laid,
        metalab.grid(x=[1, 2], path=[str(sprung)]),
        metalab.seeds(1),
        allow_pickle=True,
    )
    metalab.run(experiment, store=store, executor="inline", progress=False).wait()
    assert not sprung.exists()
    return metalab.load_results(store)


def loaded(run):
    run.artifact("model")
    return 1


def test_it_goes_off_where_it_is_allowed(results, sprung):
    """The other tests could not fail if it did not."""
    results[0].artifact("model", allow_pickle=True)
    assert sprung.is_dir()


@pytest.mark.parametrize("mmap", [False, True])
def test_an_artifact_is_refused(results, sprung, mmap):
    with pytest.raises(MetalabError, match=r"runs code.*allow_pickle=True"):
        results[0].artifact("model", mmap=mmap)
    with pytest.raises(MetalabError, match=r"runs code.*allow_pickle=True"):
        results.load(results[0].run_id, "model", mmap=mmap)
    assert not sprung.exists()


def test_a_word_given_for_one_load_does_not_hold_for_the_next(results, sprung):
    results[0].artifact("model", allow_pickle=True)
    sprung.rmdir()
    with pytest.raises(MetalabError, match="runs code"):
        results[0].artifact("model")
    assert not sprung.exists()


def test_a_frame_that_reduces_it_leaves_it_alone_and_warns(results, sprung):
    with pytest.warns(ReducerWarning, match="runs code"):
        frame = results.to_dataframe(artifact_reducers={"model": lambda _: {"one": 1}})
    assert list(frame["y"]) == [1, 2]
    assert "one" not in frame
    assert not sprung.exists()


def test_tables_files_and_copies_leave_it_alone(results, store, sprung, tmp_path):
    results.to_csv(tmp_path / "runs.csv")
    results.to_parquet(tmp_path / "runs.parquet")
    results.to_polars()
    results.aggregate("y")
    results.table()
    results[0].diff(results[1])
    results.report(tmp_path / "report.html")
    assert main(["export", store, str(tmp_path / "copy")]) == 0
    assert len(metalab.load_results(str(tmp_path / "copy"))) == 2
    assert not sprung.exists()


@pytest.mark.parametrize("workers", [None, 1])
def test_a_derived_metric_that_loads_it_is_a_warning(results, sprung, workers):
    with pytest.warns(DerivedMetricWarning, match="runs code"):
        results.compute_derived(loaded, workers=workers)
    assert results[0].derived == {}
    with pytest.warns(DerivedMetricWarning, match="runs code"):
        results.to_dataframe(derived_metrics=[loaded])
    assert not sprung.exists()


@pytest.mark.parametrize("json_", [False, True])
def test_no_command_loads_it(results, store, sprung, capsys, tmp_path, json_):
    one, other = (run.run_id for run in results)
    page = str(tmp_path / "page.html")
    for words in (
        ["ls", store],
        ["show", one, "--store", store],
        ["show", one, "--store", store, "--provenance"],
        ["diff", one, other, "--store", store],
        ["status", store],
        ["report", store, "-o", page],
        ["doctor", store],
    ):
        assert main([*words, *(["--json"] if json_ else [])]) in {0, 1}, capsys.readouterr().err
    assert not sprung.exists()


def forged(store, source, **told):
    """A run whose artifact ``model`` has these bytes and says of itself what it is told to."""
    scoped = FileStore(store).scoped("hostile:1")
    record = RunRecord.success(run_id="a" * 32, experiment_id="hostile:1", seed=1, replicate=0)
    with scoped.writer("abcdef") as writer:
        uri, digest, size = writer.put_artifact(record, "model", source, extension="json")
        fields = {"kind": "json", "format": "builtins/json", **told}
        artifact = ArtifactDescriptor(
            artifact_id="b" * 32,
            name="model",
            uri=uri,
            content_hash=digest,
            size_bytes=size,
            metadata={},
            **fields,
        )
        writer.put(attrs.evolve(record, artifacts=[artifact]))
    return Results.from_store(FileStore(store).scoped("hostile:1"))[0]


@pytest.mark.parametrize("kind", ["json", "data", "pickle", "array", ""])
def test_a_json_artifact_that_claims_to_be_a_pickle_is_refused(store, sprung, kind):
    run = forged(store, pickle.dumps(Trap(sprung)), kind=kind, format="pickle/pickle")
    with pytest.raises(MetalabError, match="runs code"):
        run.artifact("model")
    with pytest.raises((KeyError, MetalabError)):
        run.data("model")
    assert not sprung.exists()


@pytest.mark.parametrize("format_", ["pickle", "pickle/", "pickle/other", "PICKLE/pickle", "/", ""])
def test_a_format_that_nothing_reads_is_refused_with_its_name(store, sprung, format_):
    run = forged(store, pickle.dumps(Trap(sprung)), format=format_)
    with pytest.raises(MetalabError):
        run.artifact("model", allow_pickle=True)
    assert not sprung.exists()


@pytest.mark.parametrize("format_", FORMATS)
def test_a_pickle_that_claims_to_be_something_else_is_not_run(store, sprung, format_):
    pytest.importorskip(NEEDED.get(format_.partition("/")[0], "json"))
    assert serializer_named(format_).format == format_
    data = pickle.dumps(Trap(sprung))
    run = forged(store, data, format=format_)
    if format_ in {"builtins/bytes", "matplotlib/png"}:  # which come back as bytes
        assert run.artifact("model") == data
    else:
        with pytest.raises(Exception):  # noqa: B017, PT011  whatever the library says of it
            run.artifact("model")
    assert not sprung.exists()


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("name", ["npy", "npz"])
def test_an_array_of_objects_hides_no_pickle(store, sprung, name, mmap):
    objects = np.array([Trap(sprung)], dtype=object)
    file = io.BytesIO()
    if name == "npy":
        np.save(file, objects, allow_pickle=True)
    else:
        np.savez(file, objects=objects)
    run = forged(store, file.getvalue(), format=f"numpy/{name}")
    with pytest.raises(ValueError, match="pickle"):
        run.artifact("model", mmap=mmap)
    assert not sprung.exists()


@pytest.mark.parametrize(
    "document",
    [
        {"$ref": "trap_module:go"},
        {"$object": ["trap_module:Trap", {}]},
        {"$object": ["os:mkdir", {"path": "sprung"}]},
        {"$namedtuple": ["trap_module:Pair", [1]]},
        {"$enum": ["trap_module:Colour", "RED"]},
        {"$payload": ["trap_module:Trap", 1]},
        {"$plugin": ["trap_module", "tag", 1]},
    ],
    ids=lambda document: next(iter(document)),
)
def test_json_imports_no_module_that_it_names(store, sprung, tmp_path, monkeypatch, document):
    (tmp_path / "trap_module.py").write_text(f"import os\nos.mkdir({str(sprung)!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    run = forged(store, json.dumps({"deep": [document]}).encode())
    assert "deep" in run.artifact("model")
    assert not sprung.exists()
    assert not Path("sprung").exists()
