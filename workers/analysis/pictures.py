"""Pictures of a unit: its top images, dimmed where the unit is silent (Bau et al., PNAS 2020, Fig. 1)."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from workers.analysis.upsampling import Mode, resample

BORDER = (255, 255, 0)
GAP = 4  # pixels of white between the images of a strip


def unit_mask(
    activations: NDArray[np.float32], height: int, width: int, threshold: float, mode: Mode
) -> NDArray[np.bool_]:
    """Where a unit's map (h, w), upsampled to the shown size, exceeds its threshold: (height, width) bool."""
    shown = resample(torch.from_numpy(activations), height, width, mode).numpy()
    return np.asarray(shown > np.float64(threshold))


def masked_image(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Show an image as a unit sees it.

    Parameters
    ----------
    image : (H, W, 3) uint8
    mask : (H, W) bool
        Where the unit is above its threshold.

    Returns
    -------
    (H, W, 3) uint8
        Untouched inside the mask, half as bright outside, a line of one yellow pixel just outside the mask.
    """
    shown = image // 2
    shown[mask] = image[mask]
    shown[_grow(_grow(mask).T).T & ~mask] = BORDER
    return shown


def _grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the rows above and below every pixel."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    return grown


def strip(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Lay images (H, W, 3) of one height side by side on white."""
    gap = np.full((images[0].shape[0], GAP, 3), 255, np.uint8)
    spaced = [part for image in images for part in (gap, image)][1:]
    return np.concatenate(spaced, axis=1)
