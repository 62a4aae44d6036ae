"""From a network and one of its layers to what follows that layer."""

from service.errors import Invalid
from workers.networks.layers import list_layers, pick_layers
from workers.networks.network import Network
from workers.networks.tails.tail import Tail
from workers.networks.tails.whole import WholeTail


def open_tail(network: Network, layer: str, memory_bytes: int) -> Tail:
    """Cut a classifier behind a layer, or take the whole network where it cannot be cut.

    Raises
    ------
    Invalid
        If no layer has this name, its output is no map, the classes do not depend on it, or its units are the classes
        themselves.
    """
    try:
        (found,) = pick_layers(list_layers(network), [layer])
    except Invalid as error:
        raise Invalid(error.detail, "/layer") from error
    return WholeTail(network, layer, found.units, memory_bytes, "it was not tried")
