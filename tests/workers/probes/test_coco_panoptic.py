"""The format `coco-panoptic`: segments by colour, categories by number, damaged lists."""

import copy
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from workers.networks.inputs import InputSpec
from workers.probes.layout import Concept

SEGMENTS = {"000001": {3_226_956: 1, 255: 200, 66_051: 1}, "000002": {16_777_215: 90, 256: 200}}
NAMES = {1: "person", 90: "toothbrush", 200: "tree-merged"}
LIST = "annotations/panoptic_val2017.json"


def colors(numbers: np.ndarray) -> np.ndarray:
    return np.stack([numbers % 256, numbers // 256 % 256, numbers // 65_536], axis=-1).astype(np.uint8)


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "info": {},
        "images": [{"id": int(name), "file_name": f"{name}.jpg", "height": 10} for name in (*SEGMENTS, "000003")],
        "annotations": [
            {
                "image_id": int(name),
                "file_name": f"{name}.png",
                "segments_info": [{"id": s, "category_id": c, "iscrowd": 0} for s, c in segments.items()],
            }
            for name, segments in reversed(SEGMENTS.items())
        ],
        "categories": [{"id": n, "name": name, "isthing": int(n < 92)} for n, name in NAMES.items()],
    }


@pytest.fixture
def coco(png) -> dict[str, bytes | str]:
    rng = np.random.default_rng(2)
    tree: dict[str, bytes | str] = {"val2017/000003.jpg": b"", "labels/val2017/000001.txt": "yolo"}
    for name, segments in SEGMENTS.items():
        tree[f"val2017/{name}.jpg"] = png(rng.integers(0, 256, (10, 14, 3), np.uint8), "JPEG")
        tree[f"annotations/panoptic_val2017/{name}.png"] = png(colors(rng.choice([0, *segments], (10, 14))))
    return tree


def test_segments_become_the_objects_of_their_categories(desk, coco, document) -> None:
    probe = desk.open(desk.write(coco | {LIST: json.dumps(document)}), "coco-panoptic")
    assert [image.name for image in probe.images] == list(SEGMENTS)
    assert probe.concepts == [Concept("object", name) for name in NAMES.values()]
    for index, (name, segments) in enumerate(SEGMENTS.items()):
        image = Image.open(desk.folder / f"annotations/panoptic_val2017/{name}.png")
        labels = probe.labels(index, (10, 14), InputSpec(resize=(14, 14)).geometry, 14)[0]
        for y, x in np.ndindex(14, 14):
            red, green, blue = image.getpixel((x, (2 * y + 1) * 10 // 28))
            category = segments.get(red + 256 * green + 65_536 * blue)
            assert labels[y, x] == (0 if category is None else 1 + list(NAMES).index(category))


def test_other_places_of_the_same_files_give_the_same_labels(desk, coco, document) -> None:
    first = desk.open(desk.write(coco | {LIST: json.dumps(document)}), "coco-panoptic")
    moved = {
        name.replace("annotations/pan", "pan").replace("val2017/0", "images/val2017/0", not name.startswith("a")): data
        for name, data in coco.items()
    }
    moved |= {"annotations/panoptic_train2017.json": "", LIST: json.dumps(document)}
    second = desk.open(desk.zip(moved), "coco-panoptic")
    assert second.images == first.images
    geometry = InputSpec(resize=(10, 14)).geometry
    assert np.array_equal(first.labels(0, (10, 14), geometry, 5), second.labels(0, (10, 14), geometry, 5))


def change(path: str, value: Any):
    def spoil(document: dict[str, Any]) -> Any:
        *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        place: Any = document
        for step in way:
            place = place[step]
        place[last] = value
        return document

    return spoil


SPOILED = [
    (lambda d: [d], ["is not an object"]),
    (change("images", None), ["images is no list"]),
    (change("images/1", 7), ["images, entry 1, has no id that is a whole number"]),
    (change("images/0/file_name", 7), ["images, entry 0, has no file_name that is a text"]),
    (change("images/0/file_name", "\ud800.jpg"), ["entry 0, has no file_name", "can be shown"]),
    (change("images/0/file_name", "000009.jpg"), ["val2017/000009.jpg' is missing"]),
    (change("annotations/1/file_name", "../x.png"), ["panoptic_val2017/../x.png' is missing"]),
    (change("annotations/0/image_id", 1), ["000001.png belongs to the image 1", "has a mask already"]),
    (change("annotations/0/image_id", 77), ["000002.png belongs to the image 77", "not listed"]),
    (change("annotations/0/segments_info", {}), ["annotations, entry 0, has no segments_info that is a list"]),
    (change("annotations/0/segments_info/0/category_id", 5), ["the category 5, which is not listed"]),
    (change("annotations/0/segments_info/0/id", 10**30), ["not from 1 to 16,777,215"]),
    (change("annotations/0/segments_info/0/id", 4), ["000002.png has numbers that stand for no concept: 16777215"]),
    (change("annotations", []), ["no images with labels"]),
    (change("categories", []), ["names 0 categories"]),
    (change("categories/1/name", "person"), ["category 90, 'person'", "occurs before"]),
    (change("categories/1/name", ""), ["category 90, ''", "is empty"]),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILED, ids=[words[0] for _, words in SPOILED])
def test_a_list_that_contradicts_itself_is_refused(desk, coco, document, spoil, words: list[str]) -> None:
    text = json.dumps(spoil(copy.deepcopy(document)))
    detail = desk.refusal(desk.write(coco | {LIST: text}), "coco-panoptic").detail
    assert all(word in detail for word in words), detail


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff\x00{", '{"a": ' + "9" * 9999 + "}"])
def test_what_is_no_json_is_refused(desk, coco, text: bytes | str) -> None:
    detail = desk.refusal(desk.zip(coco | {LIST: text}), "coco-panoptic").detail
    assert f"{LIST} is not JSON" in detail


def test_missing_parts_are_named(desk, coco, document) -> None:
    assert "panoptic_val2017.json is missing" in desk.refusal(desk.write(coco), "coco-panoptic").detail
    lists = {f"annotations/panoptic_{part}.json": json.dumps(document) for part in ("val2017", "val2018")}
    assert "several datasets" in desk.refusal(desk.zip(coco | lists), "coco-panoptic").detail
    alone = {LIST: json.dumps(document)} | {name: data for name, data in coco.items() if ".jpg" in name}
    assert "the folder panoptic_val2017/" in desk.refusal(desk.zip(alone), "coco-panoptic").detail


def test_a_grey_or_small_mask_is_refused(desk, coco, document, png) -> None:
    mask = "annotations/panoptic_val2017/000001.png"
    for pixels, words in [(np.zeros((10, 14), np.uint8), "in grey"), (np.zeros((5, 7, 3), np.uint8), "7 x 5 in size")]:
        location = desk.write(coco | {LIST: json.dumps(document), mask: png(pixels)})
        assert words in desk.refusal(location, "coco-panoptic").detail
