"""How far images had to be changed until the network took them for something else, and how many survive a budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Spread:
    """Median and mean of some distances; None of none."""

    median: float | None
    mean: float | None


@dataclass(frozen=True)
class Robustness:
    """What an attack did to `images` images; distances are those of the ones it fooled."""

    images: int
    success_rate: float | None
    l2: Spread
    linf: Spread


def distances(original: Tensor, adversarial: Tensor) -> tuple[Tensor, Tensor]:
    """L2 and L-inf norms (B,), float64, of what two batches of images (B, 3, H, W) differ by."""
    changes = (adversarial.double() - original.double()).flatten(1)
    return changes.norm(dim=1), changes.abs().amax(1)


def summarize(l2: NDArray[np.float64], linf: NDArray[np.float64], images: int) -> Robustness:
    """Sum up an attack on `images` images that fooled some, at distances (n,)."""
    rate = len(l2) / images if images else None
    return Robustness(images, rate, _spread(l2), _spread(linf))


def _spread(values: NDArray[np.float64]) -> Spread:
    return Spread(float(np.median(values)), float(np.mean(values))) if len(values) else Spread(None, None)


def accuracy_curve(successes: NDArray[np.float64], images: int, budgets: Sequence[float]) -> list[float]:
    """Share of `images` images that the network still gets right where each may be changed by as much as a budget.

    Parameters
    ----------
    successes : (n,)
        Distances of the images that are fooled; 0 of those that the network got wrong untouched.
    images
        Number of all images, at least 1.
    budgets
        Distances in the same norm.
    """
    within = np.searchsorted(np.sort(successes), budgets, side="right")
    return [float(share) for share in 1 - within / images]
