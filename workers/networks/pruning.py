"""Removing units from a network's weights, so that it computes as it does with the units' maps at 0."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from safetensors.torch import save
from torch import Tensor
from torch.func import functional_call

from workers.networks.maps import as_map
from workers.networks.network import Network
from workers.networks.silencing import Audible, Silencer, Slice
from workers.networks.tails.trace import CannotCut, trace
from workers.networks.taps import count_calls, edit

log = logging.getLogger(__name__)

TRIED_IMAGES = 2
TOLERANCE = 1e-5
"""Of the largest logit, between two ways of removing units."""


@dataclass(frozen=True)
class Zeroing:
    """What to set to 0 of the weights for any unit of a layer: (name, dim, width) of each tensor."""

    tensors: list[Slice]


def find_zeroing(network: Network, layer: str) -> Zeroing | str:
    """Find the weights that silence a classifier's units, tried on noise, or say why none do so exactly.

    Those that make the units' maps come first; where others share them, those with which all that follows reads the
    maps.
    """
    reasons: list[str] = []
    try:
        silencer = _trace(network, layer)
        for find in (silencer.made, silencer.read):
            try:
                zeroing = Zeroing(find())
                _try(network, layer, zeroing)
            except Audible as reason:
                reasons.append(str(reason))
            else:
                return zeroing
    except (Audible, CannotCut) as reason:
        reasons.append(str(reason))
    except Exception as error:  # a network can raise anything when it runs otherwise than it was written for
        log.warning("no weights were found that silence units of layer %s", layer, exc_info=True)
        reasons.append(f"the search for them failed: {error}")
    return f"no weights silence a unit of layer {layer!r} and nothing else: {'; '.join(dict.fromkeys(reasons))}"


def _trace(network: Network, layer: str) -> Silencer:
    module, images = network.module, _noise(network)
    found = trace(module, module.get_submodule(layer), _calls(network, layer), images)
    maps = as_map(found.output, len(images), network.size)
    assert maps is not None and found.output is not None
    if maps.numel() != found.output.numel():
        raise Audible("its units are read on patches alone, and weights act on the other tokens, too")
    return Silencer(found, module.state_dict(), maps.shape[1])


def _try(network: Network, layer: str, zeroing: Zeroing) -> None:
    """Raise Audible where the weights do not give the logits that the network has with the units' maps at 0."""
    module, images, state = network.module, _noise(network), network.module.state_dict()
    calls = _calls(network, layer)
    for units in _tried(zeroing, state):
        with torch.inference_mode():
            with edit(module, layer, calls, _silence(units)):
                expected = module(images)
            logits = functional_call(module, zeroed(state, zeroing, units), (images,))
        if not bool(((logits - expected).abs() <= TOLERANCE * expected.abs().max()).all()):
            raise Audible("its weights do more than silence it")


def _noise(network: Network) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(network.blank(TRIED_IMAGES).shape, generator=generator).to(network.device)


def _calls(network: Network, layer: str) -> int:
    with torch.inference_mode():
        return count_calls(network.module, [layer], _noise(network))[layer]


def _silence(units: list[int]) -> Callable[[Tensor], None]:
    def change(maps: Tensor) -> None:
        maps[:, units] = 0

    return change


def _tried(zeroing: Zeroing, state: Mapping[str, Tensor]) -> list[list[int]]:
    """Sets of units: the first, the last, every third."""
    name, dim, width = zeroing.tensors[0]
    units = state[name].shape[dim] // width
    return [[0], [units - 1], [*range(0, units, 3)]]


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
    names = Counter(tensor.untyped_storage().data_ptr() for tensor in state.values())
    return save({name: _alone(state[name], names) for name in sorted(state)})


def _alone(tensor: Tensor, names: Mapping[int, int]) -> Tensor:
    """The tensor on the CPU, in memory that no other name shares."""
    shared = names[tensor.untyped_storage().data_ptr()] > 1
    return tensor.clone().contiguous().cpu() if shared else tensor.contiguous().cpu()
