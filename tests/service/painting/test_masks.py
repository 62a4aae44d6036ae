"""Masks against what a loop over pixels finds."""

import base64
import io
import random

import numpy as np
import pytest
from marshmallow import ValidationError
from PIL import Image

from service.painting.masks import Mask, MaskField, read_png, read_runs
from tests.service.painting.conftest import png


def overlaps(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """By areas: a pixel of the other size is touched where it shares any area with a touched one."""
    rows, columns = pixels.shape
    found = np.zeros((height, width), bool)
    for row, column in np.argwhere(pixels):
        for y in range(height):
            for x in range(width):
                tall = min((row + 1) * height, (y + 1) * rows) - max(row * height, y * rows)
                wide = min((column + 1) * width, (x + 1) * columns) - max(column * width, x * columns)
                found[y, x] |= tall > 0 and wide > 0
    return found


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (5, 9), (16, 2)])
@pytest.mark.parametrize("target", [(8, 8), (3, 5), (11, 4)])
def test_a_mask_of_another_size_touches_what_its_area_does(size: tuple[int, int], target: tuple[int, int]) -> None:
    pixels = np.random.default_rng(sum(size)).random(size) < 0.2
    scaled = Mask.of(pixels).scaled(*target)
    assert np.array_equal(scaled.pixels(), overlaps(pixels, *target))


def test_runs_and_pixels_are_the_same_mask() -> None:
    chance = random.Random(0)
    for _ in range(50):
        pixels = np.array([[chance.random() < 0.4 for _ in range(5)] for _ in range(4)])
        mask = Mask.of(pixels)
        assert np.array_equal(mask.pixels(), pixels)
        assert read_runs(**mask.to_json()) == mask
    assert Mask.of(np.ones((2, 3), bool)).runs == [0, 6]
    assert Mask.of(np.zeros((2, 3), bool)).runs == [6]


def test_runs_may_be_split_or_empty_and_are_kept_in_one_form() -> None:
    assert read_runs([2, 3], [1, 0, 1, 2, 0, 0, 2, 0]).scaled(2, 3) == Mask(2, 3, [2, 2, 2])


BRIGHT = np.array([[0, 127, 128], [255, 10, 200]], np.uint8)
TOUCHED = np.array([[False, False, True], [True, False, True]])


@pytest.mark.parametrize(
    "text",
    [
        png(BRIGHT),
        "data:image/png;base64," + png(BRIGHT),
        png(np.repeat(BRIGHT[..., None], 3, axis=2), "RGB"),
        png(np.dstack([BRIGHT] * 3 + [np.full((2, 3), 255)]), "RGBA"),
        png(np.dstack([np.zeros((2, 3, 3)), BRIGHT]), "RGBA"),
    ],
    ids=["grey", "data URL", "colour", "opaque", "transparent"],
)
def test_the_bright_pixels_of_a_png_are_touched_or_where_it_is_transparent_the_opaque(text: str) -> None:
    assert np.array_equal(read_png(text).pixels(), TOUCHED)


def test_sixteen_bits_a_palette_and_one_bit_are_read_alike() -> None:
    def encoded(image: Image.Image) -> str:
        file = io.BytesIO()
        image.save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode()

    palette = Image.fromarray(TOUCHED.astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 255, 255])
    sixteen = Image.fromarray(BRIGHT.astype(np.uint16) * 256)
    one = Image.fromarray(TOUCHED)
    for image in (palette, sixteen, one):
        assert np.array_equal(read_png(encoded(image)).pixels(), TOUCHED), image.mode


GOOD = png(BRIGHT)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "not a PNG"),
        ("not base64!", "not a PNG"),
        ("aGVsbG8=", "not a PNG"),
        (GOOD[: len(GOOD) // 2 // 4 * 4], "not a PNG"),
        ("data:image/jpeg;base64," + GOOD, "not a PNG"),
        (png(np.zeros((1, 4097))), "1 x 4097 pixels"),
        (None, "null"),
        (7, "not a mask"),
        ({"size": [2, 3]}, "not a mask"),
        ({"size": [2, 3], "runs": [6], "more": 1}, "not a mask"),
        ({"size": [2], "runs": [2]}, "pair"),
        ({"size": [True, 1], "runs": [1]}, "pair"),
        ({"size": [0, 3], "runs": []}, "0 x 3 pixels"),
        ({"size": [2**40, 1], "runs": [2**40]}, "pixels; its sides"),
        ({"size": [2, 3], "runs": [5]}, "make 5 pixels, 2 x 3 are 6"),
        ({"size": [2, 3], "runs": [7, -1]}, "list of numbers"),
        ({"size": [2, 3], "runs": [1.5, 4.5]}, "list of numbers"),
        ({"size": [2, 3], "runs": "6"}, "list of numbers"),
    ],
)
def test_what_is_no_mask_is_refused(value: object, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        MaskField().deserialize(value)
