"""PyTorch: tensors by dtype, shape and elements, on whichever device they are."""

from __future__ import annotations

from typing import Any

from ipycheckpoint.identity.kinds.arrays import content
from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Refusal, Shape, named, text


@shapes_of("torch.Tensor")
def _tensor(tensor: Any) -> Shape | Refusal:
    import torch

    if tensor.grad_fn is not None:
        return Refusal("it is part of a graph of gradients, which has no identity; use `.detach()`")
    if tensor.device.type == "meta":
        return Refusal("it is on the device `meta`, and has no content")
    head = [text(tensor.dtype), text(tuple(tensor.shape)), text(tensor.requires_grad)]
    # A gradient that is waiting for the optimizer decides what its next step does.
    parts: list[object] = [type(tensor), tensor.grad]
    labels = [".__class__", ".grad"]
    tensor = tensor.detach()
    inner = _components(tensor)
    if inner is None:
        return Refusal(f"its layout {tensor.layout} is unknown; use `.to_dense()`")
    for label, part in inner.items():
        parts.append(part)
        labels.append(label)
    if not inner:
        flat = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        head.append(content(flat.view(torch.uint8).numpy()) if flat.numel() else b"")
    return Shape("torch.Tensor", tuple(head), parts, named(*labels))


def _components(tensor: Any) -> dict[str, object] | None:
    """The tensors and numbers that a tensor is kept as; nothing for a dense one, None where we do not know."""
    import torch

    if tensor.is_quantized:
        scheme = str(tensor.qscheme())
        if "per_channel" in scheme:
            scales, zeros = tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()
            return {".int_repr()": tensor.int_repr(), ".<scales>": (scheme, scales, zeros, tensor.q_per_channel_axis())}
        return {".int_repr()": tensor.int_repr(), ".<scale>": (scheme, tensor.q_scale(), tensor.q_zero_point())}
    layout = str(tensor.layout)
    if tensor.layout == torch.strided:
        return {}
    if tensor.layout == torch.sparse_coo:
        tensor = tensor.coalesce()
        return {".indices()": tensor.indices(), ".values()": tensor.values(), ".layout": layout}
    if layout in {"torch.sparse_csr", "torch.sparse_bsr"}:
        ways = {".crow_indices()": tensor.crow_indices(), ".col_indices()": tensor.col_indices()}
        return {**ways, ".values()": tensor.values(), ".layout": layout}
    if layout in {"torch.sparse_csc", "torch.sparse_bsc"}:
        ways = {".ccol_indices()": tensor.ccol_indices(), ".row_indices()": tensor.row_indices()}
        return {**ways, ".values()": tensor.values(), ".layout": layout}
    return None


@shapes_of("torch.Generator", "torch._C.Generator")
def _generator(generator: Any) -> Shape:
    return Shape("torch.Generator", (text(generator.device.type),), (generator.get_state(),), named(".get_state()"))


@shapes_of("torch.dtype", "torch.layout", "torch.memory_format", "torch.qscheme", "torch.device")
def _constant(value: Any) -> Shape:
    return Shape("torch constant", (text(value),))
