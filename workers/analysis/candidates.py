"""The samples that can still lie above a unit's threshold.

A unit's threshold is the 0.99 quantile of its upsampled maps over all images (Bau et al., PNAS 2020, Methods,
"Network dissection"), so only about the top hundredth of the samples is ever looked at again. They are kept unit by
unit as (value, position), in three flat arrays that a caller may save and map back as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.upsampling import Mode, to_grid

# Maps upsampled at once: enough to fill the processor, few enough to stay in its cache.
BLOCK = 512


@dataclass(frozen=True)
class Candidates:
    """Samples above their unit's bound, unit by unit, within a unit by image.

    Attributes
    ----------
    values : (n,) float32
        Activations.
    positions : (n,) uint32
        image * G * G + row * G + column, the image counted from 0 within its shard.
    offsets : (U + 1,) int64
        Unit u's samples are those from ``offsets[u]`` up to ``offsets[u + 1]``.
    """

    values: NDArray[np.float32]
    positions: NDArray[np.uint32]
    offsets: NDArray[np.int64]

    @property
    def units(self) -> int:
        """Number of units U."""
        return len(self.offsets) - 1

    def of(self, unit: int) -> slice:
        """Where a unit's samples are in `values` and `positions`."""
        return slice(int(self.offsets[unit]), int(self.offsets[unit + 1]))

    def above(self, unit: int, threshold: float) -> NDArray[np.uint32]:
        """Positions (m,) of a unit's samples that are strictly greater than its threshold."""
        of = self.of(unit)
        return self.positions[of][self.values[of] > threshold]


def extract(maps: Tensor, peaks: Tensor, bounds: Tensor, grid: int, mode: Mode, start: int = 0) -> Candidates:
    """Keep the samples on the grid that lie above their unit's bound.

    Parameters
    ----------
    maps : Tensor (B, U, h, w)
        Activation maps, as they are or reduced.
    peaks : Tensor (B, U)
        Maximum of each map. A map whose peak is not above the bound is never upsampled: a sample is a weighted mean
        of its map, and in mode "zero" of zeros too.
    bounds : Tensor (U,), float32
        A sample is kept if it is strictly greater; minus infinity keeps all.
    grid, mode
        As for `to_grid`.
    start : int
        Place of the batch's first image within its shard.

    Raises
    ------
    ValueError
        If the shard's positions do not fit 32 bits.
    """
    images, units = peaks.shape
    pixels = grid * grid
    if (start + images) * pixels > 2**32:
        raise ValueError(
            f"{start + images} images at grid {grid} have more positions than 32 bits hold: use smaller shards"
        )
    ceiling = peaks.clamp(min=0) if mode == "zero" else peaks
    unit, image = (ceiling > bounds).T.nonzero(as_tuple=True)  # sorted by unit, then image
    values, places, kept = [np.empty(0, np.float32)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for first in range(0, len(unit), BLOCK):
        u, i = unit[first : first + BLOCK], image[first : first + BLOCK]
        samples = to_grid(maps[i, u], grid, mode).flatten(1)  # (K, h, w) -> (K, G * G)
        value, place = _above(samples, bounds[u])
        origins = np.arange(len(u)) * pixels  # where the maps lie in the block
        values.append(value)
        kept.append(np.diff(np.searchsorted(place, [*origins, len(u) * pixels])))
        places.append(place + np.repeat((i.cpu().numpy() + start) * pixels - origins, kept[-1]))
    counts = np.bincount(unit.cpu().numpy(), np.concatenate(kept), units).astype(np.int64)
    return Candidates(np.concatenate(values), np.concatenate(places).astype(np.uint32), _offsets(counts))


def concatenate(parts: Sequence[Candidates]) -> Candidates:
    """Merge the candidates of several batches of one shard, in their order, unit by unit."""
    if len(parts) == 1:
        return parts[0]
    slices = [(part, part.of(unit)) for unit in range(parts[0].units) for part in parts]
    counts = np.sum([np.diff(part.offsets) for part in parts], axis=0)
    return Candidates(
        np.concatenate([part.values[where] for part, where in slices]),
        np.concatenate([part.positions[where] for part, where in slices]),
        _offsets(counts),
    )


def take_units(candidates: Candidates, start: int, stop: int) -> Candidates:
    """The candidates of the units from `start` up to `stop`, as views; of mapped files only these bytes are read."""
    offsets = candidates.offsets[start : stop + 1]
    where = slice(int(offsets[0]), int(offsets[-1]))
    return Candidates(candidates.values[where], candidates.positions[where], offsets - offsets[0])


def _above(samples: Tensor, bounds: Tensor) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The samples (K, P) above the bound of their row (K,), and where they lie in the flattened rows."""
    if samples.device.type == "cpu":  # there numpy is three times as fast as torch
        flat = samples.numpy().reshape(-1)
        place = np.flatnonzero(samples.numpy() > bounds.numpy()[:, None])
        return flat[place], place
    found = (samples > bounds[:, None]).view(-1).nonzero().squeeze(1)
    return samples.view(-1)[found].cpu().numpy(), found.cpu().numpy()


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
