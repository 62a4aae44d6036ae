"""Pictures of what the built-in networks do, for people to look at."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from workers.networks.latents import LatentSpec
from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes.churchyards import shrunk
from workers.scenes.classifier import as_input
from workers.scenes.contact_sheet import colours
from workers.scenes.generator import INPUT, RESOLUTION
from workers.scenes.renderer import SPLITS, render
from workers.scenes.segmenter import SceneSegmenter, named

DRAWN = Path("docs/images/drawn-churchyards.png")
SEGMENTED = Path("docs/images/segmented-scenes.png")
COLUMNS, ROWS, PAINTED_ROWS = 16, 8, 2
TILE = 64  # pixels of a shown picture


@torch.no_grad()
def drawn_sheet(generator: ProgressiveGenerator, painted: NDArray[np.uint8]) -> Image.Image:
    """Show painted pictures (n, 64, 64, 3) at the generator's size, and what it draws from latents of seed 1."""
    latents = LatentSpec.from_json(INPUT).draw(1, 0, ROWS * COLUMNS)
    device = next(generator.parameters()).device
    drawn = generator(latents.to(device)).clamp(-1, 1).cpu().numpy()
    return tiled([*shrunk(painted[: PAINTED_ROWS * COLUMNS], RESOLUTION), *drawn])


@torch.no_grad()
def segmented_sheet(segmenter: SceneSegmenter) -> Image.Image:
    """Show scenes of the test split, their objects, and the objects that the segmenter sees, row by row."""
    seed, _ = SPLITS["scenes-test"]
    scenes = [render(seed, index) for index in range(COLUMNS * 2)]
    images = np.stack([scene.image for scene in scenes])
    device = next(segmenter.parameters()).device
    found = named(segmenter(as_input(images).to(device)))[:, 0].cpu().numpy().repeat(2, 1).repeat(2, 2)
    rows = [images, colours()[[scene.labels["object"] for scene in scenes]], colours()[found]]
    tiles = [row[start : start + COLUMNS] for start in range(0, len(scenes), COLUMNS) for row in rows]
    return tiled(np.concatenate(tiles).transpose(0, 3, 1, 2) / 127.5 - 1)


def tiled(pictures: Iterable[NDArray[np.floating]]) -> Image.Image:
    """Lay out pictures (3, h, w) with values from -1 to 1, enlarged without smoothing, in rows of COLUMNS."""
    shown = list(pictures)
    sheet = Image.new("RGB", (COLUMNS * TILE, -(-len(shown) // COLUMNS) * TILE))
    for i, picture in enumerate(shown):
        pixels = np.rint((picture.transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8)
        tile = Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.NEAREST)
        sheet.paste(tile, (i % COLUMNS * TILE, i // COLUMNS * TILE))
    return sheet
