"""How far edited pictures are from untouched ones, as a distance of feature statistics.

Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, NeurIPS 2017: the
Frechet distance of two normal distributions with the means and covariances of features of two sets of pictures. It
grows as sets get smaller, so that it is told beside a floor of the same size: untouched pictures against other ones.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

POOLED = 8
"""Side of the shrunken pictures that are the features where no network gives any: 192 values."""
LEAST = 4
"""Pictures: two for the covariance of each half."""


@dataclass(frozen=True)
class Realism:
    """Distance of edited pictures from other untouched ones, and of untouched ones from others: the floor."""

    distance: float
    floor: float


def realism(untouched: NDArray[np.floating], edited: NDArray[np.floating]) -> Realism:
    """Compare features (n, D) of the same latents' pictures, of 4 and more.

    Edited pictures of every second latent stand against the untouched ones of the others, and the other way round; an
    edit that changes nothing is exactly at the floor.
    """
    halves = untouched[::2], untouched[1::2]
    crossed = frechet_distance(edited[::2], halves[1]), frechet_distance(edited[1::2], halves[0])
    return Realism(sum(crossed) / 2, (frechet_distance(*halves) + frechet_distance(*reversed(halves))) / 2)


def frechet_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)) of features (n, D), (m, D) with covariances A and B."""
    means = [values.mean(axis=0, dtype=np.float64) for values in (a, b)]
    first, second = (_covariance(values) for values in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    # A B and A^(1/2) B A^(1/2) have the same eigenvalues, and the latter is symmetric
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    distance = ((means[0] - means[1]) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * shared
    return max(0.0, float(distance))


def _covariance(values: NDArray[np.floating]) -> NDArray[np.float64]:
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    covariance: NDArray[np.float64] = centred.T @ centred / (len(values) - 1)
    return covariance


def pooled_pixels(pictures: Tensor) -> Tensor:
    """Features of pictures (n, 3, H, W) from 0 to 1: their mean colours on a grid, (n, 3 * POOLED^2)."""
    return adaptive_avg_pool2d(pictures, POOLED).flatten(1)


def pooled_maps(maps: Tensor) -> Tensor:
    """Features of pictures by a network's layer: the mean of each unit's map, (n, U, h, w) -> (n, U)."""
    return torch.mean(maps.float(), dim=(2, 3))
