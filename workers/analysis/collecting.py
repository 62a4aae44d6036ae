"""What one pass over a shard's images keeps of a layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.candidates import Candidates, concatenate, extract
from workers.analysis.top_images import TopImages, merge_top_images, top_images
from workers.analysis.upsampling import Mode, reduce_maps


@dataclass(frozen=True)
class BatchMaps:
    """A layer's maps of one batch, brought down to what a dissection needs.

    Attributes
    ----------
    maps : Tensor (B, U, h, w), float32
        The maps, no larger than the grid.
    peaks : Tensor (B, U), float32
        Maximum of each map before it was reduced.
    minima : Tensor (U,), float32
        Minimum of each unit before its maps were reduced.
    """

    maps: Tensor
    peaks: Tensor
    minima: Tensor


@dataclass(frozen=True)
class LayerShard:
    """What a shard of n images keeps of a layer of U units.

    Attributes
    ----------
    candidates : Candidates
        Samples above the units' bounds; positions count the shard's images from 0 in the order they came.
    peaks : (n, U) float32
        Maximum of each raw map.
    minima : (U,) float32
        Minimum of each unit over the shard.
    top : TopImages
        Each unit's images of highest peak.
    """

    candidates: Candidates
    peaks: NDArray[np.float32]
    minima: NDArray[np.float32]
    top: TopImages


def batch_maps(maps: Tensor, grid: int, mode: Mode) -> BatchMaps:
    """Reduce a layer's maps of a batch (B, U, h, w) to the grid and note their extremes.

    Raises
    ------
    ValueError
        If an activation is infinite or not a number; it names the first such unit.
    """
    maps = maps.float().contiguous()  # a network may compute in bfloat16, and lay channels last
    peaks, minima = maps.amax((2, 3)), maps.amin((0, 2, 3))
    finite = peaks.isfinite().all(0) & minima.isfinite()
    if not bool(finite.all()):
        unit = int(finite.int().argmin())
        raise ValueError(f"unit {unit} has an activation that is infinite or not a number")
    return BatchMaps(reduce_maps(maps, grid, mode), peaks, minima)


class LayerCollector:
    """Gathers a layer's batches into its part of a shard.

    Parameters
    ----------
    bounds : Tensor (U,), float32
        Lower bounds of the thresholds, from `pilot_bounds`, on the device of the maps.
    grid, mode
        As for `to_grid`.
    top : int
        Top images kept for each unit.
    """

    def __init__(self, bounds: Tensor, grid: int, mode: Mode, top: int) -> None:
        self._bounds, self._grid, self._mode, self._top = bounds, grid, mode, top
        self._images = 0
        self._candidates: list[Candidates] = []
        self._peaks: list[NDArray[np.float32]] = []
        self._minima: list[NDArray[np.float32]] = []
        self._tops: list[TopImages] = []

    def read(self, batch: BatchMaps, images: NDArray[np.int64]) -> LayerShard:
        """Take from the next batch what is kept of it, and change nothing; `images` (B,) are its dataset indices."""
        return LayerShard(
            extract(batch.maps, batch.peaks, self._bounds, self._grid, self._mode, self._images),
            batch.peaks.cpu().numpy(),
            batch.minima.cpu().numpy(),
            top_images(batch.maps, batch.peaks, images, self._top),
        )

    def keep(self, batch: LayerShard) -> None:
        """Add what was read of the next batch."""
        self._candidates.append(batch.candidates)
        self._peaks.append(batch.peaks)
        self._minima.append(batch.minima)
        self._tops = [merge_top_images([*self._tops, batch.top], self._top)]
        self._images += len(batch.peaks)

    def add(self, batch: BatchMaps, images: NDArray[np.int64]) -> None:
        """Read the next batch and keep it."""
        self.keep(self.read(batch, images))

    @property
    def held_bytes(self) -> int:
        """Memory that the samples take so far."""
        return sum(candidates.values.nbytes + candidates.positions.nbytes for candidates in self._candidates)

    def drain(self) -> Candidates:
        """The samples so far, which are then held no longer."""
        drained, self._candidates = concatenate(self._candidates), []
        return drained

    def shard(self) -> LayerShard:
        """All that was taken in so far, without samples that were drained."""
        return LayerShard(self.drain(), np.concatenate(self._peaks), np.min(self._minima, axis=0), self._tops[0])
