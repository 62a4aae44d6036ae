"""The eleven basic colours: every pixel has one."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

PROTOTYPES = {  # sRGB in hexadecimal, settled by looking at photographs of streets, animals, people and things
    "black": ("000000", "141414", "1c1814", "14181c"),
    "blue": (
        "1f4fa0",
        "2f6fd0",
        "5b9bd5",
        "1a2a5a",
        "8fbce6",
        "c4e4f6",
        "0000ff",
        "3c5a80",
        "40a0c0",
        "104060",
        "5a6f90",
    ),
    "brown": ("6b4a2f", "8a5a34", "4a2e1a", "a87848", "c49a6a", "7a4a3a", "5a4630"),
    "grey": ("808080", "a0a0a0", "606060", "464646", "303030", "b4b4b4", "7c828a", "8a857c", "2c3034"),
    "green": ("2f6135", "4c8440", "00a000", "7ba248", "1e3a1e", "3a9a70", "a8c880", "5a6a3a"),
    "orange": ("f08030", "e06a10", "ffa040", "d07828", "e8a858"),
    "pink": ("f0a0b8", "e878a8", "ffc8d4", "e85a90", "d89098", "d83078"),
    "purple": ("7040a0", "8b62c4", "4a2a5a", "b48ad0", "800080", "6a4a70"),
    "red": ("c01818", "e03028", "8a1418", "ff0000", "b03838", "600a0a"),
    "white": ("ffffff", "ececec", "e8eef2", "f0ece4"),
    "yellow": ("f2d020", "ffe860", "d0b020", "ffff00", "f0e8a0"),
}
COLORS = tuple(PROTOTYPES)
BITS = 6  # of each channel that the table keeps


def color_map(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Name the colour of every pixel.

    Parameters
    ----------
    rgb
        sRGB, shape (h, w, 3).

    Returns
    -------
    NDArray[np.uint8]
        Shape (h, w), positions in COLORS, the eleven basic colour terms in the order of Bau et al., PNAS 2020.
    """
    red, green, blue = np.moveaxis(rgb >> np.uint8(8 - BITS), -1, 0).astype(np.int32)
    names: NDArray[np.uint8] = _table()[(red << 2 * BITS) | (green << BITS) | blue]
    return names


@cache
def _table() -> NDArray[np.uint8]:
    """The colour of every quantised RGB value: that of the nearest prototype in CIELAB."""
    levels = (np.arange(2**BITS, dtype=np.float32) + 0.5) * 2 ** (8 - BITS)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    colors = [color for color, shades in enumerate(PROTOTYPES.values()) for _ in shades]
    shades = [list(bytes.fromhex(shade)) for shades in PROTOTYPES.values() for shade in shades]
    places, prototypes = _lab(cube), _lab(np.array(shades, np.float32))
    distances = np.stack([((places - prototype) ** 2).sum(axis=1) for prototype in prototypes])
    table: NDArray[np.uint8] = np.array(colors, np.uint8)[distances.argmin(axis=0)]
    return table


def _lab(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB in 0..255 to CIELAB under D65 (IEC 61966-2-1, CIE 15), shape (n, 3)."""
    values = rgb / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32)
    xyz = linear @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
    return lab.astype(np.float32)
