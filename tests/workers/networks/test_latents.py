"""Latents by seed, and outputs as pictures."""

import numpy as np
import pytest
import torch

from service.errors import Invalid
from workers.networks import latents
from workers.networks.latents import LatentSpec


@pytest.fixture(params=[(5,), (5, 1, 1)])
def spec(request):
    return LatentSpec(request.param, size=(4, 6))


def test_latents_are_those_of_the_public_code():
    drawn = LatentSpec((512,)).draw(1, 0, 3)
    expected = np.random.RandomState(1).standard_normal(3 * 512).reshape(3, 512).astype(np.float32)
    assert torch.equal(drawn, torch.from_numpy(expected))
    np.testing.assert_allclose(drawn[0, :3], [1.6243, -0.6118, -0.5282], atol=5e-5)


@pytest.mark.parametrize("block", [7, 8, 64])
def test_a_latent_is_the_same_whichever_others_are_drawn(spec, block, monkeypatch):
    latents._block.cache_clear()
    monkeypatch.setattr(latents, "BLOCK", block)
    values = np.random.RandomState(9).standard_normal(40 * 5).astype(np.float32).reshape(40, *spec.shape)
    assert torch.equal(spec.draw(9, 0, 40), torch.from_numpy(values))
    assert torch.equal(spec.draw(9, 13, 14), torch.from_numpy(values[13:14]))
    assert torch.equal(spec.rows(9, [30, 2, 30]), torch.from_numpy(values[[30, 2, 30]]))
    assert spec.draw(9, 4, 4).shape == (0, *spec.shape)
    latents._block.cache_clear()


def test_other_seeds_draw_others(spec):
    assert not torch.equal(spec.draw(1, 0, 2), spec.draw(2, 0, 2))
    assert spec.draw(2**32 - 1, 0, 1).isfinite().all()


def test_pixels_are_rounded_half_up_and_clamped():
    spec = LatentSpec((5,), 0.0, 255.0)
    values = torch.tensor([-3, 0, 0.4, 0.5, 1.49, 1.5, 254.5, 255, 300], dtype=torch.float32)
    pictures = spec.pixels(values.expand(1, 3, 1, -1))
    assert pictures.shape == (1, 1, 9, 3)
    assert pictures[0, 0, :, 2].tolist() == [0, 0, 0, 1, 1, 2, 255, 255, 255]
    assert pictures.dtype == np.uint8


def test_pixels_follow_the_range_and_the_channels(spec):
    outputs = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(2, 3, 4, 6)
    pictures = spec.pixels(outputs)
    assert pictures.shape == (2, 4, 6, 3)
    assert pictures[1, 3, 5].tolist() == [0, 128, 255]
    assert spec.pixels(outputs.bfloat16()).tolist() == pictures.tolist()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_picture(spec, value):
    outputs = torch.zeros(1, 3, 4, 6)
    outputs[0, 1, 2, 3] = value
    with pytest.raises(Invalid, match="not all numbers"):
        spec.pixels(outputs)


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({}, "/input/latent"),
        ({"latent": []}, "/input/latent"),
        ({"latent": [4, 1]}, "/input/latent"),
        ({"latent": [4, 2, 2]}, "/input/latent"),
        ({"latent": [0]}, "/input/latent"),
        ({"latent": [2**15]}, "/input/latent"),
        ({"latent": ["4"]}, "/input/latent"),
        ({"latent": 4}, "/input/latent"),
        ({"latent": [4], "range": [1, 0]}, "/input/range"),
        ({"latent": [4], "range": [0]}, "/input/range"),
        ({"latent": [4], "range": [0, float("nan")]}, "/input/range"),
        ({"latent": [4], "range": [0, 1e9]}, "/input/range"),
        ({"latent": [4], "crop": 64}, "/input/crop"),
    ],
)
def test_what_is_wrong_is_pointed_at(given, pointer):
    with pytest.raises(Invalid) as caught:
        LatentSpec.from_json(given)
    assert caught.value.errors[0]["pointer"] == pointer


def test_a_description_is_read_as_it_was_written(spec):
    assert LatentSpec.from_json(spec.to_json()) == spec
    assert spec.to_json() == {"latent": list(spec.shape), "range": [-1.0, 1.0], "size": [4, 6]}
