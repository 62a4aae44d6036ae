"""How many images, or latents, a network may be given at once."""

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

HELD_OUTPUTS = 4
"""Outputs of the largest layer that are alive together: what goes in, what comes out, a branch beside it, a copy."""
MOST = {"cpu": 16}
"""Images, or latents, beyond which a kind of device gains nothing."""
MOST_ELSEWHERE = 64


def largest_output(module: nn.Module, inputs: Tensor) -> int:
    """Bytes of the largest tensor that any layer puts out for these images (B, C, H, W), or latents."""
    largest = 0

    def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal largest
        if isinstance(output, Tensor):
            largest = max(largest, output.nbytes)

    with ExitStack() as hooks:
        for layer in module.modules():
            hooks.enter_context(layer.register_forward_hook(note))
        module(inputs)
    return largest


def batch_size(module: nn.Module, one: Tensor, memory_bytes: int) -> int:
    """How many inputs like this one (1, ...) pass together within the memory; a GPU lends half of what is free."""
    device = one.device
    if device.type == "cuda":
        memory_bytes = torch.cuda.mem_get_info(device)[0] // 2
    fitting = memory_bytes // (HELD_OUTPUTS * max(1, largest_output(module, one)))
    return max(1, min(fitting, MOST.get(device.type, MOST_ELSEWHERE)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device, or the machine, had no memory left for a tensor."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
