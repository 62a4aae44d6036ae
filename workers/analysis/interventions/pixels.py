"""What pictures show, in pixels of concepts: integer counts, so that whatever is formed of them is exact."""

import numpy as np
from numpy.typing import NDArray


def concept_pixels(labels: NDArray[np.uint16], concepts: int) -> NDArray[np.int64]:
    """Count the pixels of each concept in each picture.

    Parameters
    ----------
    labels : (n, channels, G, G) uint16
        1 + a concept's position, 0 for none. A pixel counts once a concept, however many channels show it there.
    concepts : int

    Returns
    -------
    (n, concepts) int64
    """
    pictures, channels = labels.shape[:2]
    flat = np.sort(labels.reshape(pictures, channels, -1), axis=1)
    flat[:, 1:][flat[:, 1:] == flat[:, :-1]] = 0
    places = flat.reshape(pictures, -1) + np.arange(pictures)[:, None] * (concepts + 1)
    counts = np.bincount(places.ravel(), minlength=pictures * (concepts + 1))
    return counts.reshape(pictures, concepts + 1)[:, 1:]


def shows(labels: NDArray[np.uint16], concept: int) -> NDArray[np.bool_]:
    """Where pictures (n, channels, ...) show a concept, by its position: (n, ...)."""
    return np.asarray((labels == concept + 1).any(axis=1))


def replacements(
    before: NDArray[np.uint16], after: NDArray[np.uint16], concept: int, concepts: int
) -> NDArray[np.int64]:
    """Count what the pixels show that lost a concept: (concepts,), over all pictures (n, channels, G, G).

    Of the channels that showed the concept: what stood behind the tree, and not what colour it has.
    """
    lost = (before == concept + 1) & ~shows(after, concept)[:, None]
    return np.bincount(after[lost], minlength=concepts + 1)[1:]


def at_centres(labels: NDArray[np.uint16], height: int, width: int) -> NDArray[np.uint16]:
    """The labels (n, channels, G, G) at the centre of each cell of a map: (n, channels, height, width).

    Source: Bau et al., PNAS 2020, on inserting doors: a cell's context is what the untouched picture shows there.
    """
    rows, columns = (
        ((2 * np.arange(cells) + 1) * side) // (2 * cells)
        for cells, side in zip((height, width), labels.shape[2:], strict=True)
    )
    return labels[:, :, rows[:, None], columns]
