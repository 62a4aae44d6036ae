"""From IoU to what is said of a unit: its label, the pairs worth keeping, a layer's chart.

Bau et al., PNAS 2020: a unit is labelled with the concept of the highest IoU; it is a detector of it above a cut-off.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CATEGORY_ORDER = ("object", "part", "material", "color")

# Which pairs of a unit and a concept become rows.
CONCEPTS_OF_A_UNIT = 10
UNITS_OF_A_CONCEPT = 20
NOTABLE_IOU = 0.01


def alive(
    thresholds: NDArray[np.float64], minima: NDArray[np.float32], maxima: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which units respond to anything: not those of one value throughout, nor those never above zero.

    All arguments (U,): threshold, minimum and maximum of each unit over all images.
    """
    return (maxima > minima) & ((thresholds > 0) | (maxima > 0))


def best_concepts(iou: NDArray[np.float64], alive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Each unit's label: the concept of its highest IoU, of equals the lowest index; -1 for none.

    Parameters
    ----------
    iou : (U, C) float64
    alive : (U,) bool
        A unit that is not alive has no label; neither has one that meets no concept.
    """
    if iou.shape[1] == 0:
        return np.full(len(iou), -1, np.int64)
    return np.where(alive & (iou.max(axis=1) > 0), iou.argmax(axis=1), -1)


def detectors(iou: NDArray[np.float64], labels: NDArray[np.int64], cutoff: float) -> NDArray[np.bool_]:
    """Which units (U,) are detectors of their label: IoU above the cut-off."""
    units = np.flatnonzero(labels >= 0)
    detects = np.zeros(len(labels), bool)
    detects[units] = iou[units, labels[units]] > cutoff
    return detects


def notable_pairs(iou: NDArray[np.float64], alive: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs to keep as rows: (units, concepts), sorted, of live units with an IoU above 0.

    Each unit's 10 best concepts, each concept's 20 best units, and every pair of IoU 0.01 or more.
    """
    scores = np.where(alive[:, None], iou, 0)
    keep = scores >= NOTABLE_IOU
    np.put_along_axis(keep, _best(-scores, CONCEPTS_OF_A_UNIT, axis=1), True, axis=1)
    np.put_along_axis(keep, _best(-scores, UNITS_OF_A_CONCEPT, axis=0), True, axis=0)
    units, concepts = np.nonzero(keep & (scores > 0))
    return units, concepts


def _best(costs: NDArray[np.float64], count: int, axis: int) -> NDArray[np.int64]:
    # Stable: of equals the lower index.
    return np.argsort(costs, axis=axis, kind="stable").take(range(min(count, costs.shape[axis])), axis=axis)


@dataclass(frozen=True)
class Bar:
    """The number of units that detect one concept."""

    category: str
    concept: str
    units: int


@dataclass(frozen=True)
class Chart:
    """A layer's concepts: one bar for each that has a detector, and how many distinct ones a category has."""

    bars: list[Bar]
    distinct: dict[str, int]


def chart(labels: NDArray[np.int64], detects: NDArray[np.bool_], concepts: Sequence[tuple[str, str]]) -> Chart:
    """Draw up a layer's chart (Bau et al., PNAS 2020, Fig. 1): object, part, material, color, then others by name.

    Parameters
    ----------
    labels, detects : (U,)
        Each unit's label and whether it is a detector of it.
    concepts : sequence of (category, name)
    """
    units = Counter(concepts[label] for label in labels[detects])
    bars = [Bar(category, concept, count) for (category, concept), count in units.items()]
    bars.sort(key=lambda bar: (_category_key(bar.category), -bar.units, bar.concept))
    return Chart(bars, dict(Counter(bar.category for bar in bars)))


def _category_key(category: str) -> tuple[int, str]:
    place = CATEGORY_ORDER.index(category) if category in CATEGORY_ORDER else len(CATEGORY_ORDER)
    return place, category
