"""Networks as functions of pixels see what `preprocess` and PIL make of the same image."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.workers.networks.test_inputs import MEAN, SIZES, STD, photo
from workers.networks.inputs import InputSpec, preprocess
from workers.networks.pixels import fit, normalize, pixels_of

SPECS = {
    "unit range": InputSpec(40, (32, 32)),
    "torchvision": InputSpec(40, (32, 32), mean=MEAN, std=STD),
    "caffe": InputSpec((33, 35), None, "bgr", 1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "inception": InputSpec(None, (32, 37), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "scaled bgr": InputSpec((48, 31), (31, 48), "bgr", 0.017, (1.7, 1.9, 2.1), (0.9, 1.1, 1.3)),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_normalized_pixels_are_the_networks_input(size, spec):
    image = photo(*size)
    pixels = pixels_of(image, spec)
    assert (pixels.shape, pixels.dtype) == ((3, *spec.size), torch.float32)
    assert 0 <= pixels.min() <= pixels.max() <= 1
    expected = preprocess(image, spec)
    largest = max(1.0, 255 * spec.scale / min(spec.std))
    torch.testing.assert_close(normalize(pixels[None], spec)[0], expected, rtol=0, atol=1e-6 * largest)


def test_pixels_are_the_bytes_of_a_picture_that_keeps_them():
    pixels = pixels_of(photo(97, 131), SPECS["caffe"])
    levels = (pixels * 255).round()
    assert torch.equal(levels / 255, pixels)
    again = pixels_of(Image.fromarray(levels.to(torch.uint8).permute(1, 2, 0).numpy()), SPECS["caffe"])
    assert torch.equal(again, pixels)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_gradients_pass_through_to_the_right_channel(spec):
    pixels = torch.rand(2, 3, 4, 5, requires_grad=True)
    last = normalize(pixels, spec)[:, 2].sum()
    (gradient,) = torch.autograd.grad(last, pixels)
    channel = 0 if spec.channels == "bgr" else 2
    np.testing.assert_allclose(gradient[:, channel], 255 * spec.scale / spec.std[2], rtol=1e-6)
    assert gradient.count_nonzero() == 2 * 4 * 5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_fitting_is_pillows_resizing_and_cropping(size, spec):
    image = photo(*size)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    expected = np.asarray(spec.geometry.apply(image)).transpose(2, 0, 1) / 255
    assert np.abs(fit(pixels, spec)[0].numpy() - expected).max() <= 1.01 / 255


@given(st.integers(0, 2**32))
def test_pixels_of_the_right_size_stay_as_they_are(seed):
    """What one network was given cut to a size, another that takes the size is given whole."""
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    assert fit(pixels, InputSpec(40, (32, 32))) is pixels
