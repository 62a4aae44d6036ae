"""The layers of a network that can be dissected."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from service.errors import Invalid
from workers.networks.maps import as_map
from workers.networks.network import Network

TIMED_PASSES = 3


class LayerInfo(NamedTuple):
    """A named module whose output is a map of units, and the map's size."""

    name: str
    units: int
    height: int
    width: int


def list_layers(network: Network) -> list[LayerInfo]:
    """Run the network once and list every module, containers too, whose output is a map, in the order of finishing.

    A module that runs several times counts once, with its last output, as in `tap`.
    """
    found: dict[str, LayerInfo] = {}
    inputs = network.blank(2)  # two, to tell maps of images from tables that the network keeps for itself

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            found.pop(name, None)
            units = as_map(output, len(inputs), network.size)
            if units is not None:
                found[name] = LayerInfo(name, *units.shape[1:])

        return hook

    with ExitStack() as hooks:
        for name, module in network.module.named_modules():
            if name:
                hooks.enter_context(module.register_forward_hook(note(name)))
        _run(network, inputs)
    return list(found.values())


def pick_layers(layers: Sequence[LayerInfo], names: Sequence[str]) -> list[LayerInfo]:
    """Find layers by name; raise Invalid that names near ones for a name that is no layer with a map."""
    known = {layer.name: layer for layer in layers}
    for index, name in enumerate(names):
        if name not in known:
            near = get_close_matches(name, known, n=5, cutoff=0.3)
            raise Invalid(
                f"{name!r} is no layer whose output is a map; layers near it that are: {', '.join(near) or 'none'}",
                f"/layers/{index}",
            )
    return [known[name] for name in names]


def forward_seconds(network: Network) -> float:
    """Measure the seconds that one image takes: the median of a few passes after a first one."""
    image = network.blank(1)
    _run(network, image)
    return median(_run(network, image) for _ in range(TIMED_PASSES))


def _run(network: Network, inputs: Tensor) -> float:
    started = time.perf_counter()
    with torch.no_grad():
        network.module(inputs)
    if network.device.type != "cpu":
        torch.accelerator.synchronize(network.device)
    return time.perf_counter() - started
