"""The format `ade20k`: objects by number, scenes as whole-image concepts, damaged tables."""

import numpy as np
import pytest
from PIL import Image

from workers.networks.inputs import InputSpec
from workers.probes.layout import Concept

Tree = dict[str, bytes | str]
ROOT = "ADEChallengeData2016/"
HEAD = "Idx\tRatio\tTrain\tVal\tStuff\tName\n"
OBJECTS = f"{HEAD}3\t0.1\t5\t2\t1\twall \n22 \t0.1\t5\t2\t1\twater\n13\t0.2\t6\t3\t0\tperson, soul\n"
SCENES = "ADE_train_1 street\nADE_val_1 abbey\nADE_val_2 street\nADE_val_9 zoo\n"


@pytest.fixture
def ade(png) -> Tree:
    rng = np.random.default_rng(9)
    tree: Tree = {f"{ROOT}objectInfo150.txt": OBJECTS, f"{ROOT}sceneCategories.txt": SCENES}
    for name in ("training/ADE_train_1", "validation/ADE_val_1", "validation/ADE_val_2", "validation/ADE_val_3"):
        tree[f"{ROOT}images/{name}.jpg"] = png(rng.integers(0, 256, (16, 12, 3), np.uint8), "JPEG")
        tree[f"{ROOT}annotations/{name}.png"] = png(rng.choice(np.array([0, 3, 13, 22], np.uint8), (16, 12)))
    return tree


def test_objects_and_scenes_are_concepts(desk, ade: Tree) -> None:
    probe = desk.open(desk.write(ade), "ade20k")
    assert [(i.name, i.class_index) for i in probe.images] == [("ADE_val_1", 0), ("ADE_val_2", 1), ("ADE_val_3", None)]
    assert (probe.classes, probe.channels) == (["abbey", "street"], ["object", "scene"])
    assert probe.concepts[:3] == [Concept("object", name) for name in ("wall", "water", "person")]
    assert probe.concepts[3:] == [Concept("scene", name) for name in ("abbey", "street")]
    for index, scene in enumerate([4, 5, 0]):
        mask = np.array(Image.open(desk.folder / f"{ROOT}annotations/validation/ADE_val_{index + 1}.png"))
        labels = probe.labels(index, (16, 12), InputSpec(resize=(16, 12)).geometry, 4)
        assert labels[0].tolist() == [[{0: 0, 3: 1, 22: 2, 13: 3}[n] for n in row] for row in mask[2::4, 1::3].tolist()]
        assert (labels[1] == scene).all()


def test_a_scene_covers_the_image_and_nothing_beside_it(desk, ade: Tree) -> None:
    probe = desk.open(desk.write(ade), "ade20k")
    labels = probe.labels(0, (16, 12), InputSpec(crop=(16, 24)).geometry, 4)[1]
    assert labels.tolist() == [[0, 4, 4, 0]] * 4


def test_scenes_may_be_missing_and_parts_too(desk, ade: Tree) -> None:
    del ade[f"{ROOT}sceneCategories.txt"]
    ade = {name.removeprefix(ROOT): data for name, data in ade.items() if "val" not in name}
    probe = desk.open(desk.write(ade), "ade20k")
    assert ([i.name for i in probe.images], probe.classes, probe.channels) == (["ADE_train_1"], [], ["object"])


FAULTS = [
    ("objectInfo150.txt", None, ["objectInfo150.txt is missing", "names the objects"]),
    ("images/validation/ADE_val_2.jpg", None, ["images/validation/ADE_val_2.jpg' is missing"]),
    ("annotations/validation/ADE_val_2.png", None, ["annotations/validation/ADE_val_2.png' is missing"]),
    ("objectInfo150.txt", "1\t0.1\twall\n", ["line 1 lacks the column 'Idx'"]),
    ("objectInfo150.txt", OBJECTS + "13\t0\t0\t0\t0\tsea\n0\t0\t0\t0\t0\tsky\n", ["line 5", "'13'", "line 6", "'0'"]),
    ("objectInfo150.txt", OBJECTS + "4\t0\t0\t0\t0\twall, rampart\n5\t0\t0\t0\t0\t\n", ["'wall' occurs", "is empty"]),
    ("objectInfo150.txt", OBJECTS.replace("22 ", "21"), ["numbers that stand for no concept: 22"]),
    ("objectInfo150.txt", b"Idx\tName\n1\t\xff\xfe", ["is not UTF-8"]),
    ("sceneCategories.txt", SCENES + "\nADE_val_3 a b\n", ["sceneCategories.txt line 6"]),
]


@pytest.mark.parametrize(("name", "data", "words"), FAULTS)
def test_faults_are_refused_by_name(desk, ade: Tree, name: str, data: bytes | str | None, words: list[str]) -> None:
    del ade[ROOT + name]
    if data is not None:
        ade[ROOT + name] = data
    for location in (desk.write(ade), desk.zip(ade)):
        told = " ".join(error["detail"] for error in desk.refusal(location, "ade20k").errors)
        assert all(word in told for word in words), told


def test_a_mask_of_another_size_is_refused(desk, ade: Tree, png) -> None:
    ade[f"{ROOT}annotations/validation/ADE_val_2.png"] = png(np.zeros((8, 6), np.uint8))
    assert "6 x 8 in size, its image 12 x 16" in desk.refusal(desk.write(ade), "ade20k").detail


def test_the_full_release_is_told_from_the_challenge(desk, png) -> None:
    picture = png(np.zeros((4, 4, 3), np.uint8))
    place = "ADE20K_2021_17_01/images/ADE/validation/urban/street/ADE_val_00000001"
    refusal = desk.refusal(desk.write({f"{place}.jpg": picture, f"{place}_seg.png": picture}), "ade20k")
    assert "full release" in refusal.detail
    assert "ADEChallengeData2016" in refusal.detail
