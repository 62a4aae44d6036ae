"""The pictures: the same everywhere, fairly spread over the classes, and labelled consistently."""

import hashlib
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest

from workers.probes.colors import color_map
from workers.scenes.concepts import CATEGORIES, NUMBER
from workers.scenes.renderer import CONCEPTS, SCENES, SPLITS, Scene, render, scene_of

OWNERS = {
    "crown": {"tree", "plant"},
    "trunk": {"tree"},
    "peak": {"mountain"},
    "roof": {"house", "church", "barn"},
    "window": {"house", "church", "barn", "building", "car", "boat", "stove"},
    "door": {"house", "church", "barn", "building"},
    "chimney": {"house"},
    "steeple": {"church"},
    "wheel": {"car"},
    "hull": {"boat"},
    "sail": {"boat"},
    "head": {"person", "cow", "streetlight"},
    "leg": {"person", "cow", "bench", "table", "chair"},
    "back": {"bench", "sofa", "chair"},
    "seat": {"bench", "sofa", "chair", "chairlift", "toilet"},
    "pillow": {"bed", "sofa"},
    "headboard": {"bed"},
    "shade": {"parasol", "lamp"},
    "frame": {"window", "picture", "mirror", "blackboard"},
    "handle": {"door", "cabinet", "sink", "bathtub", "toilet", "stove", "refrigerator"},
}


@cache
def pictures() -> list[Scene]:
    return [render(7, index) for index in range(600)]


def digest(scene: Scene) -> str:
    content = [scene.image, *(scene.labels[name] for name in CATEGORIES)]
    return hashlib.sha256(b"".join(part.tobytes() for part in content)).hexdigest()


def test_the_world_is_as_large_as_promised() -> None:
    categories = Counter(category for category, _ in CONCEPTS)
    assert len(SCENES) == len(set(SCENES)) == 20
    assert categories["object"] >= 24
    assert categories["part"] >= 10
    assert categories["material"] >= 5
    assert len(set(CONCEPTS)) == len(CONCEPTS)


def test_a_picture_depends_neither_on_order_nor_on_the_process() -> None:
    indices = [40, 3, 17]
    here = [digest(render(2, index)) for index in indices]
    code = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("other", {__file__!r})
other = importlib.util.module_from_spec(spec)
spec.loader.exec_module(other)
print(*(other.digest(other.render(2, index)) for index in reversed({indices})))
"""
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.split() == here[::-1]


def test_seeds_and_indices_give_different_pictures() -> None:
    assert len({digest(render(seed, index)) for seed in (1, 2) for index in range(20)}) == 40


def test_an_image_and_its_labels_have_the_stated_form() -> None:
    scene = render(1, 0)
    assert scene.image.shape == (64, 64, 3)
    assert scene.image.dtype == np.uint8
    assert list(scene.labels) == list(CATEGORIES)
    for labels in scene.labels.values():
        assert labels.shape == (64, 64)
        assert labels.dtype == np.uint16


def test_every_label_is_of_its_category_and_every_pixel_shows_an_object() -> None:
    for scene in pictures():
        assert (scene.labels["object"] > 0).all()
        for category, labels in scene.labels.items():
            assert all(CONCEPTS[number - 1][0] == category for number in np.unique(labels[labels > 0]))


def test_a_part_lies_inside_its_owner_only() -> None:
    found = defaultdict(set)
    for scene in pictures():
        for part, owner in np.unique([scene.labels["part"].ravel(), scene.labels["object"].ravel()], axis=1).T:
            if part:
                found[CONCEPTS[part - 1][1]].add(CONCEPTS[owner - 1][1])
    assert found.keys() == OWNERS.keys()
    for part, owners in found.items():
        assert owners <= OWNERS[part], part


def test_every_concept_occurs_and_most_objects_in_several_scenes() -> None:
    scenes = defaultdict(set)
    for scene in pictures():
        for labels in scene.labels.values():
            for number in np.unique(labels):
                scenes[number].add(scene.scene)
    assert set(range(1, len(CONCEPTS) + 1)) <= scenes.keys()
    objects = [len(scenes[number]) for (category, _), number in NUMBER.items() if category == "object"]
    assert np.mean(np.array(objects) >= 2) > 0.9


def test_a_colour_tells_little_about_the_object() -> None:
    pixels: dict[int, list[np.ndarray]] = defaultdict(list)
    for scene in pictures():
        colors = color_map(scene.image)
        for number in np.unique(scene.labels["object"]):
            pixels[number].append(np.bincount(colors[scene.labels["object"] == number], minlength=11))
    tables = np.array([np.sum(counts, axis=0) for counts in pixels.values()], float)  # (objects, colours)
    shared = (tables / tables.sum(1, keepdims=True) > 0.02).sum(axis=0)  # objects that come in each colour
    assert (shared >= 5).all()
    varied = np.array([len({int(c.argmax()) for c in counts}) for counts in pixels.values()])
    assert (varied >= 2).all()


@pytest.mark.parametrize("stride", [1, 2, 4, 5, 10, 16, 20, 25, 32, 64, 100])
def test_no_stride_falls_on_few_classes(stride: int) -> None:
    seed, _ = SPLITS["scenes-validation"]
    counts = np.bincount([scene_of(seed, index * stride) for index in range(400)], minlength=len(SCENES))
    assert counts.min() >= 6
    assert counts.max() <= 45


def test_every_block_holds_every_class_once() -> None:
    for start in range(0, 400, len(SCENES)):
        assert sorted(scene_of(1, start + i) for i in range(len(SCENES))) == list(range(len(SCENES)))


def test_a_picture_knows_its_class() -> None:
    assert all(scene.scene == scene_of(7, index) for index, scene in enumerate(pictures()[:40]))
