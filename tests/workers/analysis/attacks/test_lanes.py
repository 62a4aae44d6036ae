"""Lanes are always full, and tell the same of an image whoever passes beside it."""

import torch
from torch import nn

from tests.workers.analysis.attacks.planted import Small, noise
from workers.analysis.attacks.lanes import Lanes, lane_count


def test_a_network_meets_the_same_number_of_images_always():
    met, network = [], Small()

    def logits(pixels: torch.Tensor) -> torch.Tensor:
        met.append(tuple(pixels.shape))
        return network(pixels)

    images = noise(11, 12)
    lanes, rows = Lanes(logits, images), torch.tensor([10, 3, 4])
    filled = images[[10, 3, 4] + [10] * (lanes.count - 3)].contiguous(memory_format=torch.channels_last)
    assert torch.equal(lanes.values(images, rows), network(filled)[:3])
    lanes.gradients(images, torch.arange(11).repeat(2), lambda given, lane: given[:, 0])
    assert met == [(lanes.count, 3, 12, 12)] * 3


def test_gradients_are_those_of_each_image_alone():
    network, images = Small(), noise(11, 12)
    rows = torch.tensor([7, 2, 9, 0, 1, 3, 10, 5, 6, 8])
    logits, slopes = Lanes(network, images).gradients(images, rows, lambda given, lane: given[:, 2] * (lane + 1))
    torch.testing.assert_close(logits, network(images[rows]))
    for place, row in enumerate(rows.tolist()):
        taken = images[row : row + 1].clone().requires_grad_()
        (network(taken)[0, 2] * (row + 1)).backward()
        torch.testing.assert_close(slopes[place], taken.grad[0], rtol=1e-4, atol=1e-4)


def test_attacks_work_where_gradients_are_off():
    network, images = Small(), noise(2, 12)
    with torch.no_grad():
        _, slopes = Lanes(network, images).gradients(images, torch.arange(2), lambda given, lane: given[:, 0])
    assert slopes.any()


def test_the_number_of_lanes_is_that_of_the_size_alone():
    assert [lane_count(torch.empty(1, 3, side, side)) for side in (12, 32, 64, 128, 224, 512)] == [16, 16, 8, 2, 1, 1]
    assert lane_count(torch.empty(64, 3, 64, 64)) == lane_count(torch.empty(1, 3, 64, 64))
    sizes = [torch.empty(1, 3, side, side, device="meta") for side in (32, 224, 4096)]
    assert [lane_count(images) for images in sizes] == [64, 16, 1]


def test_the_network_meets_channels_last_whatever_the_images_are_like():
    formats = []

    class Noting(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            formats.append(pixels.is_contiguous(memory_format=torch.channels_last))
            return pixels.mean((2, 3))

    images = noise(3, 12)
    rows = torch.arange(3)
    Lanes(Noting(), images).values(images, rows)
    Lanes(Noting(), images.contiguous(memory_format=torch.channels_last)).values(images, rows)
    assert formats == [True, True]
