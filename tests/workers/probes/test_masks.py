"""The format `masks`: what is read, and what is refused with which words."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from workers.networks.inputs import Geometry, InputSpec
from workers.probes.layout import Concept

Tree = dict[str, bytes | str]
SPECS = [
    InputSpec(resize=(20, 20)),
    InputSpec(resize=32, crop=(28, 28)),
    InputSpec(resize=(16, 48), crop=(16, 32)),
    InputSpec(crop=(36, 50)),
]


def test_reads_names_concepts_classes_and_digests(desk, tree: Tree) -> None:
    probe = desk.open(desk.write(tree))
    assert [(image.name, image.class_index) for image in probe.images] == [("a", 0), ("b", 1)]
    assert probe.concepts == [Concept("object", "tree"), Concept("object", "house"), Concept("part", "roof")]
    assert (probe.classes, probe.channels) == (["street", "forest"], ["object", "part"])
    assert probe.image(1).mode == "RGB"
    assert np.array_equal(np.asarray(probe.image(0)), np.asarray(Image.open(desk.folder / "images/a.png")))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("grid", [1, 7, 14, 40])
def test_labels_are_those_of_the_pixel_under_each_cell(desk, tree: Tree, spec: InputSpec, grid: int) -> None:
    probe = desk.open(desk.write(tree))
    labels = probe.labels(0, (30, 40), spec.geometry, grid)
    mask = np.asarray(Image.open(desk.folder / "masks/object/a.png"))
    assert labels.dtype == np.uint16
    assert np.array_equal(labels[0], brute_force(mask, (30, 40), spec.geometry, grid, {0: 0, 7: 1, 3: 2}))
    part = np.asarray(Image.open(desk.folder / "masks/part/a.png"))
    assert np.array_equal(labels[1], brute_force(part, (30, 40), spec.geometry, grid, {0: 0, 40_000: 3}))


def brute_force(
    mask: np.ndarray, size: tuple[int, int], geometry: Geometry, grid: int, meaning: dict[int, int]
) -> np.ndarray:
    """Blow the mask up so far that each cell's centre falls inside one pixel, then look at one place at a time."""
    height, width = geometry.resized(size)
    scale = 2 * grid
    rows = np.asarray(Image.fromarray(np.arange(mask.shape[0], dtype=np.int32)[:, None]).resize((1, height * scale), 0))
    cols = np.asarray(Image.fromarray(np.arange(mask.shape[1], dtype=np.int32)[None]).resize((width * scale, 1), 0))
    top, left = geometry.offset(size)
    found = np.zeros((grid, grid), np.uint16)
    for i in range(grid):
        for j in range(grid):
            y = int((i + 0.5) * geometry.size[0] * scale / grid) + top * scale
            x = int((j + 0.5) * geometry.size[1] * scale / grid) + left * scale
            if 0 <= y < len(rows) and 0 <= x < cols.shape[1]:
                found[i, j] = meaning[int(mask[rows[y, 0], cols[0, x]])]
    return found


def test_an_image_without_a_mask_has_no_label(desk, tree: Tree) -> None:
    probe = desk.open(desk.write(tree))
    assert not probe.labels(1, (24, 24), SPECS[0].geometry, 6)[1].any()


def test_masks_without_a_category_are_of_objects(desk, tree: Tree) -> None:
    tree = {name.replace("masks/object/", "masks/"): data for name, data in tree.items()}
    probe = desk.open(desk.write(tree))
    assert probe.labels(1, (24, 24), SPECS[0].geometry, 6)[0].any()


def test_classes_without_a_list_are_in_alphabetical_order(desk, tree: Tree) -> None:
    del tree["classes.txt"]
    probe = desk.open(desk.write(tree))
    assert probe.classes == ["forest", "street"]
    assert [image.class_index for image in probe.images] == [1, 0]


def test_an_archive_gives_the_same_manifest_as_the_folder(desk, tree: Tree) -> None:
    on_disk = desk.register(desk.write(tree))
    packed = desk.register(desk.zip(tree))
    wrapped = {f"set/{name}": data for name, data in tree.items()} | {"__MACOSX/set/._a": b"", "set/.DS_Store": b""}
    assert on_disk.manifest == packed.manifest == desk.register(desk.zip(wrapped)).manifest
    assert (on_disk.images, on_disk.grid) == (2, None)


def test_files_that_do_not_belong_to_it_do_not_change_the_manifest(desk, tree: Tree) -> None:
    before = desk.register(desk.write(tree)).manifest
    assert desk.register(desk.write({"README.txt": "by us", ".hidden": "x"})).manifest == before


FAULTS: list[tuple[str, Callable[[Tree, Callable[..., bytes]], object], list[str]]] = [
    ("no images", lambda t, png: [t.pop("images/a.png"), t.pop("images/b.jpg")], ["no images", "images/"]),
    ("no concepts", lambda t, png: t.pop("concepts.csv"), ["concepts.csv is missing"]),
    ("no masks", lambda t, png: [t.pop(n) for n in list(t) if n.startswith("masks")], ["no masks", "'folder'"]),
    ("an unknown number", lambda t, png: t.update({"masks/object/a.png": png(np.full((9, 9), 200, np.uint8))}), [
        "masks/object/a.png", "200", "stand for no concept"]),
    ("a mask without image", lambda t, png: t.update({"masks/object/c.png": b""}), ["masks/object/c.png", "no image"]),
    ("an unknown category", lambda t, png: t.update({"masks/color/a.png": b""}), ["'color'", "object, part"]),
    ("a mask as JPEG", lambda t, png: t.update({"masks/object/a.jpg": b""}), ["masks/object/a.jpg", "is no mask"]),
    ("two masks", lambda t, png: t.update({"masks/a.png": b""}), ["masks/a.png", "masks/object/a.png", "keep one"]),
    ("two images", lambda t, png: t.update({"images/a.jpg": b""}), ["images/a.png", "images/a.jpg", "same name"]),
    ("an image too deep", lambda t, png: t.update({"images/x/a.png": b""}), ["images/x/a.png", "directly"]),
    ("no head", lambda t, png: t.update({"concepts.csv": "object,3,house\n"}), ["concepts.csv line 1", "'category'"]),
    ("zero", lambda t, png: t.update({"concepts.csv": "category,number,name\nobject,0,x\n"}), ["line 2", "0 stands"]),
    ("no number", lambda t, png: t.update({"concepts.csv": f"category,number,name\na,{'9' * 5000},x\n"}), ["65535"]),
    ("a number twice", lambda t, png: t.update({"concepts.csv": t["concepts.csv"] + "object,7,elm"}), ["line 5", "7"]),
    ("a name twice", lambda t, png: t.update({"concepts.csv": t["concepts.csv"] + "part,8,roof"}), ["line 5", "roof"]),
    ("no name", lambda t, png: t.update({"concepts.csv": t["concepts.csv"] + "part,8,\n"}), ["line 5", "is empty"]),
    ("not UTF-8", lambda t, png: t.update({"concepts.csv": b"\xff\xfe\x00"}), ["concepts.csv", "UTF-8"]),
    ("an open quote", lambda t, png: t.update({"concepts.csv": 'category,number,name\n"a'}), ["concepts.csv line"]),
    ("an unknown image", lambda t, png: t.update({"labels.csv": "image,class\na.png,street\n"}), ["line 2", "ending"]),
    ("an unknown class", lambda t, png: t.update({"labels.csv": "image,class\na,sea\n"}), ["line 2", "'sea'"]),
    ("a class twice", lambda t, png: t.update({"classes.txt": "street\nforest\nstreet\n"}), ["class 3", "before"]),
    ("labelled twice", lambda t, png: t.update({"labels.csv": t["labels.csv"] + "a,forest\n"}), ["line 4", "already"]),
    ("text as image", lambda t, png: t.update({"images/a.png": "hello"}), ["images/a.png", "holds no PNG"]),
    ("empty image", lambda t, png: t.update({"images/a.png": b""}), ["images/a.png", "holds no PNG"]),
    ("truncated", lambda t, png: t.update({"images/b.jpg": t["images/b.jpg"][:-90]}), ["images/b.jpg", "truncated"]),
    ("truncated mask", lambda t, png: t.update({"masks/object/b.png": t["masks/object/b.png"][:-40]}), [
        "masks/object/b.png", "cannot be decoded"]),
    ("huge", lambda t, png: t.update({"images/a.png": png(np.zeros((400, 400), np.uint8))}), ["400 x 400", "100,000"]),
    ("a colour mask", lambda t, png: t.update({"masks/object/a.png": t["images/a.png"]}), ["in colour (RGB)"]),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_faults_are_refused_by_name(desk, tree: Tree, png, spoil, words: list[str], packed: bool) -> None:
    spoil(tree, png)
    refusal = desk.refusal(desk.zip(tree) if packed else desk.write(tree))
    told = " ".join(error["detail"] for error in refusal.errors)
    assert all(word in told for word in words), told
    assert all(error["pointer"].startswith("/location") for error in refusal.errors)


def test_several_faults_are_told_at_once(desk, tree: Tree) -> None:
    tree |= {f"masks/object/{name}.png": b"" for name in "cdefghijklmnop"}
    refusal = desk.refusal(desk.write(tree))
    assert len(refusal.errors) == 10
    assert "13 more" in refusal.detail
