import numpy as np
import pytest

from workers.analysis.pictures import masked_image, strip, unit_mask

YELLOW = (255, 255, 0)


def random_image(height=9, width=11):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_every_pixel_is_inside_on_the_border_or_outside(seed):
    image, mask = random_image(), np.random.default_rng(seed).random((9, 11)) < 0.1
    shown = masked_image(image, mask)
    for y, x in np.ndindex(mask.shape):
        near = mask[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any()
        expected = image[y, x] if mask[y, x] else YELLOW if near else image[y, x] // 2
        assert tuple(shown[y, x]) == tuple(expected)


def test_the_image_given_stays_as_it_is():
    image = random_image()
    before = image.copy()
    masked_image(image, np.eye(9, 11, dtype=bool))
    assert np.array_equal(image, before)


def test_a_silent_unit_dims_all_and_a_loud_one_nothing():
    image = random_image()
    assert np.array_equal(masked_image(image, np.zeros((9, 11), bool)), image // 2)
    assert np.array_equal(masked_image(image, np.ones((9, 11), bool)), image)


def test_a_mask_cuts_the_upsampled_map_strictly():
    activations = np.array([[0, 0], [0, 8]], np.float32)
    assert unit_mask(activations, 2, 2, 0.0, "edge").tolist() == [[False, False], [False, True]]
    assert not unit_mask(activations, 2, 2, 8.0, "edge").any()
    # 2 -> 4: the last column is (0, 0, 2, 6, 8) halves along the border when repeated, dimmed when zero lies outside.
    assert unit_mask(activations, 4, 4, 5.9, "edge").sum() == 3
    assert unit_mask(activations, 4, 6, 7.9, "edge").shape == (4, 6)
    assert unit_mask(activations, 4, 4, 5.9, "zero").sum() == 0


def test_a_strip_lays_images_side_by_side():
    images = [random_image(), random_image(width=5), random_image()]
    laid = strip(images)
    assert laid.shape == (9, 11 + 4 + 5 + 4 + 11, 3)
    assert np.array_equal(laid[:, 15:20], images[1])
    assert (laid[:, 11:15] == 255).all()
    assert np.array_equal(strip(images[:1]), images[0])
