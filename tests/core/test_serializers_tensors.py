"""Tensors of PyTorch: what comes back, and what is refused."""

from __future__ import annotations

import io
import pickle
from importlib import import_module
from importlib.util import find_spec

import pytest

from core.test_serializers import through, written
from metalab.errors import CaptureError
from metalab.serializers import serializer_for, serializer_named

torch = import_module("torch") if find_spec("torch") else None
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        torch is None, reason="PyTorch is in no group, it is large: uv pip install torch"
    ),
]

DTYPES = [
    "bfloat16",
    "float16",
    "float32",
    "float64",
    "complex64",
    "int8",
    "int64",
    "uint8",
    "bool",
]


def same(one, other):
    return (
        type(one) is type(other)
        and (one.dtype, one.shape, one.requires_grad)
        == (other.dtype, other.shape, other.requires_grad)
        and torch.equal(one.detach(), other.detach())
    )


class TestKept:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
    def test_dtype_shape_and_values_come_back(self, dtype, shape):
        tensor = (torch.arange(6) % 2)[: max(1, 6 * bool(shape))].to(getattr(torch, dtype))
        tensor = tensor[: torch.Size(shape).numel()].reshape(shape)
        assert same(through(tensor), tensor)

    def test_nan_and_infinities(self):
        tensor = torch.tensor([float("nan"), float("inf"), -0.0])
        assert repr(through(tensor)) == repr(tensor)

    def test_requires_grad_of_a_tensor_without_a_graph(self):
        assert same(through(torch.ones(2, requires_grad=True)), torch.ones(2, requires_grad=True))

    @pytest.mark.parametrize("requires_grad", [True, False])
    def test_parameters(self, requires_grad):
        given = torch.nn.Parameter(torch.ones(2), requires_grad=requires_grad)
        assert same(through(given), given)

    def test_views_without_what_they_look_at(self):
        large = torch.arange(100_000)
        assert len(written(large[:3])) < 5000
        assert same(through(large[::50_000]), large[::50_000])
        turned = torch.arange(6).reshape(2, 3).T
        assert same(through(turned), turned)

    # PyTorch says so whenever it reads one as we do; the check is why we do.
    @pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
    def test_sparse_ones(self):
        given = torch.eye(3).to_sparse()
        assert torch.equal(through(given).to_dense(), torch.eye(3))

    def test_conjugates(self):
        given = torch.tensor([1 + 2j]).conj()
        assert torch.equal(through(given), given)


class TestRefused:
    def test_a_part_of_a_graph(self):
        with pytest.raises(ValueError, match=r"keep its \.detach\(\)"):
            written(torch.ones(2, requires_grad=True) * 2)

    def test_a_tensor_without_data(self):
        with pytest.raises(ValueError, match="has no data"):
            written(torch.ones(2, device="meta"))

    def test_subclasses_and_modules(self):
        class Mine(torch.Tensor):
            pass

        for obj in (torch.ones(2).as_subclass(Mine), torch.nn.Linear(1, 1)):
            with pytest.raises(CaptureError, match="nothing keeps"):
                serializer_for(obj)

    def test_other_objects(self):
        with pytest.raises(TypeError, match=r"a torch\.Tensor is wanted, not list"):
            serializer_named("torch/pt").dump([1], io.BytesIO())

    def test_a_file_that_would_run_code(self):
        file = io.BytesIO()
        torch.save(print, file)
        file.seek(0)
        with pytest.raises(pickle.UnpicklingError, match=r"(?i)weights.only"):
            serializer_named("torch/pt").load(file)
