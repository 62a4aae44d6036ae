"""From a network and one of its layers to what follows that layer."""

import logging

from service.errors import Invalid
from workers.networks.layers import LayerInfo, list_layers, pick_layers
from workers.networks.network import Network
from workers.networks.tails.checking import TRIED, check_alike, check_reached, check_single, noise
from workers.networks.tails.cut import CutTail
from workers.networks.tails.graph import FEW, MORE, compare
from workers.networks.tails.tail import Tail
from workers.networks.tails.trace import CannotCut, trace
from workers.networks.tails.whole import WholeTail

log = logging.getLogger(__name__)


def open_tail(network: Network, layer: str, memory_bytes: int) -> Tail:
    """Cut a classifier behind a layer, or take the whole network where it cannot be cut.

    Raises
    ------
    Invalid
        If no layer has this name, its output is no map, the classes do not depend on it, or its units are the classes
        themselves; or if what the network says of an image depends on the images beside it.
    """
    found = find_layer(network, layer)
    whole = WholeTail(network, layer, found.units, memory_bytes)
    expected = whole.keep(noise(network, TRIED))
    check_single(whole, expected)
    try:
        cut = _cut(whole, memory_bytes)
        check_alike(cut, whole, expected)
    except Invalid:
        raise
    except Exception as error:  # a network can do anything when it is looked at closely
        whole.reason = str(error) if isinstance(error, CannotCut) else f"{type(error).__name__}: {error}"
        log.info("the whole network runs for layer %s: %s", layer, whole.reason)
        check_reached(whole, expected)
        return whole
    return cut


def find_layer(network: Network, layer: str) -> LayerInfo:
    """Find the layer of this name; raise Invalid where there is none, or its output is no map."""
    try:
        return pick_layers(list_layers(network), [layer])[0]
    except Invalid as error:
        raise Invalid(error.detail, "/layer") from error


def _cut(whole: WholeTail, memory_bytes: int) -> CutTail:
    network, images = whole.network, noise(whole.network, MORE)
    layer = network.module.get_submodule(whole.layer)
    few, more = (trace(network.module, layer, whole.calls, images[:count].clone()) for count in (FEW, MORE))
    return CutTail(whole, compare(few, more), memory_bytes)
