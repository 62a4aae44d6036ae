"""Masks and colours as channels of one segmentation."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from service.errors import Invalid
from tests.workers.probes.test_halves import flood
from workers.networks.inputs import InputSpec
from workers.probes.colors import COLORS, PROTOTYPES, color_map
from workers.probes.layout import Concept
from workers.probes.segmentation import Segmentation

Tree = dict[str, bytes | str]


def test_kinds_come_in_their_order(desk, tree: Tree) -> None:
    probe = desk.open(desk.write(tree))
    colors = [Concept("color", name) for name in COLORS]
    segmentation = Segmentation(probe, ["masks", "colors"])
    assert segmentation.channels == ["object", "part", "color"]
    assert segmentation.concepts == [*probe.concepts, *colors]
    assert Segmentation(probe, ["colors", "masks"]).concepts == [*colors, *probe.concepts]
    assert Segmentation(probe, ["masks"]).concepts == probe.concepts


def test_channels_agree_with_masks_and_colors(desk, tree: Tree) -> None:
    probe, geometry = desk.open(desk.write(tree)), InputSpec(resize=(28, 28)).geometry
    image = probe.image(0)
    labels = Segmentation(probe, ["masks", "colors"]).labels(0, image, geometry, 28)
    assert np.array_equal(labels[:2], probe.labels(0, (30, 40), geometry, 28))
    assert np.array_equal(labels[2], color_map(np.asarray(geometry.apply(image))) + 1 + len(probe.concepts))


def test_a_cell_has_the_colour_of_its_average(desk, png) -> None:
    colors = ["red", "blue", "green", "white"]
    cells = np.array([list(bytes.fromhex(PROTOTYPES[color][0])) for color in colors]).reshape(2, 2, 3)
    sign = np.where(np.indices((8, 8)).sum(axis=0) % 2, 1, -1)[..., None]
    noise = sign * np.minimum(cells, 255 - cells).repeat(4, axis=0).repeat(4, axis=1)  # cancels within each cell
    pixels = (cells.repeat(4, axis=0).repeat(4, axis=1) + noise).astype(np.uint8)
    probe = desk.open(desk.write({"a/1.png": png(pixels)}), "folder")
    labels = Segmentation(probe, ["colors"]).labels(0, probe.image(0), InputSpec(resize=(8, 8)).geometry, 2)
    assert [COLORS[label - 1] for label in labels.ravel()] == colors


def test_no_colour_lies_outside_of_the_image(desk, png) -> None:
    white = png(np.full((8, 8, 3), 255, np.uint8))
    probe = desk.open(desk.write({"a/1.png": white}), "folder")
    labels = Segmentation(probe, ["colors"]).labels(0, probe.image(0), InputSpec(crop=(16, 16)).geometry, 4)
    expected = np.pad(np.full((2, 2), 1 + COLORS.index("white")), 1)
    assert np.array_equal(labels[0], expected)


@pytest.mark.parametrize(
    ("format", "kinds", "words"),
    [
        ("folder", ["masks"], "no masks; ask for 'colors'"),
        ("folder", ["colors", "masks"], "no masks"),
        ("folder", ["textures"], "choose of masks, colors"),
        ("folder", ["model:voc"], "no segmentation 'model:voc'"),
    ],
)
def test_what_a_dataset_cannot_serve_is_refused(desk, png, format: str, kinds: list[str], words: str) -> None:
    probe = desk.open(desk.write({"a/1.png": png(np.zeros((8, 8), np.uint8))}), format)
    with pytest.raises(Invalid, match=words) as caught:
        Segmentation(probe, kinds)
    assert caught.value.errors[0]["pointer"] == "/segmentation"


def test_a_colour_that_the_masks_name_is_the_same_concept(desk, tree: Tree, png) -> None:
    red, white = (255, 0, 0), (255, 255, 255)
    pixels = np.array([[red, white], [red, white]], np.uint8).repeat(12, 0).repeat(12, 1)
    tree |= {"images/b.png": png(pixels), "concepts.csv": str(tree["concepts.csv"]) + "color,1,mauve\ncolor,2,red\n"}
    del tree["images/b.jpg"]
    tree["masks/color/b.png"] = png(np.array([[1, 1], [2, 2]], np.uint8))
    segmentation = Segmentation(probe := desk.open(desk.write(tree)), ["masks", "colors"])
    assert segmentation.concepts == [
        *probe.concepts,
        *(Concept("color", name) for name in COLORS if name != "red"),
    ]
    labels = segmentation.labels(1, probe.image(1), InputSpec(resize=(24, 24)).geometry, 2)
    names = [[(segmentation.concepts[label - 1].name) for label in channel.ravel()] for channel in labels[2:]]
    assert names == [["mauve", "mauve", "red", "red"], ["red", "white", "red", "white"]]


def halves_by_hand(objects: np.ndarray, names: dict[int, str], segmentation: Segmentation) -> np.ndarray:
    """The labels of both channels of halves, from the boxes of connected cells."""
    expected = np.zeros((2, *objects.shape), int)
    for thing in flood(objects):
        name = names[int(objects[next(iter(thing))])]
        rows, columns = ([cell[axis] for cell in thing] for axis in (0, 1))
        for row, column in thing:
            sides = (
                "top" if row < (min(rows) + max(rows) + 1) // 2 else "bottom",
                "left" if column < (min(columns) + max(columns) + 1) // 2 else "right",
            )
            for channel, side in enumerate(sides):
                expected[channel, row, column] = 1 + segmentation.concepts.index(Concept("part", f"{name}-{side}"))
    return expected


def test_objects_have_halves_as_the_network_sees_them(desk, tree: Tree) -> None:
    tree["concepts.csv"] = str(tree["concepts.csv"]) + "part,7,tree-top\n"
    probe, geometry = desk.open(desk.write(tree)), InputSpec(resize=(32, 32), crop=(20, 28)).geometry
    segmentation = Segmentation(probe, ["masks", "colors"], halves=True)
    assert segmentation.channels == ["object", "part", "part", "part", "color"]
    assert len(set(segmentation.concepts)) == len(segmentation.concepts) == 4 + 7 + len(COLORS)
    whole = Segmentation(probe, ["masks"])
    for index, grid in [(0, 10), (0, 23), (1, 10)]:
        image = probe.image(index)
        labels = segmentation.labels(index, image, geometry, grid)
        assert np.array_equal(labels[:2], whole.labels(index, image, geometry, grid))
        names = {1 + place: concept.name for place, concept in enumerate(probe.concepts)}
        assert np.array_equal(labels[2:4], halves_by_hand(labels[0], names, segmentation))


def test_every_pixel_has_one_of_the_eleven_colours() -> None:
    assert COLORS == (
        "black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow")  # fmt: skip
    cube = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1).reshape(-1, 52, 3).astype(np.uint8)
    named = color_map(cube)
    assert named.shape == cube.shape[:2]
    assert set(named.ravel()) == set(range(11))


@pytest.mark.parametrize(("color", "shade"), [(c, shade) for c, shades in PROTOTYPES.items() for shade in shades])
def test_prototypes_have_their_own_colour(color: str, shade: str) -> None:
    pixel = np.frombuffer(bytes.fromhex(shade), np.uint8).reshape(1, 1, 3)
    assert COLORS[color_map(pixel)[0, 0]] == color


def test_colours_are_those_nearest_in_cielab() -> None:
    """Pillow's own conversion to CIELAB (8 bits, D50) agrees wherever the nearest colour is clearly the nearest."""
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")

    def lab(rgb: np.ndarray) -> np.ndarray:
        raw = np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), to_lab)).astype(float)
        signed = (raw[..., 1:] + 128) % 256 - 128
        return np.concatenate([raw[..., :1] / 2.55, signed], axis=-1)

    shades = [(color, bytes.fromhex(shade)) for color, all_ in enumerate(PROTOTYPES.values()) for shade in all_]
    prototypes = lab(np.array([[list(shade) for _, shade in shades]], np.uint8))[0]
    rgb = np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)
    distances = np.linalg.norm(lab(rgb)[:, :, None] - prototypes, axis=-1)
    by_color = np.stack(
        [distances[..., [i for i, (c, _) in enumerate(shades) if c == color]].min(-1) for color in range(11)], axis=-1
    )
    ordered = np.sort(by_color, axis=-1)
    clear = ordered[..., 1] - ordered[..., 0] > 12
    assert clear.mean() > 0.3
    assert (color_map(rgb) == by_color.argmin(-1))[clear].mean() > 0.98


@pytest.mark.parametrize(
    ("rgb", "color"),
    [
        ((90, 90, 95), "grey"), ((60, 130, 220), "blue"), ((150, 200, 240), "blue"), ((40, 90, 35), "green"),
        ((205, 165, 125), "brown"), ((240, 150, 180), "pink"), ((250, 250, 245), "white"), ((10, 12, 10), "black"),
        ((255, 120, 0), "orange"), ((250, 220, 40), "yellow"), ((200, 20, 30), "red"), ((120, 60, 160), "purple"),
        ((100, 65, 40), "brown"),
    ],
)  # fmt: skip
def test_what_people_would_say(rgb: tuple[int, int, int], color: str) -> None:
    assert COLORS[color_map(np.array([[rgb]], np.uint8))[0, 0]] == color
