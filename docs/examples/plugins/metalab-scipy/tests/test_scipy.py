"""What this plugin does beyond what the contract asks of any."""

from __future__ import annotations

import io

import numpy as np
import pytest
from scipy import sparse

import metalab
from metalab.errors import IdentityError
from metalab.identity.canonical import fingerprint
from metalab_scipy.serializer import SparseSerializer


def test_how_entries_are_stored_does_not_count():
    plain = sparse.csr_array([[0.0, 3.0, 1.0], [np.nan, 0.0, 0.0]])
    unsorted = sparse.csr_array(([1.0, 3.0, np.nan], [2, 1, 0], [0, 2, 3]), shape=(2, 3))
    with_zero = sparse.csr_array(([3.0, 1.0, np.nan, 0.0], [1, 2, 0, 2], [0, 2, 4]), shape=(2, 3))
    twice = sparse.csr_array(([1.0, 2.0, 1.0, -np.nan], [1, 1, 2, 0], [0, 3, 4]), shape=(2, 3))
    wide = plain.copy()
    wide.indices = wide.indices.astype("i8")
    others = (unsorted, with_zero, twice, wide)
    assert {fingerprint(each) for each in others} == {fingerprint(plain)}
    assert fingerprint(-plain) != fingerprint(plain)


def test_to_ask_for_an_identity_changes_nothing():
    unsorted = sparse.csr_array(([1.0, 0.0], [2, 1], [0, 2]), shape=(1, 3))
    fingerprint(unsorted)
    assert unsorted.indices.tolist() == [2, 1]
    assert unsorted.nnz == 2


def test_what_is_read_is_scipy_s_own_file():
    file = io.BytesIO()
    SparseSerializer().dump(sparse.csc_array([[1, 0], [0, 2]]), file)
    file.seek(0)
    assert sparse.load_npz(file).toarray().tolist() == [[1, 0], [0, 2]]


def test_entries_without_a_certain_form_are_refused_by_their_place():
    extended = sparse.coo_array(np.eye(2, dtype=np.longdouble))
    with pytest.raises(IdentityError, match=r"params\['a'\].*dtype float128"):
        metalab.manual([{"a": extended}])[0]


@metalab.operation
def powers(params, capture):
    graph = params["graph"]
    capture.artifact("square", graph @ graph)
    return {"edges": int(graph.nnz)}


def test_a_sparse_array_is_a_parameter_and_an_artifact_of_a_run(tmp_path):
    graph = sparse.csr_array([[0, 1, 0], [0, 0, 2], [3, 0, 0]])
    experiment = metalab.Experiment(
        name="graphs",
        version="1",
        context=None,
        operation=powers,
        params=metalab.grid(graph=[graph, graph * 2]),
        seeds=metalab.seeds(base=1),
    )
    results = metalab.run(experiment, tmp_path / "store", "process", progress=False).result()
    assert len(results.successful) == 2
    first = min(results, key=lambda run: run.params["graph"].sum())
    assert first.params["graph"].toarray().tolist() == graph.toarray().tolist()
    assert first.artifact("square").toarray().tolist() == (graph @ graph).toarray().tolist()
    assert type(first.artifact("square")) is sparse.csr_array
