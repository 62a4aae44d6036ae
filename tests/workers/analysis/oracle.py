"""The same figures by another road: float64, every sample in memory, one image, unit and pixel at a time."""

import numpy as np


def upsample(maps, grid, mode):
    """(..., h, w) -> (..., G, G) by one-dimensional interpolation of each row, then of each column."""
    maps = np.asarray(maps, np.float64)
    maps = np.apply_along_axis(_line, -1, maps, grid, mode)
    return np.apply_along_axis(_line, -2, maps, grid, mode)


def _line(line, grid, mode):
    size = len(line)
    if mode == "edge" and grid < size:
        integral = np.concatenate([[0], np.cumsum(line)])
        return np.diff(np.interp(np.arange(grid + 1) * size / grid, np.arange(size + 1), integral)) * grid / size
    centres = (np.arange(grid) + 0.5) * size / grid - 0.5
    if mode == "edge":
        return np.interp(centres, np.arange(size), line)
    return np.interp(centres, np.arange(-1, size + 1), np.concatenate([[0], line, [0]]))


def threshold(samples, quantile):
    return np.quantile(samples, 1 - quantile, method="hazen")


def iou(samples, level, labels, concepts):
    """(n, G, G) samples of one unit, (n, channels, G, G) labels -> its IoU with each concept."""
    unit, carriers = set(), [set() for _ in range(concepts)]
    for image, rows in enumerate(samples):
        for place in np.ndindex(rows.shape):
            if rows[place] > level:
                unit.add((image, *place))
            for label in labels[(image, slice(None), *place)]:
                if label:
                    carriers[label - 1].add((image, *place))
    return np.array([len(unit & carrier) / len(unit | carrier) if unit | carrier else 0.0 for carrier in carriers])


def label(scores):
    best = -1
    for concept, score in enumerate(scores):
        if score > 0 and (best < 0 or score > scores[best]):
            best = concept
    return best
