"""Where an insertion works: by what the untouched picture shows there, and by the cell.

Bau et al., PNAS 2020: doors appear where doors make sense. Units are set at one cell of the map at a time; the cell's
context is the labels at its centre in the untouched picture, the effect the mean change of the concept's pixels over
its mean pixels in the untouched pictures, told of contexts with enough samples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ENOUGH = 1000
"""Samples, cells of pictures, from which on a context tells (Bau et al., PNAS 2020)."""


@dataclass(frozen=True)
class Contexts:
    """Mean changes by context, for C concepts that may be one; what is not known is 0.

    Attributes
    ----------
    samples, pictures : (C,) int64
        Cells whose centre shows the concept, and the pictures that they are of.
    mean, standard_error : (C,) float64
        Change of the target's pixels a cell. The error is that of a mean over clusters: cells of one picture are alike.
    bounded : (C,) bool
        Whether there is a standard error: two pictures have such cells.
    """

    samples: NDArray[np.int64]
    pictures: NDArray[np.int64]
    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    bounded: NDArray[np.bool_]


def by_context(changes: NDArray[np.int64], centres: NDArray[np.uint16], concepts: int) -> Contexts:
    """Average changes (n, h, w) over the cells of each context; `centres` (n, channels, h, w) are `at_centres`.

    The standard error is Cochran's for the ratio estimator of clusters, Sampling Techniques, 1977, sec. 6.
    """
    samples, sums = _by_picture(changes, centres, concepts)  # (n, C) each
    whole, pictures = samples.sum(axis=0), (samples > 0).sum(axis=0)
    mean = sums.sum(axis=0) / np.maximum(whole, 1)
    squares = ((sums - samples * mean) ** 2).sum(axis=0)
    bounded = pictures > 1
    variance = squares * pictures / np.maximum(pictures - 1, 1)
    error = np.sqrt(variance) / np.maximum(whole, 1)
    return Contexts(whole, pictures, mean, np.where(bounded, error, 0), bounded)


def _by_picture(
    changes: NDArray[np.int64], centres: NDArray[np.uint16], concepts: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    pictures, channels = centres.shape[:2]
    flat = np.sort(centres.reshape(pictures, channels, -1), axis=1)
    flat[:, 1:][flat[:, 1:] == flat[:, :-1]] = 0  # a cell counts once, however many channels show the concept
    places = (flat + np.arange(pictures)[:, None, None] * (concepts + 1)).ravel()
    weights = np.broadcast_to(changes.reshape(pictures, 1, -1), flat.shape).ravel()
    size, shape = pictures * (concepts + 1), (pictures, concepts + 1)
    samples = np.bincount(places, minlength=size).reshape(shape)[:, 1:]
    sums = np.bincount(places, weights, size).astype(np.float64).reshape(shape)[:, 1:]
    return samples, sums


def by_cell(changes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean change at each cell over pictures (n, h, w), and its standard error, 0 of a single picture: (h, w) each."""
    pictures = len(changes)
    error = changes.std(axis=0, ddof=1) / np.sqrt(pictures) if pictures > 1 else np.zeros(changes.shape[1:])
    return changes.mean(axis=0), error
