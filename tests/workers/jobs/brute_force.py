"""A dissection by another road: all samples in memory, float64, and no code of the service."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from tests.workers.jobs.worlds import NAMES, World

BATCH = 16


@dataclass
class Oracle:
    """What the service must find in a layer; units are rows, concepts columns."""

    thresholds: np.ndarray
    areas: np.ndarray
    intersections: np.ndarray
    unions: np.ndarray
    peaks: np.ndarray
    """(n, U)"""
    clear: np.ndarray
    """Units none of whose samples lies so near the threshold that rounding decides on which side."""
    alive: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        return self.intersections / np.maximum(self.unions, 1)

    def labels(self, concepts: list[tuple[str, str]]) -> list[tuple[str, str] | None]:
        return [
            concepts[int(np.argmax(scores))] if alive and scores.max() > 0 else None
            for scores, alive in zip(self.iou, self.alive, strict=True)
        ]


def see(world: World, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """The images squashed to the network's input, (n, 3, H, W), then (pixel / 255 - mean) / std in float32."""
    squashed = [
        np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)) for image in world.images
    ]
    scaled = np.stack(squashed) * np.float32(1 / 255)
    return torch.from_numpy((scaled - np.float32(mean)) / np.float32(std)).permute(0, 3, 1, 2).contiguous()


def carriers(world: World, grid: int, masks: bool = True, colors: bool = False) -> dict[tuple[str, str], np.ndarray]:
    """Where each concept is: (n, G, G) of truth values."""
    found = {}
    if masks:
        for category, name in world.concepts:
            number = 1 + [n for c, n in world.concepts if c == category].index(name)
            found[category, name] = np.stack([_nearest(mask, grid) == number for mask in world.masks[category]])
    if colors:
        painted = np.stack([_nearest(colors, grid) for colors in world.colors])
        names = ["black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow"]
        palette = list(NAMES.values())
        found |= {("color", n): painted == (palette.index(n) if n in palette else -1) for n in names}
    return found


def _nearest(mask: np.ndarray, grid: int) -> np.ndarray:
    rows, columns = ([floor(Fraction(2 * i + 1, 2 * grid) * side) for i in range(grid)] for side in mask.shape[:2])
    return mask[rows][:, columns]


def layer_maps(module: nn.Module, layer: str, pixels: Tensor) -> Tensor:
    """The last output of a layer in a pass, copied before the next module changes it.

    In the service's batches, for the rounding of a convolution depends on how many images it is given at once.
    """
    maps = []
    for batch in pixels.split(BATCH):
        kept: list[Tensor] = []
        hook = module.get_submodule(layer).register_forward_hook(lambda _m, _i, out, k=kept: k.append(out.clone()))
        with torch.no_grad():
            module(batch)
        hook.remove()
        maps.append(kept[-1])
    return torch.cat(maps)


def upsample(maps: Tensor, grid: int, mode: str) -> Tensor:
    """(n, U, h, w) -> (n, U, G, G), by torch's own sampler; in "edge", sides that shrink are averaged."""
    maps = maps.double()
    if mode == "edge":
        for axis in (2, 3):
            if maps.shape[axis] > grid:
                parts = maps.repeat_interleave(grid, axis).unflatten(axis, (grid, maps.shape[axis]))
                maps = parts.mean(axis + 1)
    centres = (torch.arange(grid, dtype=torch.float64) + 0.5) * 2 / grid - 1
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    places = torch.stack([columns, rows], -1).expand(len(maps), -1, -1, -1)
    padding = {"zero": "zeros", "edge": "border"}[mode]
    samples = F.grid_sample(maps, places, mode="bilinear", padding_mode=padding, align_corners=False)
    # a coordinate that is a hair off a cell's centre leaves a hair of its neighbour, where there should be nothing
    return torch.where(samples.abs() < 1e-12, 0, samples)


def dissect(
    maps: Tensor, carriers: dict[tuple[str, str], np.ndarray], grid: int, mode: str, quantile: float = 0.01
) -> Oracle:
    samples = upsample(maps, grid, mode).numpy().astype(np.float32)
    units = samples.shape[1]
    found = Oracle(
        np.zeros(units),
        np.zeros(units, int),
        np.zeros((units, len(carriers)), int),
        np.zeros((units, len(carriers)), int),
        maps.amax((2, 3)).numpy(),
        np.zeros(units, bool),
        np.zeros(units, bool),
    )
    for unit in range(units):
        values = samples[:, unit]
        level = np.quantile(values.astype(np.float64), 1 - quantile, method="hazen")
        inside = values > level
        distance = np.abs(values - level)
        found.thresholds[unit], found.areas[unit] = level, inside.sum()
        near = distance < 2e-6 * abs(level)
        # equal samples stay equal where nothing is computed
        found.clear[unit] = not (near & (distance > 0 if maps.shape[-1] == grid else True)).any()
        found.alive[unit] = maps[:, unit].max() > maps[:, unit].min() and (level > 0 or maps[:, unit].max() > 0)
        for concept, where in enumerate(carriers.values()):
            found.intersections[unit, concept] = (inside & where).sum()
            found.unions[unit, concept] = (inside | where).sum()
    return found
