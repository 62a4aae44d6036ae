"""Projections against a search by halves, and steps that keep to their budgets to the last bit."""

import numpy as np
import pytest
import torch

from tests.workers.analysis.attacks.planted import noise
from workers.analysis.attacks.projections import L2Ball, LinfBall


def nearest_by_halves(image: np.ndarray, pixels: np.ndarray, radius: float) -> np.ndarray:
    """The point clip(image + s * change) whose norm is the radius, by 200 halvings of s."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        point = np.clip(image + middle * (pixels - image), 0, 1)
        low, high = (middle, high) if np.linalg.norm(point - image) <= radius else (low, middle)
    return np.clip(image + low * (pixels - image), 0, 1)


@pytest.mark.parametrize("radius", [0.05, 0.7, 2.0, 100.0])
def test_the_l2_projection_is_the_nearest_point_of_ball_and_box(radius):
    images = noise(20, 8)
    random = torch.Generator().manual_seed(5)
    scale = torch.logspace(-2, 1, 20)[:, None, None, None]
    pixels = images + scale * torch.randn(images.shape, generator=random)
    pixels[3] = images[3]
    pixels[4, 0] = images[4, 0]
    rows = torch.arange(20)
    found = L2Ball(images, radius).project(pixels, rows)
    expected = [
        nearest_by_halves(image.ravel(), there.ravel(), radius)
        for image, there in zip(images.double().numpy(), pixels.double().numpy(), strict=True)
    ]
    np.testing.assert_allclose(found.flatten(1).numpy(), expected, atol=1e-6)
    assert ((found.double() - images.double()).flatten(1).norm(dim=1) <= radius).all()


def test_nothing_allowed_is_nearer_than_the_l2_projection():
    images, random = noise(1, 4), torch.Generator().manual_seed(6)
    pixels = images + torch.randn(images.shape, generator=random)
    found = L2Ball(images, 0.8).project(pixels, torch.arange(1))
    others = images + torch.randn(4000, 3, 4, 4, generator=random)
    others = L2Ball(images.expand(4000, -1, -1, -1), 0.8).project(others, torch.arange(4000))
    near = found + 0.02 * torch.randn(4000, 3, 4, 4, generator=random)
    near = L2Ball(images.expand(4000, -1, -1, -1), 0.8).project(near, torch.arange(4000))
    for allowed in (others, near):
        assert ((allowed - pixels).flatten(1).norm(dim=1) >= (found - pixels).norm() - 1e-5).all()


@pytest.mark.parametrize("epsilon", [0.0, 1 / 255, 8 / 255, 0.3, 1.0])
def test_the_linf_ball_is_kept_to_the_last_bit(epsilon):
    images = noise(50, 8)
    rows = torch.arange(50)
    ball = LinfBall(images, epsilon)
    for there in (images + 2, images - 2, images.clone()):
        found = ball.project(there, rows)
        assert ((found.double() - images.double()).abs() <= epsilon).all()
        expected = torch.minimum(torch.maximum(there.double(), images.double() - epsilon), images.double() + epsilon)
        torch.testing.assert_close(found.double(), expected.clamp(0, 1), rtol=0, atol=1.2e-7)


def test_originals_may_be_some_of_many():
    images = noise(6, 8)
    rows = torch.tensor([4, 1])
    pixels = images[rows] + 1
    for kind in (L2Ball, LinfBall):
        alone = kind(images[rows], 0.1).project(pixels, torch.arange(2))
        assert torch.equal(kind(images, 0.1).project(pixels, rows), alone)


def test_directions_are_of_length_one_however_small_the_slopes():
    slopes = noise(4, 8) - 0.5
    slopes *= torch.tensor([1e-30, 1e-10, 1, 1e20])[:, None, None, None]
    l2 = L2Ball(slopes, 1).direction(slopes)
    torch.testing.assert_close(l2.flatten(1).norm(dim=1), torch.ones(4))
    torch.testing.assert_close(l2 * (slopes.sign() * l2 < 0), torch.zeros_like(l2))
    assert torch.equal(LinfBall(slopes, 1).direction(slopes), slopes.sign())
    assert not L2Ball(slopes, 1).direction(torch.zeros_like(slopes)).any()


def test_draws_are_uniform_in_the_ball():
    random, images = np.random.default_rng(0), torch.zeros(1, 3, 1, 1)
    drawn = torch.stack([L2Ball(images, 1).draw(random, (3, 1, 1)) for _ in range(4000)]).flatten(1).double()
    radii = drawn.norm(dim=1)
    assert radii.max() <= 1
    # In three dimensions the cube of the radius is uniform.
    assert np.quantile(radii**3, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.03)
    assert drawn.mean(0).abs().max() < 0.03
    box = torch.stack([LinfBall(images, 1).draw(random, (3, 1, 1)) for _ in range(2000)]).flatten(1)
    assert np.quantile(box[:, 0], [0.1, 0.5, 0.9]) == pytest.approx([-0.8, 0, 0.8], abs=0.08)
