"""What every serializer does, shown on that of tensors where PyTorch is installed."""

from __future__ import annotations

import math
from importlib import import_module
from importlib.util import find_spec

import pytest

from metalab.testing.serializer import SerializerContract

torch = import_module("torch") if find_spec("torch") else None
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        torch is None, reason="PyTorch is in no group, it is large: uv pip install torch"
    ),
]


class TestTensors(SerializerContract):
    format = "torch/pt"

    def objects(self):
        return [torch.arange(3), torch.tensor([math.nan, -0.0]), torch.zeros(0, 2), torch.ones(())]

    def refused(self):
        return [torch.ones(2, requires_grad=True) * 2, torch.ones(2, device="meta")]

    def same(self, one, other):
        is_one = (type(one), one.dtype, one.shape) == (type(other), other.dtype, other.shape)
        return is_one and one.numpy().tobytes() == other.numpy().tobytes()
