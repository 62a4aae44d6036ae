"""The format `cityscapes`: numbers as the benchmark gives them, parts in their order, files in pairs."""

import numpy as np
import pytest

from workers.networks.inputs import InputSpec

Tree = dict[str, bytes | str]
IDS = {  # every number of the benchmark that is no void
    7: "road", 8: "sidewalk", 9: "parking", 10: "rail track", 11: "building", 12: "wall", 13: "fence",
    14: "guard rail", 15: "bridge", 16: "tunnel", 17: "pole", 18: "polegroup", 19: "traffic light",
    20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky", 24: "person", 25: "rider", 26: "car", 27: "truck",
    28: "bus", 29: "caravan", 30: "trailer", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip


def names(part: str, city: str, frame: str) -> tuple[str, str]:
    stem = f"{part}/{city}/{city}_{frame}"
    return f"leftImg8bit/{stem}_leftImg8bit.png", f"gtFine/{stem}_gtFine_labelIds.png"


@pytest.fixture
def streets(png) -> Tree:
    rng = np.random.default_rng(5)
    tree: Tree = {}
    for part, city, frame in [
        ("train", "aachen", "0_1"),
        ("val", "lindau", "0_2"),
        ("val", "munster", "0_3"),
        ("test", "bonn", "0_4"),
    ]:
        image, mask = names(part, city, frame)
        tree[image] = png(rng.integers(0, 256, (12, 24, 3), np.uint8))
        tree[mask] = png(rng.integers(0, 34, (12, 24), dtype=np.uint8))
        tree[mask.replace("labelIds", "instanceIds")] = tree[mask.replace("labelIds.png", "polygons.json")] = b""
    return tree


def test_numbers_mean_what_the_benchmark_says(desk, streets: Tree, png) -> None:
    numbers = np.resize(np.arange(34, dtype=np.uint8), (12, 24))
    streets[names("val", "lindau", "0_2")[1]] = png(numbers)
    probe = desk.open(desk.write(streets), "cityscapes")
    assert [image.name for image in probe.images] == ["lindau_0_2", "munster_0_3"]
    assert {concept.category for concept in probe.concepts} == {"object"}
    labels = probe.labels(0, (12, 24), InputSpec(resize=(24, 24)).geometry, 24)[0][::2]
    named = [[probe.concepts[label - 1].name if label else None for label in row] for row in labels]
    assert named == [[IDS.get(number) for number in row] for row in numbers.tolist()]


def test_without_validation_the_training_part_is_taken_and_never_the_empty_test_part(desk, streets: Tree) -> None:
    streets = {name: data for name, data in streets.items() if "/val/" not in name}
    assert [image.name for image in desk.open(desk.zip(streets), "cityscapes").images] == ["aachen_0_1"]


def test_one_city_without_parts_is_taken_whole(desk, streets: Tree) -> None:
    streets = {f"x/{name.replace('val/', '')}": data for name, data in streets.items() if "/val/" in name}
    assert len(desk.open(desk.write(streets), "cityscapes").images) == 2


@pytest.mark.parametrize("side", [0, 1], ids=["image", "mask"])
def test_a_missing_half_of_a_pair_is_named(desk, streets: Tree, side: int) -> None:
    missing = names("val", "munster", "0_3")[side]
    del streets[missing]
    assert f"{missing!r} is missing" in desk.refusal(desk.write(streets), "cityscapes").detail


def test_training_numbers_and_other_sizes_are_refused(desk, streets: Tree, png) -> None:
    mask = names("val", "lindau", "0_2")[1]
    for pixels, words in [(np.full((12, 24), 255, np.uint8), "255"), (np.zeros((6, 12), np.uint8), "12 x 6")]:
        detail = desk.refusal(desk.write(streets | {mask: png(pixels)}), "cityscapes").detail
        assert mask in detail
        assert words in detail


def test_fine_annotations_are_asked_for(desk, streets: Tree) -> None:
    coarse = {name.replace("gtFine", "gtCoarse"): data for name, data in streets.items()}
    assert "the folder gtFine/" in desk.refusal(desk.zip(coarse), "cityscapes").detail
