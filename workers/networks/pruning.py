"""Removing units from a network's weights: which of them to set to 0, so that it computes as with the units' maps at 0."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from safetensors.torch import save
from torch import Tensor

from workers.networks.network import Network


class Slice(NamedTuple):
    """What a unit owns of a tensor: along `dim` the places from unit * width, `width` of them."""

    name: str
    """In the network's state dict."""
    dim: int
    width: int


class Zeroing(NamedTuple):
    """What to set to 0 of the weights, for any unit of a layer."""

    tensors: list[Slice]


def find_zeroing(network: Network, layer: str) -> Zeroing | str:
    """Find the weights that silence a layer's units, or say in words why none do so exactly."""
    return "it was not tried"


def zeroed(state: Mapping[str, Tensor], zeroing: Zeroing, units: Sequence[int]) -> dict[str, Tensor]:
    """Return a state dict in which these units are silent; what changes is copied."""
    changed = dict(state)
    for name, dim, width in zeroing.tensors:
        changed[name] = changed[name].clone()
        for unit in units:
            changed[name].narrow(dim, unit * width, width).zero_()
    return changed


def pack(network: Network) -> bytes:
    """Return a network's state dict as a safetensors file, the same bytes for the same weights."""
    state = network.module.state_dict()
    return save({name: state[name].detach().cpu().contiguous().clone() for name in sorted(state)})
