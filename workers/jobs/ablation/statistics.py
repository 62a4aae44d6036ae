"""What is summed up of the images as they pass: means of the units' maps, and what coactivation follows from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.ablation.importance import Moments
from workers.jobs.kind import ShardContext
from workers.jobs.stored import Stored


@dataclass(frozen=True)
class Statistics(Stored):
    """Of some images: sums of the units' maps (U,), how many values each is of (), and the moments."""

    sums: NDArray[np.float64]
    values: NDArray[np.int64]
    images: NDArray[np.int64]
    units: NDArray[np.float64]
    classes: NDArray[np.float64]
    products: NDArray[np.float64]

    @property
    def moments(self) -> Moments:
        """What the coactivation of units and classes is computed from."""
        return Moments(int(self.images), self.units, self.classes, self.products)


class Sums:
    """Gathers the statistics of batch after batch."""

    def __init__(self) -> None:
        self._sums: NDArray[np.float64] | None = None
        self._values = 0
        self._moments: Moments | None = None

    def add(self, maps: Tensor, logits: Tensor) -> None:
        """Take in maps (B, U, h, w) and logits (B, C)."""
        sums = maps.double().sum((0, 2, 3)).numpy()
        self._sums = sums if self._sums is None else self._sums + sums
        self._values += maps.shape[0] * maps.shape[2] * maps.shape[3]
        found = maps.amax((2, 3)).numpy(), logits.double().softmax(1).numpy()
        if self._moments is None:
            self._moments = Moments.of(*found)
        else:
            self._moments.add(*found)

    def bundle(self) -> Statistics:
        """What was gathered."""
        assert self._sums is not None
        assert self._moments is not None
        arrays = {name: np.asarray(value) for name, value in vars(self._moments).items()}
        return Statistics(sums=self._sums, values=np.asarray(self._values), **arrays)


def load_statistics(context: ShardContext, part: str) -> Statistics:
    """The statistics of a part."""
    return Statistics.load(context.scratch / f"{part}-statistics.npz")
