"""Churchyards without intruders: the one kind of scene that the built-in generator draws."""

from random import Random

import numpy as np
from numpy.typing import NDArray

from workers.scenes import landscapes
from workers.scenes.canvas import Canvas
from workers.scenes.renderer import SCENES, Scene


def churchyard(seed: int, index: int) -> Scene:
    """Paint churchyard `index` of a seed, independently of any other picture."""
    canvas = Canvas(Random(f"calm/{seed}/{index}"))  # noqa: S311
    landscapes.churchyard(canvas)
    image, labels = canvas.finish()
    return Scene(image, labels, SCENES.index("church"))


def shrunk(images: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Average pictures (n, 64, 64, 3) over squares, to (n, 3, size, size) with values from -1 to 1."""
    count, height, _, channels = images.shape
    squares = images.reshape(count, size, height // size, size, height // size, channels)
    means: NDArray[np.float32] = squares.mean((2, 4), dtype=np.float32)
    return means.transpose(0, 3, 1, 2) / np.float32(127.5) - 1
