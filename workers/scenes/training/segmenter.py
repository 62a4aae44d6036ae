"""Train the built-in segmenter on the exact labels of painted pictures.

The pictures of every step depend on (seed, step) alone, and a checkpoint holds the rest.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from workers.scenes.classifier import as_input
from workers.scenes.concepts import CATEGORIES, CONCEPTS
from workers.scenes.renderer import SIZE
from workers.scenes.segmenter import CELL, SceneSegmenter, contests
from workers.scenes.training.albums import Album
from workers.scenes.training.checkpoints import preserve, restore

log = logging.getLogger(__name__)

FIRST = np.array(
    [[category for category, _ in CONCEPTS].index(name) for name in CATEGORIES]
)  # concept of each category


@dataclass(frozen=True)
class SegmenterRecipe:
    """How a segmenter is trained."""

    steps: int = 5000
    batch: int = 32
    churchyards: int = 11  # pictures of a batch that the generator's kind of scene is given
    coarse: int = 16  # pictures of a batch that are seen as the generator's are: at half their resolution
    rate: float = 4e-3
    decay: float = 1e-2
    checkpoint: int = 100  # steps between two checkpoints


def train_segmenter(
    seed: int,
    scenes: Album,
    churchyards: Album,
    recipe: SegmenterRecipe,
    checkpoint: Path,
    after_step: Callable[[int], None] = lambda step: None,
) -> SceneSegmenter:
    """Train a network on pictures and their labels.

    Parameters
    ----------
    seed : int
        Of the first weights and of the order of the pictures.
    scenes, churchyards : Album
    recipe : SegmenterRecipe
    checkpoint : Path
        Where the state is kept between runs; a run goes on from what it finds there.
    after_step : callable
        Told the number of steps done, before they may be written down.

    Returns
    -------
    SceneSegmenter
        In eval mode, on the device it was trained on.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    network = SceneSegmenter().to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=recipe.steps)
    state = {"network": network, "optimizer": optimizer, "schedule": schedule}
    for step in range(restore(state, checkpoint, device), recipe.steps):
        pixels, targets = _batch(seed, step, scenes, churchyards, recipe)
        with torch.autocast(device.type, torch.bfloat16):
            logits = contests(network(pixels.to(device)))
        loss = torch.stack(
            [F.cross_entropy(a.float(), b) for a, b in zip(logits, targets.to(device).unbind(1), strict=True)]
        ).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        after_step(step + 1)
        if (step + 1) % recipe.checkpoint == 0 or step + 1 == recipe.steps:
            log.info("segmenter, step %d of %d: loss %.3f", step + 1, recipe.steps, loss.item())
            preserve(state, step + 1, checkpoint)
    return network.eval()


def _batch(seed: int, step: int, scenes: Album, churchyards: Album, recipe: SegmenterRecipe) -> tuple[Tensor, Tensor]:
    """The input of a step, and what its cells show, (n, 3, 32, 32): 1 + position within the category, 0 for none."""
    random = np.random.default_rng((seed, step))
    counts = ((scenes, recipe.batch - recipe.churchyards), (churchyards, recipe.churchyards))
    chosen = [(album, np.sort(random.integers(len(album.images), size=count))) for album, count in counts]
    images = np.concatenate([album.images[places] for album, places in chosen])
    labels = np.concatenate([album.labels[places] for album, places in chosen])
    pixels = as_input(images)
    coarse = torch.from_numpy(random.permutation(recipe.batch)[: recipe.coarse])
    pixels[coarse] = as_coarse(pixels[coarse])
    top, left = random.integers(CELL, size=2)  # any of a cell's pixels may speak for it
    return pixels, torch.from_numpy(within_category(labels[:, :, top::CELL, left::CELL]))


def as_coarse(pixels: Tensor) -> Tensor:
    """What is left of an input (n, 3, 64, 64) that was a picture of half its size."""
    return F.interpolate(F.avg_pool2d(pixels, 2), (SIZE, SIZE), mode="bilinear", align_corners=False)


def within_category(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Turn positions in CONCEPTS into such within the category, both from 1 and 0 for none: (n, 3, h, w)."""
    return np.where(labels, labels.astype(np.int64) - FIRST[:, None, None], 0)


@torch.no_grad()
def score(network: SceneSegmenter, album: Album, coarse: bool) -> dict[str, tuple[float, float]]:
    """For each category the share of cells that are named right, and the mean IoU of the concepts that there are."""
    counts = [np.zeros((n, n), np.int64) for n in (1 + sum(c == name for c, _ in CONCEPTS) for name in CATEGORIES)]
    for start in range(0, len(album.images), 100):
        pixels = as_input(album.images[start : start + 100])
        logits = contests(network(as_coarse(pixels) if coarse else pixels))
        targets = within_category(album.labels[start : start + 100, :, 1::CELL, 1::CELL])
        for table, found, target in zip(counts, logits, np.moveaxis(targets, 1, 0), strict=True):
            np.add.at(table, (target, found.argmax(1).numpy()), 1)
    return {name: _accuracy_and_iou(table) for name, table in zip(CATEGORIES, counts, strict=True)}


def _accuracy_and_iou(table: NDArray[np.int64]) -> tuple[float, float]:
    hits, truth, found = np.diag(table), table.sum(1), table.sum(0)
    shown = (truth > 0) & (np.arange(len(table)) > 0)
    return float(hits.sum() / table.sum()), float(np.mean((hits / np.maximum(truth + found - hits, 1))[shown]))
