"""The shipped generator."""

import torch

from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes import networks
from workers.scenes.generator import RESOLUTION, WEIGHTS, load_generator


def test_the_shipped_weights_are_small_and_draw_pictures_that_differ() -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
    network = load_generator()
    assert not network.training
    latents = torch.randn(8, network.latent, generator=torch.Generator().manual_seed(1))
    pictures = network(latents)
    assert pictures.shape == (8, 3, RESOLUTION, RESOLUTION)
    assert torch.equal(pictures, network(latents[..., None, None]))
    assert pictures.isfinite().all()
    assert pictures.std(0).mean() > 0.05
    assert pictures[:, 2, :6].mean() > pictures[:, 2, -6:].mean()  # skies are bluer than the ground


def test_the_source_knows_the_latents() -> None:
    architecture = networks.source("scenes-generator", None)
    assert (architecture.kind, architecture.weights()) == ("generator", WEIGHTS)
    assert architecture.input == {"latent": [128], "range": [-1.0, 1.0]}
    assert isinstance(architecture.build((RESOLUTION, RESOLUTION), load_generator().state_dict()), ProgressiveGenerator)
