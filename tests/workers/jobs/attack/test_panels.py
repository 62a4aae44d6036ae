"""Pictures of an attacked image: which cells there are, and what each shows."""

from types import SimpleNamespace

import numpy as np
import torch

from workers.jobs.attack.panels import Dissected, amplified, panel

GAP = 4


def cells(strip, side):
    """The images of a strip, which must be so wide and parted by white."""
    count = (strip.shape[1] + GAP) // (side + GAP)
    assert strip.shape == (side, count * (side + GAP) - GAP, 3)
    parts = [strip[:, number * (side + GAP) :][:, : side + GAP] for number in range(count)]
    assert all((part[:, side:] == 255).all() for part in parts)
    return [part[:, :side] for part in parts]


def test_perturbations_lie_around_grey_with_the_largest_at_the_end_of_the_scale():
    perturbation = torch.zeros(3, 2, 2)
    perturbation[0, 0, 0], perturbation[2, 1, 1] = 0.02, -0.01
    shown = amplified(perturbation)
    assert (shown[0, 0, 0], shown[2, 1, 1], shown[1, 0, 1]) == (1, 0.25, 0.5)
    assert (amplified(torch.zeros(3, 2, 2)) == 0.5).all()


def test_every_pixel_of_a_small_image_is_enlarged_whole():
    original = torch.rand(3, 28, 28, generator=torch.Generator().manual_seed(0))
    attacked = (original + 0.01).clamp(0, 1)
    first, second, change = cells(panel(original, attacked, []), 112)
    levels = (original * 255).round().byte().permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(first, levels.repeat(4, 0).repeat(4, 1))
    assert (second.astype(int) - first).mean() > 2
    assert change.min() >= 127


def test_masks_are_of_the_units_that_moved_most_before_and_after():
    """Unit 2 goes from one corner to another and grows; unit 0 falls; unit 1 stays; of unit 0 no threshold is known."""
    side = 120
    original, attacked = torch.full((3, side, side), 0.5), torch.full((3, side, side), 0.25)
    before, after = torch.zeros(3, 2, 2), torch.zeros(3, 2, 2)
    before[1], after[1] = 9, 9
    before[0, 1, 1], after[0, 1, 1] = 3, 1
    before[2, 0, 0], after[2, 1, 0] = 1, 5
    layer = SimpleNamespace(maps=lambda pixels: before if pixels is original else after)
    *_, grown_before, grown_after, fallen_before, fallen_after = cells(
        panel(original, attacked, [Dissected(layer, [None, 1.0, 0.75], "edge")]), side
    )
    assert (grown_before[0, 0] == 128).all()
    assert (grown_before[-1, 0] == 64).all()
    assert (grown_after[0, 0] == 32).all()
    assert (grown_after[-1, 0] == 64).all()
    assert (fallen_before[-1, -1] == 128).all()
    assert (fallen_after[-1, -1] == 64).all()
    assert (fallen_after[0, 0] == 32).all()
