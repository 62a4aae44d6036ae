"""What an attack did to the units of a layer, and what silencing the units that it moved does to the attack."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.attacks.attack import Check
from workers.analysis.attacks.units import moved_most
from workers.jobs.stored import Stored
from workers.jobs.subjects import calls_of
from workers.networks.network import Network
from workers.networks.pixels import normalize
from workers.networks.taps import edit, tap

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""How many units are silenced."""
DRAWS = 5
"""Random sets of each size that are silenced for comparison."""


@dataclass(frozen=True)
class Watched(Stored):
    """A layer on m images, before and after.

    Attributes
    ----------
    before, after : (m, U) float32
        Peaks of the raw maps.
    sizes : (S,) int64
    restored : (m, S) bool
        Whether the attacked image is taken for what it was before once so many of the units moved most are silenced.
    restored_at_random : (m, S) float64
        Share of as many random units' draws with which it is.
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    sizes: NDArray[np.int64]
    restored: NDArray[np.bool_]
    restored_at_random: NDArray[np.float64]


class Watch:
    """A layer of a network, watched and silenced; takes the images one at a time, as whoever looks at one does.

    `check` is called between images.
    """

    def __init__(self, network: Network, layer: str, check: Check) -> None:
        self.network, self.layer, self.check = network, layer, check
        self.calls = calls_of(network, (layer,))[layer]

    def look(self, originals: Tensor, adversarials: Tensor, sources: NDArray[np.int64], numbers: list[int]) -> Watched:
        """Watch images (m, 3, H, W) that were taken for `sources` (m,) before; `numbers` seed the random units."""
        before, after = self._peaks(originals), self._peaks(adversarials)
        sizes = np.array([size for size in SIZES if size < before.shape[1]], np.int64)
        orders = moved_most(after - before)
        restored = np.zeros((len(before), len(sizes)), np.bool_)
        at_random = np.zeros((len(before), len(sizes)))
        for row, (order, number) in enumerate(zip(orders, numbers, strict=True)):
            self.check()
            source = int(sources[row])
            restored[row] = self._silenced(adversarials[row], order, sizes) == source
            random = np.random.default_rng(number)
            draws = [self._silenced(adversarials[row], random.permutation(len(order)), sizes) for _ in range(DRAWS)]
            at_random[row] = np.mean([draw == source for draw in draws], axis=0)
        return Watched(before, after, sizes, restored, at_random)

    @torch.inference_mode()
    def maps(self, pixels: Tensor) -> Tensor:
        """The layer's map of one image (3, H, W): (U, h, w)."""
        with tap(self.network.module, [self.layer]) as maps:
            self.network.module(normalize(pixels[None], self.network.input))
            return maps[self.layer][0]

    def _peaks(self, pixels: Tensor) -> NDArray[np.float32]:
        peaks = [self.maps(image).amax((1, 2)).float().cpu().numpy() for image in pixels]
        return np.stack(peaks)

    @torch.inference_mode()
    def _silenced(self, pixels: Tensor, order: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """What an image is taken for without the first so many units of an order, for each size (S,)."""

        def silence(maps: Tensor) -> None:
            for row, size in enumerate(sizes.tolist()):
                maps[row, order[:size].tolist()] = 0

        if not len(sizes):
            return sizes
        rows = normalize(pixels[None], self.network.input).expand(len(sizes), -1, -1, -1)
        with edit(self.network.module, self.layer, self.calls, silence):
            found: NDArray[np.int64] = self.network.module(rows.contiguous()).argmax(1).cpu().numpy()
        return found
