"""What units are drawn as where no dissection tells: the 0.99 quantile of each over pictures of the generator's own."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.networks.network import Network
from workers.painting.canvas import LAYERS, open_layer

QUANTILE = 0.99
SEED = 1
FEWEST, MOST = 16, 256
"""Latents: as many as `VALUES` allows of the layer's maps."""
VALUES = 2**25
BATCH = 8


@lru_cache(LAYERS)
def levels(network: Network, layer: str, memory_bytes: int) -> NDArray[np.float32]:
    """The 0.99 quantile of each unit's raw map over the first latents of seed 1: (U,)."""
    halves = open_layer(network, layer, memory_bytes)

    def values(start: int, stop: int) -> Tensor:
        with torch.inference_mode():
            maps = halves.maps(halves.front(network.latent.draw(SEED, start, stop).to(network.device)))
            return maps.cpu().movedim(1, 0).flatten(1)  # (U, n * h * w)

    first = values(0, BATCH)
    count = min(max(FEWEST, VALUES * BATCH // first.numel()), MOST)
    rest = [values(start, min(start + BATCH, count)) for start in range(BATCH, count, BATCH)]
    every = torch.cat([first, *rest], dim=1).numpy()
    found: NDArray[np.float32] = np.quantile(every, QUANTILE, axis=1, method="hazen").astype(np.float32)
    return found
