"""Top, bottom, left and right half of each object as parts of it (Bau et al., PNAS 2020)."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.networks.inputs import Geometry
from workers.probes.labellers import Labeller
from workers.probes.layout import Concept

OBJECT, PART = "object", "part"
SIDES = ("top", "bottom", "left", "right")


class Halved:
    """A labeller and two more channels for each of its objects: top or bottom half, left or right half."""

    def __init__(self, whole: Labeller) -> None:
        self._whole, self._halves = whole, Halves(whole.concepts, whole.channels)
        self.concepts, self.channels = self._halves.concepts, self._halves.channels

    def labels(self, index: int, image: Image.Image, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        """Label as `Labeller.labels` says."""
        return self._halves.extend(self._whole.labels(index, image, geometry, grid))


class Halves:
    """Two more channels for each object of some labels, and the concepts that they show."""

    def __init__(self, concepts: list[Concept], channels: list[str]) -> None:
        self._split = [channel for channel, category in enumerate(channels) if category == OBJECT]
        objects = [label for label, concept in enumerate(concepts, start=1) if concept.category == OBJECT]
        names = [concepts[label - 1].name for label in objects]
        self.concepts = concepts + [Concept(PART, f"{name}-{side}") for name in names for side in SIDES]
        self.channels = channels + [PART, PART] * len(self._split)
        self._tops = np.zeros(1 + len(concepts), np.uint16)  # the label of each object's top, followed by the others
        self._tops[objects] = 1 + len(concepts) + len(SIDES) * np.arange(len(objects))

    def extend(self, labels: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Add the channels of the halves to the labels (channels, G, G) of an image."""
        return np.concatenate([labels, *(self._halves(labels[channel]) for channel in self._split)])

    def _halves(self, labels: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Label the cells of objects by their halves: (G, G) -> (2, G, G)."""
        lower, right = lower_and_right(labels)
        tops = self._tops[labels]
        return np.where(tops, np.stack([tops + lower, tops + 2 + right]), np.uint16(0)).astype(np.uint16)


def lower_and_right(labels: NDArray[np.uint16]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Split the bounding box of each object in two halves, twice.

    Parameters
    ----------
    labels
        Shape (G, G); equal labels that touch, be it at a corner, are one object, 0 is none.

    Returns
    -------
    lower, right
        Shape (G, G): whether a cell lies in the lower, or right, half of its object's box. Of an odd number of rows or
        columns, the middle one does.
    """
    places, objects = np.indices(labels.shape), _objects(labels)
    return _beyond_the_middle(places[0], objects), _beyond_the_middle(places[1], objects)


def _beyond_the_middle(places: NDArray[np.int64], objects: NDArray[np.int64]) -> NDArray[np.bool_]:
    first, last = np.full(objects.size, objects.size), np.zeros(objects.size, np.int64)
    np.minimum.at(first, objects.ravel(), places.ravel())
    np.maximum.at(last, objects.ravel(), places.ravel())
    middles = (first + last + 1) // 2
    beyond: NDArray[np.bool_] = places >= middles[objects]
    return beyond


def _objects(labels: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Number the connected cells of equal labels: each has the least index of a cell of its object."""
    cells = np.arange(labels.size).reshape(labels.shape)
    some, others = _touching(labels, cells)
    roots = cells.ravel()
    while True:
        one, other = roots[some], roots[others]
        apart = one != other
        if not apart.any():
            return roots.reshape(labels.shape)
        some, others = some[apart], others[apart]
        np.minimum.at(roots, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
        while not np.array_equal(roots, shorter := roots[roots]):
            roots = shorter


def _touching(labels: NDArray[np.uint16], cells: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of neighbouring cells of one object, for each of the four directions in which a neighbour can lie."""
    all_, ahead, behind = slice(None), slice(1, None), slice(None, -1)
    some, others = [], []
    for here, there in (
        ((all_, behind), (all_, ahead)),
        ((behind, all_), (ahead, all_)),
        ((behind, behind), (ahead, ahead)),
        ((behind, ahead), (ahead, behind)),
    ):
        alike = (labels[here] == labels[there]) & (labels[here] > 0)
        some.append(cells[here][alike])
        others.append(cells[there][alike])
    return np.concatenate(some), np.concatenate(others)
