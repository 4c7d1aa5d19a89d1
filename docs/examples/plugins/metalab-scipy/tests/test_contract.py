"""The serializer keeps the contract: every test is inherited from metalab's kit."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from metalab.testing import PluginContract, SerializerContract

DENSE = [[0, 0, 3], [4, 0, 0], [0, 5, 0]]


class TestSparse(SerializerContract):
    format = "scipy/npz"

    def objects(self):
        floats = np.array([[0.0, np.nan, -1.5], [np.inf, 0.0, 0.0]])
        twice = ([1.0, 2.0, 0.0], ([0, 0, 1], [1, 1, 1]))  # two at one place, and a zero
        return [
            *(getattr(sparse, f"{each}_array")(DENSE) for each in ("bsr", "csc", "csr", "dia")),
            *(getattr(sparse, f"{each}_matrix")(DENSE) for each in ("bsr", "coo", "csc", "csr")),
            *(sparse.csr_array(floats), sparse.csr_array(floats.astype("f4"))),
            *(sparse.csr_array(floats * (1 + 2j)), sparse.csr_array(np.eye(3, dtype=bool))),
            *(sparse.coo_array(twice, shape=(2, 3)), sparse.coo_array(np.array([0, 7, 0]))),
            *(sparse.csr_array((0, 3)), sparse.csr_array((4, 5), dtype="u1")),
        ]

    def refused(self):
        class Own(sparse.csr_array):
            """A subclass may hold more."""

        return [
            *(sparse.lil_array(DENSE), sparse.dok_matrix(DENSE), np.array(DENSE)),
            *(Own(DENSE), sparse.csr_array(np.eye(2, dtype=np.longdouble))),
        ]

    def parameters(self):
        layouts = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
        return [
            *(getattr(sparse, f"{each}_array")(DENSE) for each in layouts),
            *(getattr(sparse, f"{each}_matrix")(DENSE) for each in layouts),
            *(sparse.csr_array(np.array(DENSE, "f4")), sparse.csr_array([[0, 0, 3]])),
            *(sparse.csr_array([[np.nan, 0.0]]), sparse.csr_array([[0.0, np.nan]])),
            *(sparse.csr_array((2, 3)), sparse.csr_array((3, 2)), sparse.coo_array([0, 1, 2])),
        ]

    def same(self, one, other):
        if type(one) is not type(other) or not sparse.issparse(one):
            return type(one) is type(other) and one is other
        return one.shape == other.shape and one.dtype == other.dtype and parts(one) == parts(other)


def parts(matrix):
    """All that is stored, whatever the dtype of indices."""
    entries = matrix.tocoo()
    places = [each.tolist() for each in entries.coords]
    return places, entries.data.tobytes()


class TestPlugin(PluginContract):
    distribution = "metalab-scipy"
