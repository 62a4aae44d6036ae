"""The images on which a unit's map peaks highest (Bau et al., PNAS 2020, Fig. 1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class TopImages:
    """Each unit's images of highest peak, best first; of equal peaks the lower image index first.

    Attributes
    ----------
    peaks : (U, k) float32
        Maxima of the raw maps.
    images : (U, k) int64
        Indices of the images in the dataset.
    maps : (U, k, h, w) float32
        The reduced maps.
    """

    peaks: NDArray[np.float32]
    images: NDArray[np.int64]
    maps: NDArray[np.float32]


def top_images(maps: Tensor, peaks: Tensor, images: NDArray[np.int64], count: int) -> TopImages:
    """Find each unit's top images in a batch.

    Parameters
    ----------
    maps : Tensor (B, U, h, w)
        Reduced maps.
    peaks : Tensor (B, U)
        Maxima of the raw maps.
    images : (B,) int64
        Indices of the batch's images in the dataset.
    count : int
        How many to keep; fewer come back if the batch is smaller.
    """
    heights = peaks.T.cpu().numpy()  # (U, B)
    order = _best_first(heights, np.broadcast_to(images, heights.shape), count)
    unit = torch.arange(maps.shape[1], device=maps.device)[:, None]
    chosen = maps[torch.from_numpy(order).to(maps.device), unit]  # (B, U, h, w) -> (U, k, h, w)
    return TopImages(np.take_along_axis(heights, order, 1), images[order], chosen.cpu().numpy())


def merge_top_images(parts: Sequence[TopImages], count: int) -> TopImages:
    """Each unit's top images over several batches or shards whose images are disjoint; the parts' order is free."""
    peaks = np.concatenate([part.peaks for part in parts], axis=1)  # (U, sum of k)
    images = np.concatenate([part.images for part in parts], axis=1)
    maps = np.concatenate([part.maps for part in parts], axis=1)
    order = _best_first(peaks, images, count)
    return TopImages(
        np.take_along_axis(peaks, order, 1),
        np.take_along_axis(images, order, 1),
        maps[np.arange(len(maps))[:, None], order],
    )


def _best_first(peaks: NDArray[np.float32], images: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.lexsort((images, -peaks), axis=1)[:, :count]
