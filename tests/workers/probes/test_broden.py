"""The format `broden`: masks and whole-image labels of several categories, and damaged tables."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from workers.networks.inputs import InputSpec
from workers.probes.layout import Concept

Tree = dict[str, bytes | str]
INDEX = """image,split,ih,iw,sh,sw,color,object,part,scene,texture
ade/b.jpg,train,20,20,10,10,ade/b_color.png,ade/b_object.png,ade/b_part_1.png;ade/b_part_2.png,300;301,
dtd/a.jpg,val,20,20,10,10,dtd/a_color.png,,,,40
ade/c.jpg,val,20,20,10,10,,7,ade/c_part_1.png,301,40;0;41
"""
LABELS = """number,name,category,frequency,coverage,syns
1,red-c,color(2),2,0.5,
2,blue-c,color(2),2,0.5,
7,sky,object(2),2,1.5,heavens;blue
600,door,object(1);part(2),3,0.7,
65535,head,part(1),1,0.1,
40,banded,texture(2),2,2.0,
41,dotted,texture(1),1,1.0,
300,street-s,scene(1),1,1.0,
301,"alley, dark-s",scene(2),2,2.0,
999,unused,,0,0,
"""
MASKS = {
    "ade/b_color": [1, 2], "ade/b_object": [0, 7, 600], "ade/b_part_1": [0, 600, 65_535], "ade/b_part_2": [0, 65_535],
    "dtd/a_color": [1, 2], "ade/c_part_1": [600],
}  # fmt: skip


@pytest.fixture
def broden(png) -> Tree:
    rng = np.random.default_rng(4)
    tree: Tree = {"index.csv": INDEX, "label.csv": LABELS, "category.csv": "name,first,last,count,frequency\n"}
    for name in ("ade/b", "dtd/a", "ade/c"):
        tree[f"images/{name}.jpg"] = png(rng.integers(0, 256, (20, 20, 3), np.uint8), "JPEG")
    for name, numbers in MASKS.items():
        picked = rng.choice(np.array(numbers), (10, 10))
        blue = rng.integers(0, 256, (10, 10))
        tree[f"images/{name}.png"] = png(np.stack([picked % 256, picked // 256, blue], -1).astype(np.uint8))
    return tree


def by_hand(folder, image: str, y: int, x: int) -> set[tuple[str, str]]:
    """The concepts of one cell, read from the files as the dataset's documentation says."""
    labels = {int(row["number"]): row["name"] for row in csv.DictReader(io.StringIO(LABELS))}
    (row,) = (row for row in csv.DictReader(io.StringIO(INDEX)) if row["image"] == image)
    found = set()
    for category in ("color", "object", "part", "scene", "texture"):
        for entry in filter(None, row[category].split(";")):
            if entry.isdigit():
                number = int(entry)
            else:
                red, green, _ = Image.open(folder / "images" / entry).getpixel((x, y))
                number = red + 256 * green
            if number:
                found.add((category, labels[number].removesuffix("-c").removesuffix("-s")))
    return found


def test_every_cell_has_the_concepts_of_its_masks_and_of_its_image(desk, broden: Tree) -> None:
    probe = desk.open(desk.write(broden), "broden")
    assert [image.name for image in probe.images] == ["ade/b.jpg", "ade/c.jpg", "dtd/a.jpg"]
    assert probe.channels == ["color", "object", "part", "part", "texture", "texture", "texture", "scene", "scene"]
    for index, image in enumerate(probe.images):
        labels = probe.labels(index, (20, 20), InputSpec(resize=(20, 20)).geometry, 10)
        for y, x in np.ndindex(10, 10):
            shown = [probe.concepts[label - 1] for label in labels[:, y, x] if label]
            assert {tuple(concept) for concept in shown} == by_hand(desk.folder, image.name, y, x)


def test_a_label_of_two_categories_is_two_concepts_and_suffixes_are_dropped(desk, broden: Tree) -> None:
    concepts = desk.register(desk.zip({f"broden1_227/{k}": v for k, v in broden.items()}), "broden").concepts
    assert [concept for concept in concepts if concept.name == "door"] == [("object", "door"), ("part", "door")]
    assert {Concept("color", "red"), Concept("scene", "street"), Concept("scene", "alley, dark")} < set(concepts)
    assert "unused" not in {concept.name for concept in concepts}


FAULTS = [
    ("index.csv", None, ["index.csv is missing"]),
    ("label.csv", None, ["label.csv is missing"]),
    ("images/ade/b.jpg", None, ["'images/ade/b.jpg' is missing"]),
    ("images/ade/b_part_2.png", None, ["'images/ade/b_part_2.png' is missing"]),
    ("index.csv", INDEX.replace(",texture", ""), ["index.csv line 1 lacks the column 'texture'"]),
    ("index.csv", INDEX + "dtd/a.jpg,,,,,,,,,,", ["index.csv line 5", "'dtd/a.jpg' is listed before"]),
    ("index.csv", INDEX.replace("300;301", "300;302"), ["'ade/b.jpg' has the scene 302, which label.csv does not"]),
    ("index.csv", INDEX.replace("300;301", "9" * 5000), ["99.png' is missing".replace(".png", "")]),
    ("index.csv", INDEX.replace("300;301", ";".join(["300"] * 70)), ["needs 77 layers"]),
    ("index.csv", INDEX.splitlines()[0], ["no images with labels"]),
    ("index.csv", INDEX + '"open', ["index.csv line 5"]),
    ("index.csv", b"\xff", ["index.csv is not UTF-8"]),
    ("label.csv", LABELS.replace("object(2)", "object"), ["label.csv line 4: 'object' is not a category with a count"]),
    ("label.csv", LABELS.replace("600,door", "70000,door"), ["label.csv line 5: the number '70000' is not from 1"]),
    ("label.csv", LABELS.replace("2,blue", "1,blue"), ["label.csv line 3: the category color has the number 1"]),
    ("label.csv", LABELS.replace("blue-c", "red"), ["label.csv line 3: the category color has the name 'red'"]),
    ("label.csv", LABELS.replace("object(1);", ""), ["b_object.png has numbers that stand for no concept: 600"]),
    ("label.csv", "number,name,category\n", ["names 0 concepts"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "words"), FAULTS, ids=[fault[2][0][-40:] for fault in FAULTS])
def test_faults_are_refused_by_name(desk, broden: Tree, name: str, data: bytes | str | None, words: list[str]) -> None:
    del broden[name]
    if data is not None:
        broden[name] = data
    for location in (desk.write(broden), desk.zip(broden)):
        told = " ".join(error["detail"] for error in desk.refusal(location, "broden").errors)
        assert all(word in told for word in words), told


def test_a_grey_mask_is_refused(desk, broden: Tree, png) -> None:
    broden["images/ade/b_object.png"] = png(np.zeros((10, 10), np.uint8))
    assert "b_object.png is in grey" in desk.refusal(desk.write(broden), "broden").detail
