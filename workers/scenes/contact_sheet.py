"""One picture of the whole world: every scene, and what its pixels are labelled."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from workers.scenes.concepts import CATEGORIES, CONCEPTS
from workers.scenes.renderer import SCENES, SPLITS, Scene, render, scene_of

EXAMPLES = 4  # of each scene; the last one is shown with its labels
COLUMNS = 2
TILE = 96  # pixels of a shown image
GAP = 3
CAPTION = 13


def contact_sheet() -> Image.Image:
    """Show examples of every scene, named, and beside them one example's objects, parts and materials."""
    rows = -(-len(SCENES) // COLUMNS)
    width, height = (EXAMPLES + len(CATEGORIES)) * (TILE + GAP) + 3 * GAP, TILE + GAP + CAPTION
    sheet = Image.new("RGB", (COLUMNS * width, rows * height), "white")
    for scene in range(len(SCENES)):
        column, row = divmod(scene, rows)
        _show(sheet, column * width, row * height, SCENES[scene], _examples(scene))
    return sheet


def _examples(scene: int) -> list[Scene]:
    seed, _ = SPLITS["scenes-test"]
    indices = (index for index in count() if scene_of(seed, index) == scene)
    return [render(seed, next(indices)) for _ in range(EXAMPLES)]


def _show(sheet: Image.Image, left: int, top: int, name: str, examples: Sequence[Scene]) -> None:
    ImageDraw.Draw(sheet).text((left + GAP, top), name.replace("_", " "), fill="black")
    tiles = [Image.fromarray(example.image).resize((TILE, TILE), Image.Resampling.BICUBIC) for example in examples]
    labels = examples[-1].labels.values()
    tiles += [Image.fromarray(colours()[numbers]).resize((TILE, TILE), Image.Resampling.NEAREST) for numbers in labels]
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (left + GAP + i * (TILE + GAP), top + CAPTION))


def colours() -> NDArray[np.uint8]:
    """A colour for every label: black for none, and hues that go round by the golden ratio."""
    hues = (
        hsv_to_rgb(0.618 * i % 1, 0.45 + 0.4 * (i % 3) / 2, 0.95 - 0.35 * (i % 4) / 3) for i in range(len(CONCEPTS))
    )
    return (np.array([(0, 0, 0), *hues]) * 255).astype(np.uint8)
