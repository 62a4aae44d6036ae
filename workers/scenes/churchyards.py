"""Churchyards without intruders: the one kind of scene that the built-in generator draws.

Each is painted from a latent: the painter's random choices follow from its values, in the order in which they are
made, so that near latents give similar pictures. What it leaves open, such as the grain of a texture, is up to chance.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.scenes.built import church, fence, footpath
from workers.scenes.canvas import Canvas
from workers.scenes.landscapes import backdrop, scatter
from workers.scenes.nature import ground, sky, tree
from workers.scenes.renderer import SCENES, Scene

LATENT = 128
TREE = (0, 1, 2, 3, 4, *range(12, 18), 19)  # whether, where and how large, its kind, the colour and width of its crown
CHURCH = (*range(6), *range(8, 13), *range(14, 19), 20, 21, 22, 32, 37)  # colours, sizes and windows


class Dice(Random):
    """Throws that a latent decides, others that are fixed, and all else left to chance."""

    def __init__(
        self, latent: Iterator[float], chance: Random, throws: Iterable[int], fixed: Mapping[int, float]
    ) -> None:
        super().__init__(0)
        self._decided = {throw: NormalDist().cdf(next(latent)) for throw in throws} | dict(fixed)
        self._chance, self._thrown = chance, -1

    def random(self) -> float:
        """Evenly from 0 to 1."""
        self._thrown += 1
        return self._decided[self._thrown] if self._thrown in self._decided else self._chance.random()

    # Random's own take the last bits of a throw, in which near latents do not agree.

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """One of a range."""
        one: int = self.choice(range(start) if stop is None else range(start, stop, step))
        return one

    def choice(self, seq: Any) -> Any:
        """One of a sequence, the later the higher the throw."""
        return seq[min(int(self.random() * len(seq)), len(seq) - 1)]


def latent_of(seed: int, index: int) -> NDArray[np.float32]:
    """The latent of churchyard `index` of a seed, (LATENT,) of N(0, 1)."""
    return np.random.default_rng((seed, index)).standard_normal(LATENT, np.float32)


def churchyard(seed: int, index: int) -> Scene:
    """Paint churchyard `index` of a seed, independently of any other picture."""
    return from_latent(latent_of(seed, index).tolist(), Random(f"churchyard/{seed}/{index}"))  # noqa: S311


def from_latent(latent: Sequence[float], chance: Random) -> Scene:
    """Paint a churchyard of a latent (LATENT,)."""
    c, values = Canvas(chance), iter(latent)

    def decide(throws: Iterable[int], fixed: Mapping[int, float] = {}) -> None:
        c.rng = Dice(values, chance, throws, fixed)

    decide(range(7))
    horizon, lane, x, y, h = (
        c.between(*ends) for ends in ((0.55, 0.7), (0.4, 0.6), (0.3, 0.7), (0.1, 0.18), (0.42, 0.76))
    )
    trodden, fenced = c.chance(0.4), c.chance(0.3)
    decide(range(18))
    sky(c, horizon)
    decide(range(11))
    backdrop(c, horizon)
    decide((0, *range(8, 15)))
    ground(c, c.rng.choice(("grass", "grass", "field", "snow")), horizon)
    decide(range(8))
    if trodden:
        footpath(c, horizon, lane)
    for _ in range(2):
        decide(TREE)
        scatter(c, tree, (0, 1), horizon + 0.02, horizon + 0.08, (0.3, 0.5))
    decide(CHURCH)
    church(c, x, horizon + y, h)
    for _ in range(2):
        decide(TREE)
        scatter(c, tree, (0, 1), horizon + 0.18, 0.95, (0.35, 0.55))
    decide(range(5))
    if fenced:
        fence(c, c.between(0.92, 1.0), c.between(0.1, 0.16))
    decide((2, 3), fixed={6: 1.0})  # warmth and brightness; never mirrored
    image, labels = c.finish()
    return Scene(image, labels, SCENES.index("church"))


def shrunk(images: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Average pictures (n, 64, 64, 3) over squares, to (n, 3, size, size) with values from -1 to 1."""
    count, height, _, channels = images.shape
    squares = images.reshape(count, size, height // size, size, height // size, channels)
    means: NDArray[np.float32] = squares.mean((2, 4), dtype=np.float32)
    return means.transpose(0, 3, 1, 2) / np.float32(127.5) - 1
