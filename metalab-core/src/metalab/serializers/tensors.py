"""The plugin for PyTorch: tensors in torch's own files, read without running code of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from metalab.hookspecs import hookimpl
from metalab.serializers.soft import class_in_use, not_installed

if TYPE_CHECKING:
    from metalab.serializers.base import Serializer

__all__ = ["TensorSerializer"]


@attrs.frozen
class TensorSerializer:
    """A tensor or parameter as ``torch.save`` writes it; dtype, shape and values come back.

    It comes back on the CPU, whatever device it was on, and with ``requires_grad`` as it
    was. Only its own elements are kept where it is a view of a larger tensor.
    """

    kind: str = "tensor"
    format: str = "torch/pt"
    extension: str = "pt"

    def can_handle(self, obj: object) -> bool:
        """Tell whether it is a tensor or parameter with data, of no subclass and no graph."""
        return _is_tensor(obj) and _why_not(obj) is None

    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write a tensor; ValueError says what of it cannot be kept, TypeError refuses all else."""
        torch = _torch()
        if not _is_tensor(obj):
            raise TypeError(f"a torch.Tensor is wanted, not {type(obj).__name__}")
        if reason := _why_not(obj):
            raise ValueError(reason)
        # A view would bring all of what it looks at.
        own = obj.detach().cpu().clone().requires_grad_(obj.requires_grad)
        if type(obj) is torch.nn.Parameter:
            own = torch.nn.Parameter(own.detach(), requires_grad=obj.requires_grad)
        torch.save(own, file)

    def load(self, file: BinaryIO) -> Any:
        """Read the tensor; no other object is read. MissingExtraError without torch."""
        return _torch().load(file, map_location="cpu", weights_only=True)


def _is_tensor(obj: object) -> bool:
    tensor = class_in_use("torch", "Tensor")
    parameter = class_in_use("torch.nn", "Parameter")
    return tensor is not None and type(obj) in {tensor, parameter}


def _why_not(tensor: Any) -> str | None:
    if tensor.is_meta:
        return "a tensor on the device 'meta' has no data"
    if tensor.grad_fn is not None:
        return "the tensor is part of a graph, which cannot be kept: keep its .detach()"
    return None


def _torch() -> Any:
    try:
        import torch  # noqa: PLC0415  a soft dependency, and a very slow import
    except ImportError as error:
        raise not_installed("tensors", "PyTorch", "torch") from error
    return torch


_TENSOR = TensorSerializer()


@hookimpl
def metalab_serializer_for(obj: object) -> Serializer | None:
    """Choose torch's file for a tensor, even one that ``dump`` has a reason to refuse."""
    return _TENSOR if _is_tensor(obj) else None


@hookimpl
def metalab_serializer_named(format: str) -> Serializer | None:  # noqa: A002  the hook's name for it
    """Return the serializer of the format ``torch/pt``."""
    return _TENSOR if format == _TENSOR.format else None
