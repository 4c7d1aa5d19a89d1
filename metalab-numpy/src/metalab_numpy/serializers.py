"""Serializers: arrays as numpy's own files, never with pickled objects inside."""

from __future__ import annotations

import io
import math
from typing import IO, Any, BinaryIO
from zipfile import ZipFile, ZipInfo

import attrs
import numpy as np

from metalab_numpy.dtypes import why_not
from metalab_numpy.plain import is_plain, more_than_an_array

__all__ = ["NpySerializer", "NpzSerializer"]

# Numpy refuses longer headers by default; ours are as long as the dtypes we wrote.
_MAX_HEADER = 2**20
# The first version of the format has room for 65,535 bytes, of shape and layout too.
_LONG_HEADER = 60_000
_ENDING = ".npy"
_OR_PICKLE = 'or use kind="pickle" with Experiment(allow_pickle=True)'
_MAGIC = 8  # bytes that say what it is, and the format's version
_LENGTHS = {(1, 0): 2, (2, 0): 4, (3, 0): 4}  # bytes that hold the header's length, by version


@attrs.frozen
class NpySerializer:
    """Writes one array as an ``.npy`` file; dtype, shape and memory order come back."""

    kind: str = "array"
    format: str = "numpy/npy"
    extension: str = "npy"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is an ndarray of values, or a memmap, which comes back as one."""
        return is_plain(obj) and why_not(obj.dtype) is None  # type: ignore[attr-defined]

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write an array; raises TypeError for what is more or none, ValueError for its dtype."""
        _check(obj, "an array")
        _write(file, obj)

    def load(self, file: BinaryIO) -> Any:
        """Read an array; raises ValueError for a damaged file and for pickled objects."""
        return _read(file)

    def view(self, memory: memoryview) -> Any:
        """Show the array in the bytes of its file; raises ValueError as load does."""
        shape, fortran_order, dtype, start = _header_of(memory)
        if dtype.hasobject:
            raise ValueError("the file holds pickled objects")
        if not (dtype.itemsize and math.prod(shape)):
            return _sealed(np.empty(shape, dtype))
        flat = np.frombuffer(memory, dtype, math.prod(shape), start)
        return flat.reshape(shape, order="F" if fortran_order else "C")


@attrs.frozen
class NpzSerializer:
    """Writes a dict of arrays as an ``.npz`` file, uncompressed; keys keep their order."""

    kind: str = "arrays"
    format: str = "numpy/npz"
    extension: str = "npz"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a dict; ``dump`` names the key or the array at fault."""
        return type(obj) is dict

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write a dict of arrays; raises TypeError or ValueError that names the key at fault."""
        if type(obj) is not dict:
            raise TypeError(f"npz files hold a dict of arrays, not a {type(obj).__name__}")
        for name, array in obj.items():
            if type(name) is not str or not _is_name(name):
                raise TypeError(f"npz files hold arrays by name, and {name!r} is none")
            _check(array, f"the array {name!r}")
        with ZipFile(file, "w") as archive:
            for name, array in obj.items():
                # Without a clock the same arrays give the same bytes.
                with archive.open(ZipInfo(name + _ENDING), "w", force_zip64=True) as member:
                    _write(member, array)

    def load(self, file: BinaryIO) -> dict[str, Any]:
        """Read the dict of arrays; raises ValueError for pickled objects."""
        arrays = {}
        with ZipFile(file) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    arrays[info.filename.removesuffix(_ENDING)] = _read(member)
        return arrays


def _write(file: IO[bytes], array: Any) -> None:
    # Left to choose, numpy warns of every version but the first.
    header = repr(np.lib.format.dtype_to_descr(array.dtype))
    version = (2, 0) if len(header) > _LONG_HEADER else (1, 0)
    if not header.isascii():
        version = (3, 0)
    if version != (1, 0) or not (array.size and array.dtype.itemsize and array.flags.forc):
        np.lib.format.write_array(file, array, version, allow_pickle=False)
        return
    # Numpy would copy what it hands to a file that is none of the system's.
    description = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(file, description)
    file.write(array.ravel("K").view("u1").data)


def _read(file: IO[bytes]) -> Any:
    return np.lib.format.read_array(file, allow_pickle=False, max_header_size=_MAX_HEADER)


def _header_of(memory: memoryview) -> tuple[tuple[int, ...], bool, Any, int]:
    """Return shape, order, dtype and where the values begin, copying the header alone."""
    version = np.lib.format.read_magic(io.BytesIO(memory[:_MAGIC]))
    if version not in _LENGTHS:
        raise ValueError(f"the file is of version {version} of the npy format, which is not known")
    begin = _MAGIC + _LENGTHS[version]
    start = begin + int.from_bytes(memory[_MAGIC:begin], "little")
    if start > min(len(memory), begin + _MAX_HEADER):
        raise ValueError(f"the file has no whole header: its header would end at byte {start:,}")
    header = bytes(memory[begin:start])
    if version == (3, 0):  # numpy has no function for it alone; escaped, it is one of version 2
        header = header.decode().encode("ascii", "backslashreplace")
    file = io.BytesIO(len(header).to_bytes(4, "little") + header)
    read = np.lib.format.read_array_header_2_0  # of version 1 but for the length's length
    return *read(file, max_header_size=_MAX_HEADER), start


def _sealed(array: Any) -> Any:
    array.flags.writeable = False
    return array


def _is_name(name: str) -> bool:
    # A zip file cuts names at NUL and rewrites backslashes on some platforms.
    return "\0" not in name and "\\" not in name


def _check(obj: Any, what: str) -> None:
    if not isinstance(obj, np.ndarray):
        raise TypeError(f"{what} must be an ndarray, not a {type(obj).__name__}; use np.asarray")
    if not is_plain(obj):
        raise TypeError(f"{what} cannot be kept: {more_than_an_array(obj)}, {_OR_PICKLE}")
    if reason := why_not(obj.dtype):
        raise ValueError(f"{what} cannot be kept: {reason}, {_OR_PICKLE}")
