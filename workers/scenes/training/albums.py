"""The pictures that the built-in networks are trained on, painted once and kept in files."""

import logging
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.scenes.churchyards import churchyard
from workers.scenes.concepts import CATEGORIES
from workers.scenes.renderer import SCENES, SIZE, SPLITS, Scene, render, scene_of

log = logging.getLogger(__name__)

Painter = Callable[[int, int], Scene]
PAINTERS: dict[str, tuple[Painter, int, int]] = {  # painter, seed, count
    **{split: (render, *seed_and_count) for split, seed_and_count in SPLITS.items()},
    "churchyards-train": (churchyard, 1, 16_000),
    "churchyards-validation": (churchyard, 2, 1_000),
}
BUILD = "build/scenes"  # where albums and checkpoints are kept unless told otherwise
CHUNK = 500  # pictures that one process paints at a time


@dataclass(frozen=True)
class Album:
    """Pictures, and what their pixels show.

    Attributes
    ----------
    images : NDArray[np.uint8]
        RGB, (n, 64, 64, 3).
    labels : NDArray[np.uint8]
        (n, 3, 64, 64): for each category 1 + the concept's position in CONCEPTS, 0 where there is none.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def folder(name: str, recipe: Any, parent: str = BUILD) -> Path:
    """The folder for what follows from today's pictures and a recipe: what others left is never taken for it."""
    pictures = b"".join(render(0, index).image.tobytes() for index in range(2 * len(SCENES)))
    digest = sha256(pictures + churchyard(0, 0).image.tobytes() + repr(recipe).encode()).hexdigest()[:16]
    path = Path(parent) / f"{name}-{digest}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def album(name: str, parent: str = BUILD) -> Album:
    """All pictures of a name in PAINTERS, mapped from files that are made where they are missing."""
    _, seed, count = PAINTERS[name]
    images, labels = paths = [folder(name, (seed, count), parent) / f"{kind}.npy" for kind in ("images", "labels")]
    if not all(path.exists() for path in paths):
        _paint(name, images, labels)
    return Album(np.load(images, mmap_mode="r"), np.load(labels, mmap_mode="r"))


def _paint(name: str, *paths: Path) -> None:
    painter, seed, count = PAINTERS[name]
    log.info("painting %d pictures to %s", count, paths[0])
    partial = [path.with_suffix(".part") for path in paths]
    images = np.lib.format.open_memmap(partial[0], "w+", np.uint8, (count, SIZE, SIZE, 3))
    labels = np.lib.format.open_memmap(partial[1], "w+", np.uint8, (count, len(CATEGORIES), SIZE, SIZE))
    ranges = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for chunk, scenes in zip(ranges, pool.map(_chunk, repeat(painter), repeat(seed), ranges), strict=True):
            images[chunk.start : chunk.stop], labels[chunk.start : chunk.stop] = scenes
    for values, old, new in zip((images, labels), partial, paths, strict=True):
        values.flush()
        old.rename(new)


def _chunk(painter: Painter, seed: int, indices: range) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    scenes = [painter(seed, index) for index in indices]
    labels = np.array([[scene.labels[category] for category in CATEGORIES] for scene in scenes], np.uint8)
    return np.stack([scene.image for scene in scenes]), labels


def classes(split: str) -> NDArray[np.int64]:
    """The class of every picture of a split, (n,)."""
    seed, count = SPLITS[split]
    return np.array([scene_of(seed, index) for index in range(count)])
