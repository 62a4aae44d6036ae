"""Pixels that units and concepts share, counted in integers over all images (Bau et al., PNAS 2020, Eq. 1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.analysis.candidates import Candidates


@dataclass(frozen=True)
class Counts:
    """Pixel counts of U units and C concepts; those of several shards add up.

    Attributes
    ----------
    areas : (U,) int64
        Pixels above the unit's threshold.
    totals : (C,) int64
        Pixels that carry the concept.
    intersections : (U, C) int64
        Pixels above the threshold that carry the concept.
    """

    areas: NDArray[np.int64]
    totals: NDArray[np.int64]
    intersections: NDArray[np.int64]

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.areas + other.areas, self.totals + other.totals, self.intersections + other.intersections)


def label_table(labels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Lay label grids out by pixel and drop repeats, so that a pixel counts once a concept.

    Parameters
    ----------
    labels : (n, channels, G, G) uint16
        0 for none, else 1 + the concept's index. Two channels may carry the same concept.

    Returns
    -------
    (n * G * G, channels) uint16
        Row image * G * G + row * G + column holds the pixel's distinct labels; repeats are 0.
    """
    distinct = labels.copy()
    for channel in range(1, labels.shape[1]):
        for earlier in range(channel):
            distinct[:, channel][labels[:, channel] == labels[:, earlier]] = 0
    return np.ascontiguousarray(distinct.transpose(0, 2, 3, 1)).reshape(-1, labels.shape[1])


def concept_totals(table: NDArray[np.uint16], concepts: int) -> NDArray[np.int64]:
    """Count the pixels of each concept: (pixels, channels) -> (C,) int64.

    Raises
    ------
    ValueError
        If a label lies beyond the concepts.
    """
    totals = _count_labels(table, concepts)
    if len(totals) > concepts:
        raise ValueError(f"label {len(totals)} lies beyond the {concepts} concepts")
    return totals


def image_totals(table: NDArray[np.uint16], images: int, concepts: int) -> NDArray[np.uint32]:
    """Count the pixels of each concept in each image: (n * G * G, channels) -> (n, C) uint32.

    Raises
    ------
    ValueError
        If a label lies beyond the concepts.
    """
    concept_totals(table, concepts)
    labels = table.reshape(images, -1).astype(np.int64)
    shifted = labels + (concepts + 1) * np.arange(images)[:, None]
    counts = np.bincount(shifted.ravel(), minlength=images * (concepts + 1)).reshape(images, -1)
    return counts[:, 1:].astype(np.uint32)


def count(candidates: Candidates, thresholds: NDArray[np.float64], table: NDArray[np.uint16], concepts: int) -> Counts:
    """Count one shard's pixels of every unit, concept and pair of them.

    Parameters
    ----------
    candidates : Candidates
        The shard's samples of U units; all samples above the thresholds are among them.
    thresholds : (U,) float64
        A pixel belongs to a unit if its activation is strictly greater.
    table : (pixels, channels) uint16
        The shard's labels, from `label_table`.
    concepts : int
        Number C of concepts.

    Raises
    ------
    ValueError
        If a label lies beyond the concepts.
    """
    totals = concept_totals(table, concepts)
    areas = np.zeros(candidates.units, np.int64)
    intersections = np.zeros((candidates.units, concepts), np.int64)
    for unit, threshold in enumerate(thresholds):
        inside = candidates.above(unit, threshold)
        areas[unit] = len(inside)
        intersections[unit] = _count_labels(table[inside], concepts)
    return Counts(areas, totals, intersections)


def count_by_image(
    inside: NDArray[np.uint32], table: NDArray[np.uint16], concept: int, images: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count a unit's pixels image by image.

    Parameters
    ----------
    inside : (m,) uint32
        Positions of the unit's pixels in a shard of n images, from `Candidates.above`.
    table : (n * G * G, channels) uint16
        The shard's labels, from `label_table`.
    concept : int
        Index of a concept.
    images : int
        The number n.

    Returns
    -------
    shared, areas : (n,) int64
        The unit's pixels that carry the concept, and all of them.
    """
    image = inside // (len(table) // images)
    carried = np.flatnonzero(table[inside] == concept + 1) // table.shape[1]  # a pixel carries a concept once
    return np.bincount(image[carried], minlength=images), np.bincount(image, minlength=images)


def iou(counts: Counts) -> NDArray[np.float64]:
    """Intersection over union of every unit and concept: (U, C) float64, 0 where the union is empty."""
    union = counts.areas[:, None] + counts.totals - counts.intersections
    ratio: NDArray[np.float64] = counts.intersections / np.maximum(union, 1)
    return ratio


def _count_labels(labels: NDArray[np.uint16], concepts: int) -> NDArray[np.int64]:
    return np.bincount(labels.ravel(), minlength=concepts + 1)[1:]
