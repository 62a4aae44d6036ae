"""What the built-in classifier's units detect, by another road than the one that writes it down."""

import numpy as np
import torch

from workers.analysis.controls import random_rotation, rotate
from workers.analysis.intersections import label_table
from workers.analysis.upsampling import to_grid
from workers.jobs.world import dissecting
from workers.scenes.classifier import untrained
from workers.scenes.renderer import CONCEPTS, SPLITS, render


def test_a_rotation_keeps_all_lengths_and_angles_and_follows_its_seed() -> None:
    maps = torch.randn(3, 16, 4, 4)
    turned = rotate(maps, random_rotation(maps.shape[1], 1))
    norms, turned_norms = maps.norm(dim=1), turned.norm(dim=1)
    torch.testing.assert_close(turned_norms, norms)
    torch.testing.assert_close((turned[0] * turned[1]).sum(0), (maps[0] * maps[1]).sum(0), rtol=1e-3, atol=1e-4)
    assert torch.equal(turned, rotate(maps, random_rotation(maps.shape[1], 1)))
    assert not torch.allclose(turned, rotate(maps, random_rotation(maps.shape[1], 2)))


def test_a_dissection_equals_a_brute_force() -> None:
    seed, images, grid = SPLITS["scenes-validation"][0], 40, dissecting.GRID
    pictures = np.stack([render(seed, index).image for index in range(images)])
    maps = dissecting.last_maps(untrained(3), pictures)[:, :12]
    labels = np.stack(list(dissecting.picture_labels(seed, images)))
    found = dissecting.dissect(maps, label_table(labels))

    samples = to_grid(maps, grid, "zero").numpy().transpose(1, 0, 2, 3)  # (U, n, G, G)
    best, detected = [], set()
    for unit in samples:
        above = unit > np.quantile(unit, 0.99, method="hazen")
        masks = ((labels == concept + 1).any(axis=1) for concept in range(len(dissecting.ALL_CONCEPTS)))
        ratios = [(above & mask).sum() / (above | mask).sum() for mask in masks]
        best.append(max(ratios))
        if max(ratios) > 0.04:
            detected.add(int(np.argmax(ratios)))
    np.testing.assert_allclose(found.ious, best, atol=1e-9)
    assert sum(found.distinct.values()) == len(detected)


def test_the_labels_on_the_grid_are_those_of_pixels_and_every_cell_has_a_colour() -> None:
    labels = next(iter(dissecting.picture_labels(1, 1)))
    picture = render(1, 0)
    assert labels.shape == (4, dissecting.GRID, dissecting.GRID)
    assert (labels[0] == picture.labels["object"][1::2, 1::2]).all()
    assert (labels[3] > len(CONCEPTS)).all()
