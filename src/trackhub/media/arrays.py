"""Arrays of whatever make as numpy arrays of plain numbers."""

from __future__ import annotations

import sys
from typing import Any

from trackhub.intake import Refusal

TOLERANCE = 0.01
"""How far a float may lie beyond its range and still be taken for rounding."""


def is_a(value: Any, name: str) -> bool:
    """Whether `value` is of the class "package.module.Class"; imports nothing."""
    module, _, class_name = name.rpartition(".")
    known = getattr(sys.modules.get(module), class_name, None)
    return known is not None and isinstance(value, known)


def is_tensor(value: Any) -> bool:
    """Whether `value` is a torch tensor."""
    return is_a(value, "torch.Tensor")


def is_array(value: Any) -> bool:
    """Whether `value` is a torch tensor, a numpy array, or says how to become one."""
    return is_tensor(value) or hasattr(value, "__array__")


def as_numpy(value: Any) -> Any:
    """`value` as a numpy array of bools, integers or floats; waits for a device.

    Raises:
        Refusal: it holds something else.
    """
    array = _from_torch(value) if is_tensor(value) else _from_any(value)
    if array.dtype.kind not in "buif":
        raise Refusal(f"an array of {array.dtype} holds no numbers")
    if not array.size:
        raise Refusal(f"an array of shape {array.shape} is empty")
    return array


def _from_torch(tensor: Any) -> Any:
    """numpy has no bfloat16 and no float8: such tensors become float32."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()
    return tensor.resolve_neg().numpy()


def _from_any(value: Any) -> Any:
    import numpy

    array = numpy.asarray(value)
    return array.astype(numpy.float32) if array.dtype.name.startswith(("bfloat16", "float8")) else array


def without_nonfinite(array: Any, least: float) -> tuple[Any, dict[str, int]]:
    """(floats with NaN as 0 and the infinities at the ends of `least`..1, {"nonfinite": how many} if any)."""
    import numpy

    odd = int(array.size - numpy.isfinite(array).sum())
    return (numpy.nan_to_num(array, nan=0.0, posinf=1.0, neginf=least), {"nonfinite": odd}) if odd else (array, {})
