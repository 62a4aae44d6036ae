"""Small datasets in the format `masks`: written as files, and kept as arrays for the brute force."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from tests.workers.jobs.planted import BLACK, BLUE, GREEN, RED, WHITE, YELLOW

NAMES = {RED: "red", GREEN: "green", BLUE: "blue", YELLOW: "yellow", WHITE: "white", BLACK: "black"}


@dataclass
class World:
    """Images and, for each concept, where it is: everything is in the order in which the service counts it."""

    images: list[np.ndarray]
    concepts: list[tuple[str, str]]
    masks: dict[str, list[np.ndarray]]
    """By category, the numbers of each image's mask; number k is the category's k-th concept."""
    colors: list[np.ndarray] = field(default_factory=list)
    """For each pixel of each image the position of its colour in NAMES, where an image has such colours alone."""

    def write(self, folder: Path) -> None:
        rows = []
        for category, name in self.concepts:
            rows.append(f"{category},{1 + self._of(category).index(name)},{name}")
        (folder / "images").mkdir(parents=True)
        (folder / "concepts.csv").write_text("\n".join(["category,number,name", *rows]) + "\n")
        for index, image in enumerate(self.images):
            Image.fromarray(image).save(folder / "images" / f"{index:03}.png")
        for category, masks in self.masks.items():
            (folder / "masks" / category).mkdir(parents=True)
            for index, mask in enumerate(masks):
                Image.fromarray(mask).save(folder / "masks" / category / f"{index:03}.png")

    def _of(self, category: str) -> list[str]:
        return [name for other, name in self.concepts if other == category]


def noise(images: int, height: int = 48, width: int = 40, seed: int = 0) -> World:
    """Blotches over noise; objects in blocks, parts on coarser masks of 16 bits; a concept that is nowhere."""
    rng = np.random.default_rng(seed)
    concepts = [("object", "tree"), ("part", "leaf"), ("object", "sky"), ("object", "unicorn"), ("part", "roof")]
    pictures, objects, parts = [], [], []
    for _ in range(images):
        blotches = rng.integers(0, 200, (height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1)
        pictures.append((blotches + rng.integers(0, 56, (height, width, 3))).astype(np.uint8))
        objects.append(rng.integers(0, 3, (height // 8, width // 8), dtype=np.uint8).repeat(8, 0).repeat(8, 1))
        parts.append(rng.integers(0, 3, (height // 4, width // 4)).astype(np.uint16))
    return World(pictures, concepts, {"object": objects, "part": parts})


def pure(images: int, seed: int = 0) -> World:
    """32 x 32 pixels in blocks of 8, each of shades of one colour; objects cover half blocks."""
    rng = np.random.default_rng(seed)
    palette = np.array(list(NAMES), np.int64)
    pictures, objects, colors = [], [], []
    for _ in range(images):
        colors.append(rng.integers(0, len(palette), (4, 4)).repeat(8, 0).repeat(8, 1))
        pictures.append((palette[colors[-1]] + rng.integers(-10, 11, (32, 32, 3))).clip(0, 255).astype(np.uint8))
        objects.append(rng.integers(0, 4, (8, 4), dtype=np.uint8).repeat(4, 0).repeat(8, 1))
    concepts = [("object", "ball"), ("object", "box"), ("object", "cup")]
    return World(pictures, concepts, {"object": objects}, colors)


def flags(images: int) -> World:
    """Four stripes of 8 rows: blue, white, green, and red beside yellow; sky, wall and tree lie on them.

    The sky is the blue stripe, the wall the white one and the red half, the tree the left half of the green stripe.
    """
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:8], picture[8:16], picture[16:24], picture[24:, :16], picture[24:, 16:] = BLUE, WHITE, GREEN, RED, YELLOW
    mask = np.zeros((32, 32), np.uint8)
    mask[:8], mask[8:16], mask[24:, :16], mask[16:24, :16] = 1, 2, 2, 3
    concepts = [("object", "sky"), ("object", "wall"), ("object", "tree")]
    return World([picture] * images, concepts, {"object": [mask] * images})


def write_classes(folder: Path, classes: dict[str, int], seed: int = 0, side: int = 24) -> list[np.ndarray]:
    """Write so many images of each class, in its own tint, in the format `folder`, and return them in order."""
    rng = np.random.default_rng(seed)
    tints = {name: np.random.default_rng(place).integers(0, 120, 3) for place, name in enumerate(sorted(classes))}
    pictures = []
    for name in sorted(classes, key=str.encode):
        (folder / name).mkdir(parents=True)
        for number in range(classes[name]):
            blotches = rng.integers(0, 100, (side // 4, side // 4, 3)).repeat(4, 0).repeat(4, 1)
            noise = rng.integers(0, 36, (side, side, 3))
            pictures.append((blotches + noise + tints[name]).astype(np.uint8))
            Image.fromarray(pictures[-1]).save(folder / name / f"{number:03}.png")
    return pictures


def write_pure(folder: Path, classes: dict[str, list[tuple[int, int, int]]], images: int) -> None:
    """Write images of one colour each; a class's colours take turns after two."""
    for name, colors in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(images):
            picture = np.full((8, 8, 3), colors[number // 2 % len(colors)], np.uint8)
            picture[number // 8, number % 8] = 120  # no two are alike
            Image.fromarray(picture).save(folder / name / f"{number:03}.png")
