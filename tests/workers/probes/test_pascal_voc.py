"""The format `pascal-voc`: which images are taken, what their masks mean, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from workers.networks.inputs import InputSpec
from workers.probes.pascal_voc import OBJECTS

Tree = dict[str, bytes | str]
ROOT = "VOCdevkit/VOC2012/"
CHOICES = np.array([0, 1, 15, 20, 255], np.uint8)


def palette_png(numbers: np.ndarray, png) -> bytes:
    image = Image.fromarray(numbers)
    image.putpalette([value for color in range(256) for value in (255 - color, color * 7 % 256, color // 3)])
    return png(image)


@pytest.fixture
def voc(png) -> Tree:
    rng = np.random.default_rng(3)
    tree: Tree = {f"{ROOT}ImageSets/Segmentation/val.txt": "2007_2\n2007_1\n", f"{ROOT}Annotations/2007_1.xml": "<a/>"}
    for name in ("2007_1", "2007_2", "2007_3"):
        tree[f"{ROOT}JPEGImages/{name}.jpg"] = png(rng.integers(0, 256, (20, 30, 3), np.uint8), "JPEG")
        tree[f"{ROOT}SegmentationClass/{name}.png"] = palette_png(rng.choice(CHOICES, (20, 30)), png)
    tree[f"{ROOT}JPEGImages/2007_4.jpg"] = png(np.zeros((20, 30, 3), np.uint8), "JPEG")
    return tree


def test_labels_are_the_palette_indices(desk, voc: Tree) -> None:
    probe = desk.open(desk.write(voc), "pascal-voc")
    assert [image.name for image in probe.images] == ["2007_1", "2007_2"]
    assert ([c.name for c in probe.concepts], probe.channels, probe.classes) == (list(OBJECTS), ["object"], [])
    assert (len(OBJECTS), OBJECTS[0], OBJECTS[14], OBJECTS[19]) == (20, "aeroplane", "person", "tvmonitor")
    for index, name in enumerate(["2007_1", "2007_2"]):
        indices = np.array(Image.open(desk.folder / f"{ROOT}SegmentationClass/{name}.png"))
        found = probe.labels(index, (20, 30), InputSpec(resize=(20, 30)).geometry, 10)[0]
        seen = indices[1::2, 1::3]
        assert np.array_equal(found, np.where(seen == 255, 0, seen))


def test_without_a_list_all_images_with_masks_are_taken(desk, voc: Tree) -> None:
    del voc[f"{ROOT}ImageSets/Segmentation/val.txt"]
    probe = desk.open(desk.write(voc), "pascal-voc")
    assert [image.name for image in probe.images] == ["2007_1", "2007_2", "2007_3"]


@pytest.mark.parametrize("root", ["", ROOT])
def test_folder_and_archive_agree(desk, voc: Tree, root: str) -> None:
    voc = {name.replace(ROOT, root): data for name, data in voc.items()}
    assert desk.open(desk.zip(voc), "pascal-voc").images == desk.open(desk.write(voc), "pascal-voc").images


def test_missing_files_are_all_named(desk, voc: Tree) -> None:
    del voc[f"{ROOT}JPEGImages/2007_1.jpg"], voc[f"{ROOT}SegmentationClass/2007_2.png"]
    voc[f"{ROOT}ImageSets/Segmentation/val.txt"] = "2007_1\n2007_2\n../2007_3\n"
    told = [error["detail"] for error in desk.refusal(desk.write(voc), "pascal-voc").errors]
    missing = ["JPEGImages/../2007_3.jpg", "SegmentationClass/../2007_3.png"]
    missing += ["JPEGImages/2007_1.jpg", "SegmentationClass/2007_2.png"]
    assert [detail.partition(" is missing")[0] for detail in told] == [repr(ROOT + name) for name in missing]


def test_other_numbers_sizes_and_places_are_refused(desk, voc: Tree, png) -> None:
    mask = f"{ROOT}SegmentationClass/2007_1.png"
    for pixels, words in [
        (np.full((20, 30), 21, np.uint8), "2007_1.png has numbers that stand for no concept: 21"),
        (np.zeros((20, 15), np.uint8), "2007_1.png is 15 x 20 in size, its image 30 x 20"),
    ]:
        assert words in desk.refusal(desk.write(voc | {mask: png(pixels)}), "pascal-voc").detail
    assert (
        "in colour" in desk.refusal(desk.write(voc | {mask: png(np.zeros((20, 30, 3), np.uint8))}), "pascal-voc").detail
    )
    twins = voc | {"VOC2007/SegmentationClass/1.png": b""}
    assert "VOC2007/SegmentationClass/, VOCdevkit" in desk.refusal(desk.zip(twins), "pascal-voc").detail
    assert "SegmentationClass/" in desk.refusal(desk.zip({"a/b/JPEGImages/1.jpg": b""}), "pascal-voc").detail


def test_an_empty_list_is_refused(desk, voc: Tree) -> None:
    voc[f"{ROOT}ImageSets/Segmentation/val.txt"] = "\n"
    assert "no images with labels" in desk.refusal(desk.write(voc), "pascal-voc").detail
