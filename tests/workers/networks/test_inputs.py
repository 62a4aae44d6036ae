from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from service.errors import Invalid
from workers.networks.inputs import Geometry, InputSpec, preprocess

SIZES = [(64, 64), (97, 131), (131, 97), (30, 200), (20, 24), (61, 20)]
SHAPES = [
    (40, (32, 32)),
    ((40, 44), (32, 36)),
    ((33, 35), None),
    (None, (32, 37)),
    (17, (32, 33)),
    ((48, 31), (31, 48)),
]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photo(height, width, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def torchvision_steps(resize, crop):
    steps = []
    if resize is not None:
        steps.append(transforms.Resize(resize, antialias=True))
    if crop is not None:
        steps.append(transforms.CenterCrop(crop))
    return steps


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("resize", "crop"), SHAPES)
def test_pixels_are_those_of_torchvision(size, resize, crop):
    image = photo(*size)
    spec = InputSpec(resize, crop, scale=1.0)
    expected = transforms.Compose([*torchvision_steps(resize, crop), transforms.PILToTensor()])(image)
    assert torch.equal(preprocess(image, spec), expected.float())


@pytest.mark.parametrize("size", SIZES)
def test_values_are_those_of_torchvision(size):
    image = photo(*size)
    steps = [*torchvision_steps(40, (32, 32)), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    values = preprocess(image, InputSpec(40, (32, 32), mean=MEAN, std=STD))
    assert values.dtype is torch.float32
    assert values.is_contiguous()
    torch.testing.assert_close(values, transforms.Compose(steps)(image), rtol=0, atol=1e-6)


def test_bgr_takes_the_mean_in_the_networks_order():
    image = Image.new("RGB", (8, 8), (200, 100, 50))
    values = preprocess(image, InputSpec(None, (8, 8), "bgr", 1.0, (104.0, 117.0, 123.0), (1.0, 1.0, 2.0)))
    assert values[:, 3, 3].tolist() == [50 - 104, 100 - 117, (200 - 123) / 2]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("resize", "crop"), SHAPES)
def test_positions_follow_a_ramp_through_the_pipeline(size, resize, crop):
    """A ramp survives linear interpolation: the value of an input pixel is the place that it came from."""
    geometry = InputSpec(resize, crop).geometry
    if geometry.size[0] != geometry.size[1]:
        geometry = Geometry(resize, (min(geometry.size),) * 2) if crop else geometry
    ramp = np.broadcast_to(np.arange(1, size[1] + 1, dtype=np.float32), size)
    along = np.asarray(geometry.apply(Image.fromarray(np.ascontiguousarray(ramp))))
    middle = along[along.shape[0] // 2]
    _, columns = geometry.sample_positions(size, len(middle))
    assert ((columns == -1) == (middle == 0)).all()
    inside = (columns > 3) & (columns < size[1] - 4)  # the ends are bent by the border
    np.testing.assert_allclose(columns[inside] + 1, middle[inside], atol=0.5 + 1e-3)


def exact_position(cell, grid, inside, first, resized, source):
    centre = (Fraction(2 * cell + 1, 2 * grid) * inside + first) * source / resized
    return floor(centre) if 0 <= centre < source else -1


@given(
    image=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    mask=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    resize=st.one_of(st.none(), st.integers(1, 300), st.tuples(st.integers(1, 300), st.integers(1, 300))),
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    grid=st.integers(1, 60),
)
def test_positions_are_exact(image, mask, resize, size, grid):
    geometry = Geometry(resize, size)
    found = geometry.sample_positions(image, grid, mask)
    for axis in (0, 1):
        first = geometry.offset(image)[axis]
        place = (grid, size[axis], first, geometry.resized(image)[axis], mask[axis])
        assert found[axis].tolist() == [exact_position(cell, *place) for cell in range(grid)]


def test_cells_outside_a_small_image_have_no_pixel():
    rows, columns = Geometry(None, (8, 8)).sample_positions((4, 8), 8)
    assert rows.tolist() == [-1, -1, 0, 1, 2, 3, -1, -1]
    assert columns.tolist() == list(range(8))


def test_a_mask_of_another_size_is_sampled_at_the_same_places():
    rows, _ = Geometry(None, (8, 8)).sample_positions((16, 16), 8, (32, 4))
    assert rows.tolist() == [9, 11, 13, 15, 17, 19, 21, 23]
    _, columns = Geometry(None, (8, 8)).sample_positions((16, 16), 8, (32, 4))
    assert columns.tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_a_thread_like_image_is_refused_before_it_is_resized():
    image = Image.new("RGB", (60_000, 1))
    with pytest.raises(Invalid, match="too narrow") as caught:
        preprocess(image, InputSpec(224, (224, 224)))
    assert caught.value.errors[0]["pointer"] == "/input/resize"


FULL = {
    "resize": [256, 256],
    "crop": [224, 227],
    "channels": "bgr",
    "scale": 1,
    "mean": [104, 117, 123],
    "std": [1, 1, 2.5],
}


def test_json_goes_round():
    spec = InputSpec.from_json(FULL)
    assert spec == InputSpec((256, 256), (224, 227), "bgr", 1.0, (104.0, 117.0, 123.0), (1.0, 1.0, 2.5))
    assert spec.to_json() == FULL
    assert InputSpec.from_json(spec.to_json()) == spec


def test_a_number_as_crop_is_a_square():
    assert InputSpec.from_json({"crop": 32}).to_json()["crop"] == [32, 32]


@pytest.mark.parametrize(
    ("given", "size"),
    [({"crop": [3, 5]}, (3, 5)), ({"resize": [7, 9]}, (7, 9)), ({"resize": [7, 9], "crop": 3}, (3, 3))],
)
def test_size_is_the_crops_or_else_the_pairs(given, size):
    assert InputSpec.from_json(given).size == size


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"crop": 8, "resise": 8}, "/input/resise"),
        ({}, "/input/crop"),
        ({"resize": 256}, "/input/crop"),
        ({"crop": [8]}, "/input/crop"),
        ({"crop": "8"}, "/input/crop"),
        ({"crop": [8, 0]}, "/input/crop/1"),
        ({"crop": True}, "/input/crop"),
        ({"crop": 8, "resize": 5000}, "/input/resize"),
        ({"crop": 8, "resize": [8, 2.5]}, "/input/resize/1"),
        ({"crop": 8, "channels": "rgba"}, "/input/channels"),
        ({"crop": 8, "channels": ["rgb"]}, "/input/channels"),
        ({"crop": 8, "scale": 0}, "/input/scale"),
        ({"crop": 8, "scale": float("nan")}, "/input/scale"),
        ({"crop": 8, "scale": 10**400}, "/input/scale"),
        ({"crop": 8, "mean": [0, 0]}, "/input/mean"),
        ({"crop": 8, "mean": [0, None, 0]}, "/input/mean/1"),
        ({"crop": 8, "std": [1, 1, 0]}, "/input/std/2"),
        ({"crop": 8, "std": [1, 1, 1e-60]}, "/input/std/2"),
        ({"crop": 8, "mean": [1e39, 0, 0]}, "/input/mean/0"),
    ],
)
def test_what_is_wrong_is_pointed_at(given, pointer):
    with pytest.raises(Invalid) as caught:
        InputSpec.from_json(given)
    assert caught.value.errors[0]["pointer"] == pointer
