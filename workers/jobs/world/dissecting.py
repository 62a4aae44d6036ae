"""What the units of the classifier's last layer detect."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.collecting import LayerCollector, LayerShard, batch_maps
from workers.analysis.intersections import count, iou
from workers.analysis.labels import alive, best_concepts, chart, detectors
from workers.analysis.thresholds import pilot_bounds, safe_bounds, thresholds
from workers.analysis.upsampling import sample_grid
from workers.probes.builtin import GRID
from workers.probes.colors import COLORS, color_map
from workers.scenes.classifier import SceneClassifier, as_input
from workers.scenes.renderer import CONCEPTS, SIZE, render

ALL_CONCEPTS = (*CONCEPTS, *(("color", name) for name in COLORS))
BATCH = 64
QUANTILE, CUTOFF = 0.01, 0.04  # Bau et al., PNAS 2020: of a unit's activations above its threshold; of a detector's IoU


@dataclass(frozen=True)
class Dissection:
    """What the units of a layer detect: distinct concepts by category, and each unit's best IoU (U,)."""

    distinct: dict[str, int]
    ious: NDArray[np.float64]


@torch.inference_mode()
def last_maps(network: SceneClassifier, images: NDArray[np.uint8]) -> Tensor:
    """The last layer's maps of all images, (n, 128, 8, 8)."""
    return torch.cat([network.features(as_input(images[i : i + BATCH])) for i in range(0, len(images), BATCH)])


def picture_labels(seed: int, images: int) -> Iterator[NDArray[np.uint16]]:
    """The labels of each image on the grid, (4, G, G)."""
    step = SIZE // GRID
    for index in range(images):
        scene = render(seed, index)
        colors = color_map(scene.image).astype(np.uint16) + len(CONCEPTS) + 1
        yield np.stack([*scene.labels.values(), colors])[:, step // 2 :: step, step // 2 :: step]


def dissect(maps: Tensor, table: NDArray[np.uint16]) -> Dissection:
    """Label every unit of a layer's maps (n, U, h, w), over images whose labels are in `table`."""
    pilot = np.arange(0, len(maps), 10)
    bounds = pilot_bounds(sample_grid(maps[pilot], pilot, GRID, "zero").numpy(), QUANTILE)
    shard, levels, known = _collect(maps, bounds)
    if not known.all():
        shard, levels, known = _collect(maps, np.where(known, bounds, safe_bounds(shard.minima)))
    ratios = iou(count(shard.candidates, levels, table, len(ALL_CONCEPTS)))
    living = alive(levels, shard.minima, shard.peaks.max(axis=0))
    labels = best_concepts(ratios, living)
    best = np.where(labels >= 0, ratios.max(axis=1), 0)
    return Dissection(chart(labels, detectors(ratios, labels, CUTOFF), ALL_CONCEPTS).distinct, best)


def _collect(maps: Tensor, bounds: NDArray[np.float32]) -> tuple[LayerShard, NDArray[np.float64], NDArray[np.bool_]]:
    """Take in all maps; returns what was kept, the units' thresholds, and which of these the bounds let be known."""
    collector = LayerCollector(torch.from_numpy(bounds), GRID, "zero", top=1)
    for start in range(0, len(maps), BATCH):
        batch = maps[start : start + BATCH]
        collector.add(batch_maps(batch, GRID, "zero"), np.arange(start, start + len(batch)))
    shard = collector.shard()
    return shard, *thresholds([shard.candidates], bounds, shard.minima, len(maps) * GRID**2, QUANTILE)
