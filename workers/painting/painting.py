"""A painting from its document: the picture with the strokes and without, and what they changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workers.analysis.strokes import Pixels, Stroke, count_pixels, touched_cells, unroll
from workers.jobs.subjects import open_generator, open_labels
from workers.networks.network import Network
from workers.painting.canvas import Canvas, Drawn, Latent, as_png, open_canvas
from workers.painting.context import PaintingContext
from workers.painting.levels import levels
from workers.probes.generated import Labels

MOST_GRID = 256
"""Pixels are counted on a grid as fine as the picture, up to this side."""


@dataclass(frozen=True)
class Painted:
    """What came of a painting; its document says what each unit was drawn as."""

    document: dict[str, Any]
    result: dict[str, Any]
    edited: bytes
    """As is `unedited`, PNG."""
    unedited: bytes


def paint(context: PaintingContext, document: Mapping[str, Any]) -> Painted:
    """Do a painting; raise Invalid where the layer cannot be painted on, Conflict where the model does not load."""
    network, labels, memory = open_generator(context), open_labels(context), context.settings.memory_bytes
    document = _with_levels(document, network, memory)
    canvas = open_canvas(network, document["layer"], _latent(document["latent"]), memory)
    strokes = [_stroke(stroke) for stroke in document["strokes"]]
    edited = canvas.paint(strokes)
    result = _measure(canvas, labels, edited, strokes, tuple(document["segmentation"]))
    return Painted(document, result, as_png(edited), canvas.unedited_png)


def _latent(given: Mapping[str, Any]) -> Latent:
    return tuple(given["vector"]) if "vector" in given else Drawn(given["seed"], given["index"])


def _with_levels(document: Mapping[str, Any], network: Network, memory_bytes: int) -> dict[str, Any]:
    """The document with what units are drawn as, where it leaves that open."""

    def fill(stroke: dict[str, Any]) -> dict[str, Any]:
        if stroke["action"] != "draw" or stroke["values"] is not None:
            return stroke
        found = levels(network, document["layer"], memory_bytes)
        return stroke | {"values": [float(found[unit]) for unit in stroke["units"]]}

    return {**document, "strokes": [fill(stroke) for stroke in document["strokes"]]}


def _stroke(stroke: Mapping[str, Any]) -> Stroke:
    values = [0.0] * len(stroke["units"]) if stroke["values"] is None else stroke["values"]
    height, width = stroke["mask"]["size"]
    mask = unroll(height, width, stroke["mask"]["runs"])
    return Stroke(stroke["units"], torch.tensor(values, dtype=torch.float32), mask, stroke["strength"])


def _measure(
    canvas: Canvas, labels: Labels, edited: NDArray[np.uint8], strokes: Sequence[Stroke], segmentation: tuple[str, ...]
) -> dict[str, Any]:
    grid = min(max(edited.shape[:2]), MOST_GRID)
    if segmentation not in canvas.labels:
        canvas.labels[segmentation] = labels.label(canvas.unedited[None], grid)[0]
    before, after = canvas.labels[segmentation], labels.label(edited[None], grid)[0]
    mask = torch.zeros(edited.shape[:2], dtype=torch.bool)
    for stroke in strokes:
        mask |= stroke.mask
    pixels = count_pixels(before, after, mask, len(labels.concepts))
    return {"grid": grid, "concepts": _changes(labels, pixels), "strokes": [_touched(s, canvas) for s in strokes]}


def _changes(labels: Labels, pixels: Pixels) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = [
        {
            "category": category,
            "name": name,
            "inside": {"before": int(pixels.inside_before[i]), "after": int(pixels.inside_after[i])},
            "outside": {"before": int(pixels.outside_before[i]), "after": int(pixels.outside_after[i])},
        }
        for i, (category, name) in enumerate(labels.concepts)
    ]
    shown = [change for change in changes if any(any(change[where].values()) for where in ("inside", "outside"))]
    return sorted(shown, key=_size, reverse=True)


def _size(change: Mapping[str, Any]) -> int:
    return sum(abs(change[where]["after"] - change[where]["before"]) for where in ("inside", "outside"))


def _touched(stroke: Stroke, canvas: Canvas) -> dict[str, int]:
    cells = touched_cells(stroke, canvas.maps)
    return {"units": len(stroke.units), "cells": int(cells.sum()), "of": cells.numel()}
