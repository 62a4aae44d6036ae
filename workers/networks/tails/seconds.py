"""What an image costs from a layer on."""

from collections.abc import Sequence

from workers.networks.layers import LayerInfo
from workers.networks.network import Network


def tail_seconds(network: Network, layers: Sequence[LayerInfo], forward_seconds: float) -> dict[str, float]:
    """Estimate the seconds that an image takes from each layer on, for the layers at which the network can be cut."""
    return {}
