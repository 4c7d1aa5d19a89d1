"""The serializer: sparse arrays as the npz files of ``scipy.sparse.save_npz``."""

from __future__ import annotations

from typing import Any, BinaryIO

import attrs
from scipy import sparse

from metalab_scipy.kinds import is_sparse, why_not

__all__ = ["SparseSerializer"]

_UNSAVED = ("dok", "lil")


@attrs.frozen
class SparseSerializer:
    """Writes one sparse array or matrix; its class, shape, dtype and stored entries come back.

    Entries that are stored though they are zero, and those stored twice, stay so. How wide the
    indices are is scipy's choice.
    """

    kind: str = "sparse"
    format: str = "scipy/npz"
    extension: str = "npz"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a sparse array of numbers, in a layout that scipy saves."""
        return _refusal(obj) is None

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write a sparse array; raises TypeError or ValueError that says what to write instead."""
        if refusal := _refusal(obj):
            raise refusal
        # Compressed, the bytes would be those of whichever zlib there is.
        sparse.save_npz(file, _rebuilt(obj), compressed=False)

    def load(self, file: BinaryIO) -> Any:
        """Read a sparse array; raises ValueError for other files and for pickled objects."""
        return sparse.load_npz(file)


def _refusal(obj: Any) -> Exception | None:
    if not is_sparse(obj):
        return TypeError(f"scipy/npz holds a sparse array or matrix, not a {type(obj).__name__}")
    if obj.format in _UNSAVED:
        return TypeError(
            f"scipy saves no {obj.format} {_word(obj)}, which is a layout to build with; write "
            ".tocsr() when it is complete"
        )
    if reason := why_not(obj):
        return ValueError(f"this {_word(obj)} cannot be kept: {reason}; write .astype(float)")
    return None


def _word(obj: Any) -> str:
    return "array" if isinstance(obj, sparse.sparray) else "matrix"


def _rebuilt(obj: Any) -> Any:
    """Return it as it will be read: scipy chooses the dtype of indices anew."""
    if obj.format in {"bsr", "csc", "csr"}:
        return type(obj)((obj.data, obj.indices, obj.indptr), shape=obj.shape)
    if obj.format == "dia":
        return type(obj)((obj.data, obj.offsets), shape=obj.shape)
    return type(obj)((obj.data, obj.coords), shape=obj.shape)
