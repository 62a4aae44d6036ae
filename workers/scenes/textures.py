"""Surface textures: fields of relative brightness that a paint is modulated with."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

SIZE = 192  # of a field; an image sees a randomly placed window of it
Field = NDArray[np.float32]


def smooth_noise(random: np.random.RandomState, rows: int, columns: int) -> Field:
    """Noise of unit scale that varies over SIZE/rows by SIZE/columns pixels."""
    coarse = random.standard_normal((rows + 1, columns + 1))
    return _resample(_resample(coarse, 0), 1).astype(np.float32)


def _resample(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    position = np.linspace(0, values.shape[axis] - 1, SIZE, endpoint=False)
    low = position.astype(int)
    share = position - low
    share = share * share * (3 - 2 * share)
    shape = [1, 1]
    shape[axis] = SIZE
    share = share.reshape(shape)
    return np.asarray(np.take(values, low, axis) * (1 - share) + np.take(values, low + 1, axis) * share, np.float64)


def _bricks(height: int, width: int, joint: int) -> Field:
    y, x = np.mgrid[:SIZE, :SIZE]
    shifted = x + (y // height % 2) * (width // 2)
    return np.where((y % height < joint) | (shifted % width < joint), -1.0, 0.3).astype(np.float32)


def _tiles(size: int) -> Field:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.where((y % size < 1) | (x % size < 1), -1.0, 0.3).astype(np.float32)


def _stripes(period: int, axis: int) -> Field:
    position = np.mgrid[:SIZE, :SIZE][axis]
    return np.where(position % period < period // 2, -1.0, 1.0).astype(np.float32)


def _boards(width: int, axis: int, random: np.random.RandomState) -> Field:
    position = np.mgrid[:SIZE, :SIZE][axis]
    tone = random.uniform(-0.6, 0.6, SIZE // width + 1)[position // width]
    return np.where(position % width == 0, -1.6, tone).astype(np.float32)


def _make(random: np.random.RandomState) -> dict[str, Field]:
    return {
        "plain": np.zeros((SIZE, SIZE), np.float32),
        "grain": smooth_noise(random, 96, 96),
        "mottle": smooth_noise(random, 32, 32),
        "cloud": smooth_noise(random, 8, 5) + 0.4 * smooth_noise(random, 24, 14),
        "rock": np.abs(smooth_noise(random, 14, 20)) * -1.5 + 0.6 * smooth_noise(random, 60, 60) + 0.8,
        "leaves": np.sign(smooth_noise(random, 48, 48)) * 0.8 + 0.6 * smooth_noise(random, 64, 64),
        "needles": smooth_noise(random, 40, 90),
        "ripples": smooth_noise(random, 60, 12) + 0.5 * smooth_noise(random, 24, 6),
        "bricks": _bricks(8, 16, 2) + 0.2 * smooth_noise(random, 24, 12),
        "blocks": _bricks(14, 24, 1) + 0.3 * smooth_noise(random, 14, 8),
        "tiles": _tiles(10),
        "planks": _boards(7, 0, random) + 0.25 * smooth_noise(random, 80, 8),
        "boards": _boards(9, 1, random) + 0.25 * smooth_noise(random, 8, 80),
        "weave": smooth_noise(random, 80, 80) * 0.6 + _stripes(4, 0) * 0.3,
        "stripes": _stripes(12, 1),
        "bands": _stripes(10, 0),
    }


@cache
def bank() -> tuple[dict[str, int], Field]:
    """The position of each texture by name, and all textures, float32 (textures, SIZE, SIZE)."""
    # RandomState because NumPy promises its stream never to change.
    textures = _make(np.random.RandomState(2020))
    return {name: i for i, name in enumerate(textures)}, np.stack(list(textures.values())).astype(np.float32)
