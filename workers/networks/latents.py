"""What a generator is given, and how what it puts out becomes pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.errors import Invalid
from workers.networks.inputs import MAX_NUMBER, Size

MAX_LENGTH = 2**14
LEVELS = 255
BLOCK = 2**20
"""Values of a seed that are drawn at a time."""
HELD = 16
"""Blocks that a process keeps."""
FIELDS = ("latent", "range", "size")


@dataclass(frozen=True)
class LatentSpec:
    """What a generator takes, and the range and size of the pictures that it puts out."""

    shape: tuple[int, ...]
    """Of one latent: (d,) or (d, 1, 1)."""
    low: float = -1.0
    """The value that becomes 0 of a pixel."""
    high: float = 1.0
    """The value that becomes 255."""
    size: Size = (0, 0)
    """Height and width of the pictures, as the dry run found them; zeros before."""

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Read a generator's `input`; raise Invalid that points at the field which is wrong."""
        for name in given:
            if name not in FIELDS:
                problem = f"{name!r} is not part of a generator's input; its fields are latent and range"
                raise Invalid(problem, f"/input/{name}")
        if "latent" not in given:
            raise Invalid("a generator needs the shape of its latents: [d] or [d, 1, 1]", "/input/latent")
        low, high = _parse_range(given.get("range", (-1.0, 1.0)))
        height, width = given.get("size", (0, 0))
        return cls(_parse_shape(given["latent"]), low, high, (height, width))

    def to_json(self) -> dict[str, Any]:
        """Write the description as `from_json` reads it."""
        return {"latent": list(self.shape), "range": [self.low, self.high], "size": list(self.size)}

    @property
    def length(self) -> int:
        """Values of one latent."""
        return self.shape[0]

    def blank(self, count: int) -> Tensor:
        """Make latents of zeros (n, *shape)."""
        return torch.zeros(count, *self.shape)

    def draw(self, seed: int, start: int, stop: int) -> Tensor:
        """Draw the latents `start` up to `stop` of a seed; see `rows`."""
        return self.rows(seed, range(start, stop))

    def rows(self, seed: int, indices: Sequence[int]) -> Tensor:
        """Draw some latents of a seed, each of which is the same whichever others are drawn.

        Parameters
        ----------
        seed
            From 0 to 2**32 - 1.
        indices
            Latent k is the values k * d up to (k + 1) * d of `numpy.random.RandomState(seed).standard_normal`, as in
            the public code of Bau et al., PNAS 2020.

        Returns
        -------
        Tensor
            float32, (n, *shape), on the CPU.
        """
        places = np.array(indices, np.int64)[:, None] * self.length + np.arange(self.length)  # (n, d)
        numbers, inside = np.divmod(places, BLOCK)
        values = np.empty(places.shape, np.float32)
        for number in np.unique(numbers).tolist():
            mine = numbers == number
            values[mine] = _block(seed, number)[inside[mine]]
        return torch.from_numpy(values).reshape(len(values), *self.shape)

    def pixels(self, outputs: Tensor) -> NDArray[np.uint8]:
        """Turn a generator's outputs into pictures.

        Parameters
        ----------
        outputs
            (n, 3, H, W), red first.

        Returns
        -------
        NDArray[np.uint8]
            (n, H, W, 3); `low` and below are 0, `high` and above 255, halves are rounded up as by
            `torchvision.utils.save_image`.

        Raises
        ------
        Invalid
            If any output is no number.
        """
        if not bool(outputs.isfinite().all()):
            raise Invalid("the generator's pictures are not all numbers; its weights are not sound", "/model")
        scaled = (outputs.float() - self.low) / (self.high - self.low)
        levels = (scaled * LEVELS + 0.5).floor().clamp(0, LEVELS).to(torch.uint8)
        pictures: NDArray[np.uint8] = levels.permute(0, 2, 3, 1).cpu().numpy()
        return pictures


@lru_cache(HELD)
def _block(seed: int, number: int) -> NDArray[np.float32]:
    """Values number * BLOCK up to (number + 1) * BLOCK of a seed."""
    generator = np.random.RandomState(seed)
    for _ in range(number):
        generator.standard_normal(BLOCK)
    return generator.standard_normal(BLOCK).astype(np.float32)


def _parse_shape(given: Any) -> tuple[int, ...]:
    if isinstance(given, list | tuple) and (len(given) == 1 or (len(given) == 3 and [*given[1:]] == [1, 1])):
        length = given[0]
        if isinstance(length, int) and not isinstance(length, bool) and 1 <= length <= MAX_LENGTH:
            return tuple(given)
    raise Invalid(f"{given!r} is no shape of a latent: [d] or [d, 1, 1], d from 1 to {MAX_LENGTH}", "/input/latent")


def _parse_range(given: Any) -> tuple[float, float]:
    if isinstance(given, list | tuple) and len(given) == 2:
        numbers = [isinstance(end, int | float) and not isinstance(end, bool) for end in given]
        if all(numbers) and -MAX_NUMBER <= given[0] < given[1] <= MAX_NUMBER:
            return float(given[0]), float(given[1])
    raise Invalid(f"{given!r} is no range of outputs: the values that become 0 and 255, in this order", "/input/range")
