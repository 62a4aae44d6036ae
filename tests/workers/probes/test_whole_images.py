"""Classes of images as scenes: in every cell that shows the image, in no other, and only where they were asked for."""

import json

import numpy as np
import pytest

from workers.networks.inputs import InputSpec
from workers.probes import whole_images
from workers.probes.layout import Concept

Tree = dict[str, bytes | str]
WHOLE = InputSpec(resize=(12, 12)).geometry


@pytest.fixture
def places(png) -> Tree:
    picture = png(np.zeros((8, 12, 3), np.uint8))
    return dict.fromkeys(("cliff/1.png", "abbey/2.png", "beach/3.png", "abbey/1.png"), picture)


def test_a_folder_of_classes_becomes_scenes(desk, places: Tree) -> None:
    probe = desk.open(desk.write(places), "folder", scenes=True)
    assert probe.concepts == [Concept("scene", name) for name in ("abbey", "beach", "cliff")]
    assert (probe.channels, probe.classes) == (["scene"], ["abbey", "beach", "cliff"])
    for index, image in enumerate(probe.images):
        labels = probe.labels(index, (8, 12), WHOLE, 3)
        assert labels.tolist() == [[[1 + image.class_index] * 3] * 3]
        assert probe.concepts[labels[0, 0, 0] - 1].name == image.name.partition("/")[0]


def test_cells_beside_the_image_have_no_scene(desk, places: Tree) -> None:
    probe = desk.open(desk.write(places), "folder", scenes=True)
    labels = probe.labels(3, (8, 12), InputSpec(crop=(16, 24)).geometry, 4)[0]
    assert labels.tolist() == [[0] * 4, [0, 3, 3, 0], [0, 3, 3, 0], [0] * 4]


def test_scenes_come_after_the_masks_and_leave_them_alone(desk, tree: Tree) -> None:
    tree["images/c.png"] = tree["images/a.png"]  # has neither mask nor class
    location = desk.write(tree)
    without, probe = desk.open(location), desk.open(location, scenes=True)
    assert probe.channels == [*without.channels, "scene"]
    assert probe.concepts == [*without.concepts, Concept("scene", "street"), Concept("scene", "forest")]
    for index, (size, scene) in enumerate([((30, 40), 4), ((24, 24), 5), ((30, 40), 0)]):
        labels = probe.labels(index, size, WHOLE, 6)
        assert np.array_equal(labels[:-1], without.labels(index, size, WHOLE, 6))
        assert (labels[-1] == scene).all()


def test_the_digest_stands_for_the_scenes_and_stays_the_same_without(desk, tree: Tree) -> None:
    location = desk.write(tree)
    plain, scenes = desk.register(location).manifest, desk.register(location, scenes=True).manifest
    assert [json.loads(text.partition("\n")[0]) for text in (plain, scenes)] == [
        {"format": "masks", "version": 1}, {"format": "masks", "version": 1, "scenes": True}]  # fmt: skip
    assert plain.partition("\n")[2] == scenes.partition("\n")[2]


def test_images_without_classes_have_no_scenes(desk, tree: Tree) -> None:
    del tree["classes.txt"], tree["labels.csv"]
    refusal = desk.refusal(desk.write(tree), scenes=True)
    assert (refusal.errors[0]["pointer"], "no classes" in refusal.detail) == ("/scenes", True)


def test_a_dataset_with_scenes_gets_no_second_ones(desk, tree: Tree, png) -> None:
    tree["masks/scene/a.png"] = png(np.ones((30, 40), np.uint8))
    tree["concepts.csv"] = f"{tree['concepts.csv']}scene,1,indoor\n"
    location = desk.write(tree)
    refusal = desk.refusal(location, scenes=True)
    assert (refusal.errors[0]["pointer"], "of its own" in refusal.detail) == ("/scenes", True)
    assert desk.register(location).images == 2


def test_more_scenes_than_labels_are_refused(desk, places: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_images, "MAX_CONCEPTS", 2)
    assert "there would be 3 concepts" in desk.refusal(desk.write(places), "folder", scenes=True).detail
