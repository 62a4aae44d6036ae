"""How much of each concept is drawn, with a segmenter whose answer is known."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from workers.jobs.world.drawn import lines, measure
from workers.scenes.concepts import CONCEPTS
from workers.scenes.training.albums import Album

SKY, TREE = (CONCEPTS.index(("object", name)) for name in ("sky", "tree"))


class White(nn.Module):
    """Draws pictures whose upper quarter is white and whose rest is black."""

    def forward(self, latents: Tensor) -> Tensor:
        pictures = torch.full((len(latents), 3, 32, 32), -1.0)
        pictures[:, :, :8] = 1.0
        return pictures


class BySides(nn.Module):
    """Sees sky in what is light and trees in what is dark."""

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.zeros(len(images), 1 + len(CONCEPTS), 32, 32)
        light = images.mean(1)[:, ::2, ::2]
        logits[:, 1 + SKY], logits[:, 1 + TREE] = light, -light
        return logits


def test_shares_are_of_pixels_by_labels_in_painted_and_in_drawn_pictures() -> None:
    images = np.zeros((3, 64, 64, 3), np.uint8)
    images[:, :, :32] = 255
    labels = np.zeros((3, 3, 64, 64), np.uint8)
    labels[0, 0, :, :16] = 1 + SKY
    shares = measure(White(), BySides(), Album(images, labels))
    assert shares.labelled[SKY] == pytest.approx(1 / 12) and shares.labelled[TREE] == 0
    assert (shares.painted[SKY], shares.painted[TREE]) == (0.5, 0.5)
    assert (shares.drawn[SKY], shares.drawn[TREE]) == (0.25, 0.75)
    assert list(lines(shares))[2:] == ["| sky | 0.083 | 0.500 | 0.250 | 0.50 |"]
