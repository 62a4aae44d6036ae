"""Could it be chance? What units score against other images' masks, and what random directions of a layer score.

`permutation`: the masks of all images are shuffled among the images, which keeps how large and where concepts are and
breaks what they have to do with the activations. `rotation`: the layer in a random orthogonal basis, which keeps all
that the layer represents and breaks what is special about its units (Bau et al., CVPR 2017, section 3.2).
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PERMUTATIONS = 200


def permutations(images: int, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Draw the orders in which the masks of n images are dealt out to them, (n,) each."""
    random = np.random.default_rng(seed)
    for _ in range(PERMUTATIONS):
        yield random.permutation(images)


def shuffled_iou(
    images: NDArray[np.int64],
    cells: NDArray[np.int64],
    totals: NDArray[np.int64],
    table: NDArray[np.uint16],
    orders: Iterable[NDArray[np.int64]],
) -> NDArray[np.float64]:
    """IoU of a unit with each of C concepts when the masks are dealt out anew, P times.

    Parameters
    ----------
    images, cells : (m,) int64
        The unit's pixels above its threshold: image, and row * G + column.
    totals : (C,) int64
        Pixels that carry each concept.
    table : (n * G * G, channels) uint16
        Labels of all images, from `label_table`.
    orders : P times (n,) int64
        The image whose mask each image is given, from `permutations`.

    Returns
    -------
    (P, C) float64
    """
    shared = [
        np.bincount(table[order[images] * (len(table) // len(order)) + cells].ravel(), minlength=len(totals) + 1)
        for order in orders
    ]
    intersections = np.stack(shared)[:, 1:]
    ratio: NDArray[np.float64] = intersections / np.maximum(len(images) + totals - intersections, 1)
    return ratio


def p_values(reached: NDArray[np.int64], permuted: int = PERMUTATIONS) -> NDArray[np.float64]:
    """Share of the arrangements, the real one among them, in which a figure was reached (Phipson and Smyth, 2010)."""
    shares: NDArray[np.float64] = (1 + reached) / (1 + permuted)
    return shares


def corrected_p_values(scores: NDArray[np.float64], best: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values of IoUs that hold for all units and concepts of a layer at once.

    Parameters
    ----------
    scores : (...) float64
        Real IoUs.
    best : (P,) float64
        The highest IoU of any unit with any concept in each permutation: Westfall and Young's single-step maximum,
        which bounds the chance of a single false finding among all of them.
    """
    ordered = np.sort(best)
    return p_values(len(ordered) - np.searchsorted(ordered, scores, side="left"), len(ordered))


def random_rotation(units: int, seed: int = 0) -> Tensor:
    """Draw an orthogonal matrix (U, U) uniformly, float32; row v is the direction of the new unit v."""
    basis, triangle = np.linalg.qr(np.random.default_rng(seed).standard_normal((units, units)))
    # The signs make the rotation uniformly distributed (Mezzadri, Notices of the AMS 54, 2007).
    return torch.from_numpy(basis * np.sign(np.diag(triangle))).float()


def rotate(maps: Tensor, rotation: Tensor) -> Tensor:
    """Turn the space that a layer's units span: (B, U, h, w), (U, U) -> (B, U, h, w)."""
    return torch.einsum("vu,buhw->bvhw", rotation, maps)
