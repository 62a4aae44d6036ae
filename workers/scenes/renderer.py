"""The built-in world: pictures of scenes with exact pixel labels, the same for the same (seed, index) everywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from workers.scenes import landscapes, rooms
from workers.scenes.canvas import SIZE, Canvas
from workers.scenes.concepts import CONCEPTS

_PAINTERS: dict[str, Callable[[Canvas], None]] = {
    "beach": landscapes.beach,
    "lake": landscapes.lake,
    "harbor": landscapes.harbor,
    "mountain": landscapes.mountain,
    "ski_slope": landscapes.ski_slope,
    "forest": landscapes.forest,
    "desert": landscapes.desert,
    "farm": landscapes.farm,
    "park": landscapes.park,
    "church": landscapes.churchyard,
    "house": landscapes.suburb,
    "street": landscapes.street,
    "highway": landscapes.highway,
    "bedroom": rooms.bedroom,
    "living_room": rooms.living_room,
    "kitchen": rooms.kitchen,
    "dining_room": rooms.dining_room,
    "bathroom": rooms.bathroom,
    "office": rooms.office,
    "classroom": rooms.classroom,
}
SCENES: tuple[str, ...] = tuple(_PAINTERS)
INDOORS = SCENES.index("bedroom")  # this scene and those after it
INTRUSIONS = (0, 0, 1, 1, 2)  # how many things from other scenes a picture holds, drawn evenly
SPLITS: dict[str, tuple[int, int]] = {
    "scenes-train": (1, 24_000),
    "scenes-validation": (2, 2_000),
    "scenes-test": (3, 2_000),
}

__all__ = ["CONCEPTS", "SCENES", "SIZE", "SPLITS", "Scene", "render", "scene_of"]


@dataclass(frozen=True)
class Scene:
    """One picture of the world.

    Attributes
    ----------
    image : NDArray[np.uint8]
        RGB, (64, 64, 3).
    labels : dict[str, NDArray[np.uint16]]
        For each category a map (64, 64) of 1 + the concept's position in CONCEPTS, 0 where there is none.
    scene : int
        The class, a position in SCENES.
    """

    image: NDArray[np.uint8]
    labels: dict[str, NDArray[np.uint16]]
    scene: int


def scene_of(seed: int, index: int) -> int:
    """The class of a picture: each block of len(SCENES) pictures holds every class once, in an order of its own."""
    # A fixed order would let a stride that shares a factor with len(SCENES) see a few classes only.
    block, place = divmod(index, len(SCENES))
    return Random(f"order/{seed}/{block}").sample(range(len(SCENES)), len(SCENES))[place]  # noqa: S311


def render(seed: int, index: int) -> Scene:
    """Paint picture `index` of the split with this seed, independently of any other picture."""
    scene = scene_of(seed, index)
    canvas = Canvas(Random(f"picture/{seed}/{index}"))  # noqa: S311
    _PAINTERS[SCENES[scene]](canvas)
    surroundings = rooms if scene >= INDOORS else landscapes
    for _ in range(canvas.rng.choice(INTRUSIONS)):
        surroundings.intrude(canvas)
    image, labels = canvas.finish()
    return Scene(image, labels, scene)
