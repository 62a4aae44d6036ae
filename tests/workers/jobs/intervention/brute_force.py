"""The planted generator `drawer` written once more in numpy, with its units changed by hand."""

import numpy as np

from workers.probes.colors import COLORS, color_map

RED, GREEN, BLUE, BLACK = (COLORS.index(name) for name in ("red", "green", "blue", "black"))
PAINT = np.array([(1, 1, 0, 0, 0, 0), (0, 0, 1, 0, 0, 0), (-1, 0, 0, 1, 0, 0)], np.float64)


def maps_of(seed, first, count):
    """What the units of some latents are: (n, 6, 4, 4)."""
    drawn = np.random.RandomState(seed).standard_normal((first + count) * 4).astype(np.float32)
    on = drawn.reshape(-1, 4)[first:] > 0
    maps = np.zeros((count, 6, 4, 4))
    maps[:, 0, :2, :2] = on[:, 0, None, None]
    maps[:, 1, 3, 3] = on[:, 1]
    maps[:, 2, 0, 2:] = on[:, 2, None]
    maps[:, 3, :2, :2] = 1
    maps[:, 5] = 1
    return maps


def change(maps, units, values=0.0, area=None):
    """The maps with units set to values, everywhere or in an area (4, 4)."""
    changed = maps.copy()
    for unit, value in zip(units, np.broadcast_to(values, len(units)), strict=True):
        changed[:, unit][:, np.ones((4, 4), bool) if area is None else area] = value
    return changed


def pictures(maps):
    """What is drawn: (n, 8, 8, 3) bytes."""
    colors = np.einsum("cu,nuhw->nhwc", PAINT, maps).clip(0, 1)
    return np.floor(255 * colors + 0.5).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)


def colors(maps):
    """The colour of each pixel: (n, 8, 8)."""
    return np.stack([color_map(picture) for picture in pictures(maps)])


def pixels(maps):
    """Pixels of each colour in each picture: (n, 11)."""
    return np.stack([np.bincount(shown.ravel(), minlength=len(COLORS)) for shown in colors(maps)])
