"""Ids and bytes that no version of numpy changes: what was kept under one is found under another.

The constants were written under numpy 2.4; every supported version has to give them.
"""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest

from metalab.identity.canonical import fingerprint
from metalab_numpy.serializers import NpySerializer, NpzSerializer

STRUCTURE = np.dtype([("a", "<i4"), ("b", ">f8", (2,)), ("c", "S3"), ("d", "<M8[D]")])
VALUES = {
    "float64": np.float64(0.1),
    "float32": np.float32(0.1),
    "float16": np.float16(0.1),
    "nan": np.float64("nan"),
    "int8": np.int8(-1),
    "uint64": np.uint64(2**64 - 1),
    "bool": np.bool_(True),
    "complex64": np.complex64(1 + 2j),
    "str": np.str_("é"),
    "bytes": np.bytes_(b"a\0b"),
    "datetime64": np.datetime64("2026-01-01T12", "ns"),
    "timedelta64": np.timedelta64(3, "25us"),
    "record": np.zeros(1, STRUCTURE)[0],
    "linspace": list(np.linspace(0, 1, 7)),
    "dtype": np.dtype("<f4"),
    "structured dtype": STRUCTURE,
    "scalar type": np.float32,
    "ufunc": np.sin,
}
ARRAYS = {
    "floats": np.linspace(0, 1, 7),
    "not a number": np.array([np.nan, -np.inf, -0.0]),
    "matrix of integers": np.arange(12, dtype="<i8").reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i2"),
    "no dimension": np.array(2.5),
    "empty": np.zeros((0, 3), "<f8"),
    "truths": np.array([True, False]),
    "complex": np.array([1 + 2j, -0.5j], "<c16"),
    "halves": np.array([0.1, 2.0], "<f2"),
    "text": np.array(["é", "long"], "<U4"),
    "bytes": np.array([b"a", b"\0b"]),
    "void": np.array([b"\0\1\2"], "V3"),
    "dates": np.array(["2026-01-01", "NaT"], "<M8[ms]"),
    "spans": np.array([1, -1], "<m8[25us]"),
    "structure": np.ones(2, STRUCTURE),
    "aligned": np.zeros(2, np.dtype([("a", "i1"), ("b", "<f8")], align=True)),
    "fields beyond ASCII": np.array([(1,)], [("größe", "<i8")]),
}
IDS = {
    "float64": "96e63d39e1b44f3fc04ca6408b207ad8",
    "float32": "8ad84f7520f5a27d4c6fe0855876cef3",
    "float16": "9b8917213e15ff28e0d56c6442de8633",
    "nan": "5427fa79cee7f842529e688b262e5392",
    "int8": "0e0413478ac47bf7b628395508eea0e9",
    "uint64": "02569dd96d6bfa42de75ca958302bcd4",
    "bool": "b6fec440015126968f4e0e654cfd322c",
    "complex64": "b6d79a608ea1d313e14ea27d5e8e2a78",
    "str": "82198fadf66683a603594fa43028cac5",
    "bytes": "17d91cf02970ac9f1ff6e64317ec5c96",
    "datetime64": "f89c3a3cd49ed0d395c8f2c83ad9d726",
    "timedelta64": "252646b91fe2bad77da78453cdfd9856",
    "record": "0afad078dad3175e3b158db7e436c410",
    "linspace": "4812df067fe72bcd61c213b78668852f",
    "dtype": "ebba0829e55494b1f78bea6dbb239a8e",
    "structured dtype": "a05c8fc140a1a4d653ecf9f63aac2fbd",
    "scalar type": "8d1746947929c14a904158696aef3b25",
    "ufunc": "9c4a92bbb29368ee7c00e8f30e938a42",
    "floats": "781131aeafae1c357451bed98f2c4cc3",
    "not a number": "5b280bce5d63e2a6515e9ea033be1475",
    "matrix of integers": "c732bf3c833afe896aed2beeee416690",
    "fortran": "ed8a1b2571481fc2bcddbc52f176fe4d",
    "big endian": "e4f04e375bb08de3696aa66c2b30377b",
    "no dimension": "9ea4ef4a703c3f9ee0ff3ab02e74c31c",
    "empty": "ce0553d842e75094d35ffbd504524272",
    "truths": "64a660295d035eef8ed6f77526690d7d",
    "complex": "54b52c4933c70d0145f8243940387b7d",
    "halves": "eaf4ec2afcda30847bdaace2de2fed5a",
    "text": "661c462a0003dc14036a03090a54f6e9",
    "void": "e90c0e67a2f2c82ccb689ea3cedaa5e0",
    "dates": "ee4a9bc4a2032b48c390c5eab10abce5",
    "spans": "0499c3c17fc467d6b9798ffec2f65297",
    "structure": "83044f14de3737079f7f88aeb77c7a56",
    "aligned": "f16068bbed33f64ef89481f00856aefe",
    "fields beyond ASCII": "5f80100bbb78680e95a956b366433a80",
}
NPY = {
    "floats": "64cec4023fe0554c",
    "not a number": "8365161adfa458d2",
    "matrix of integers": "79a28d827c3d7bd6",
    "fortran": "84c11c03136f3ff3",
    "big endian": "32af0f91bd121d57",
    "no dimension": "e48eff8685470620",
    "empty": "4aa7aa40d1bbd6bb",
    "truths": "4257418724eeadfc",
    "complex": "8f837fa2971fd130",
    "halves": "8aad83931d4c74da",
    "text": "540188478ee2b140",
    "bytes": "88ca6d71245ece0f",
    "void": "268ff5aabc6277f9",
    "dates": "3fc4b7fb4eaef290",
    "spans": "bdc1cf9b3c05022f",
    "structure": "4902ba934925ce2a",
    "aligned": "755db4c3a05cb079",
    "fields beyond ASCII": "28f45d2ebec33426",
}
NPZ = "aaaeb79dcd45128b"


def digest_of(serializer, obj):
    file = io.BytesIO()
    serializer.dump(obj, file)
    return hashlib.sha256(file.getvalue()).hexdigest()[:16]


@pytest.mark.parametrize("name", [*VALUES, *ARRAYS])
def test_ids_are_the_same(name):
    assert fingerprint({"x": {**VALUES, **ARRAYS}[name]}) == IDS[name]


@pytest.mark.parametrize("name", ARRAYS)
def test_files_are_the_same(name):
    assert digest_of(NpySerializer(), ARRAYS[name]) == NPY[name]


def test_archives_are_the_same():
    assert digest_of(NpzSerializer(), ARRAYS) == NPZ
