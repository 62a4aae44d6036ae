"""The number format that a network computes in."""

import copy
from functools import lru_cache

import torch
from torch import Tensor, nn

from service.errors import Invalid
from workers.networks.footprint import is_out_of_memory
from workers.networks.network import Network

WARM = 2
"""Copies in bfloat16 that a process keeps."""


def in_precision(network: Network, precision: str) -> nn.Module:
    """The network's module as it computes in `float32` or `bfloat16`; raise Invalid where it cannot in the latter."""
    return network.module if precision == "float32" else _in_bfloat16(network)


def as_input(images: Tensor, device: torch.device, precision: str) -> Tensor:
    """Images (B, 3, H, W), or latents, as a module in this precision takes them."""
    if precision == "float32":
        return images.to(device)
    layout = torch.channels_last if images.ndim == 4 else torch.preserve_format
    return images.to(device, torch.bfloat16, memory_format=layout)


@lru_cache(WARM)
def _in_bfloat16(network: Network) -> nn.Module:
    # convolutions in bfloat16 are fastest with the channels last
    module: nn.Module = copy.deepcopy(network.module).to(torch.bfloat16)
    module = module.to(memory_format=torch.channels_last)
    try:
        with torch.inference_mode():
            module(as_input(network.blank(1), network.device, "bfloat16"))
    except Exception as error:  # whatever an operator says of a number format that it does not know
        if is_out_of_memory(error):
            raise
        raise Invalid(f"the network does not compute in bfloat16: {error}", "/precision") from error
    return module
