"""The figures of the built-in world, each by another road than the one that writes them."""

import numpy as np
import torch
from torch import Tensor, nn

from workers.analysis.controls import random_rotation, rotate
from workers.analysis.intersections import label_table
from workers.analysis.upsampling import to_grid
from workers.jobs import world
from workers.scenes.classifier import as_input, untrained
from workers.scenes.renderer import CONCEPTS, SCENES, SPLITS, render


def balanced_accuracy(predictions: np.ndarray, scenes: np.ndarray, scene: int) -> float:
    inside = [p == scene for p, s in zip(predictions, scenes, strict=True) if s == scene]
    outside = [p != scene for p, s in zip(predictions, scenes, strict=True) if s != scene]
    return (sum(inside) / len(inside) + sum(outside) / len(outside)) / 2


def planted_read_out(units: int) -> nn.Linear:
    """Class c reads unit c alone."""
    read_out = nn.Linear(units, len(SCENES))
    nn.init.zeros_(read_out.bias)
    with torch.no_grad():
        read_out.weight.copy_(torch.eye(len(SCENES), units))
    return read_out


def test_a_rotation_keeps_all_lengths_and_angles_and_follows_its_seed() -> None:
    maps = torch.randn(3, 16, 4, 4)
    turned = rotate(maps, random_rotation(maps.shape[1], 1))
    norms, turned_norms = maps.norm(dim=1), turned.norm(dim=1)
    torch.testing.assert_close(turned_norms, norms)
    torch.testing.assert_close((turned[0] * turned[1]).sum(0), (maps[0] * maps[1]).sum(0), rtol=1e-3, atol=1e-4)
    assert torch.equal(turned, rotate(maps, random_rotation(maps.shape[1], 1)))
    assert not torch.allclose(turned, rotate(maps, random_rotation(maps.shape[1], 2)))


def test_removing_the_one_unit_that_a_class_reads_brings_it_down_to_chance() -> None:
    units = 40
    scenes = np.arange(200) % len(SCENES)
    peaks = torch.rand(200, units) * 0.5
    peaks[np.arange(200), scenes] += 1
    drops, random_drops = world.ablate(planted_read_out(units), peaks, scenes, peaks, scenes)
    # From 1 to recall 0 and a true negative rate of 1; the read units of other classes go with the larger sets.
    assert all(drop >= 0.49 for drop in drops)
    assert random_drops[0] < 0.12


def test_removing_units_equals_a_whole_pass_without_them() -> None:
    network, scenes = untrained(0), np.arange(60) % len(SCENES)
    images = np.stack([render(1, index).image for index in range(60)])
    peaks = world.last_maps(network, images).amax((2, 3))
    removed = [3, 50, 127]

    def silence(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.index_fill(1, torch.tensor(removed), 0)

    handle = network.features.register_forward_hook(silence)
    with torch.inference_mode():
        predictions = network(as_input(images)).argmax(1).numpy()
    handle.remove()
    found = world._balanced(network.classifier, peaks, removed, scenes)
    expected = [balanced_accuracy(predictions, scenes, scene) for scene in range(len(SCENES))]
    np.testing.assert_allclose(found, expected)


def test_a_dissection_equals_a_brute_force() -> None:
    seed, images, grid = SPLITS["scenes-validation"][0], 40, world.GRID
    pictures = np.stack([render(seed, index).image for index in range(images)])
    maps = world.last_maps(untrained(3), pictures)[:, :12]
    labels = np.stack(list(world._labels(seed, images)))
    found = world.dissect(maps, label_table(labels))

    samples = to_grid(maps, grid, "zero").numpy().transpose(1, 0, 2, 3)  # (U, n, G, G)
    best, detected = [], set()
    for unit in samples:
        above = unit > np.quantile(unit, 0.99, method="hazen")
        masks = ((labels == concept + 1).any(axis=1) for concept in range(len(world.ALL_CONCEPTS)))
        ratios = [(above & mask).sum() / (above | mask).sum() for mask in masks]
        best.append(max(ratios))
        if max(ratios) > 0.04:
            detected.add(int(np.argmax(ratios)))
    assert np.isclose(found.mean_iou, np.mean(best), atol=1e-6)
    assert sum(found.distinct.values()) == len(detected)


def test_the_labels_on_the_grid_are_those_of_pixels_and_every_cell_has_a_colour() -> None:
    labels = next(iter(world._labels(1, 1)))
    picture = render(1, 0)
    assert labels.shape == (4, world.GRID, world.GRID)
    assert (labels[0] == picture.labels["object"][1::2, 1::2]).all()
    assert (labels[3] > len(CONCEPTS)).all()
