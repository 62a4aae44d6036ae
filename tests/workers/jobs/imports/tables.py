"""Files of results, written by a code of our own from what they shall say."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

CATEGORIES = ("color", "object", "part", "scene")


def netdissect(units: Mapping[int, Mapping[str, tuple[str, int, int, int]]], whole: type = int) -> bytes:
    """By unit, from 0, and category: label, cells of the concept, of the unit, of both."""
    return write(_netdissect_row(unit, found, whole) for unit, found in units.items())


def _netdissect_row(unit: int, found: Mapping[str, tuple[str, int, int, int]], whole: type) -> dict[str, Any]:
    row: dict[str, Any] = {"unit": unit + 1, "category": "", "label": "", "score": -1.0}
    for category in CATEGORIES:
        label, truth, activation, both = found.get(category, ("-", 10, 0, 0))
        iou = both / (truth + activation - both)
        counts = {"truth": whole(truth), "activation": whole(activation), "intersect": whole(both)}
        row |= {f"{category}-{name}": value for name, value in {"label": label, **counts, "iou": iou}.items()}
        if iou > row["score"]:
            row |= {"category": category, "label": label, "score": iou}
    return row


def clip_dissect(rows: Iterable[tuple[str, int, str, float]]) -> bytes:
    """Layer, unit from 0, description, similarity."""
    return write(dict(zip(("layer", "unit", "description", "similarity"), row, strict=True)) for row in rows)


def write(rows: Iterable[Mapping[str, Any]]) -> bytes:
    rows = list(rows)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()
