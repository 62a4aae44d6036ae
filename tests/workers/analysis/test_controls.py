"""Controls on noise, where it is known what they must say."""

import numpy as np
import torch

from workers.analysis.controls import (
    corrected_p_values,
    p_values,
    permutations,
    random_rotation,
    rotate,
    shuffled_iou,
)

IMAGES, CELLS = 40, 16


def uniform_distance(values):
    """Kolmogorov and Smirnov's distance from a uniform distribution."""
    ordered = np.sort(values)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return max(np.abs(ordered - steps[1:]).max(), np.abs(ordered - steps[:-1]).max())


def noise(random, units, concepts):
    """Units and masks that have nothing to do with each other, though images differ in how much they show."""
    shares = random.beta(1, 3, (IMAGES, 1))
    active = random.random((units, IMAGES, CELLS)) < random.beta(1, 4, (units, IMAGES, 1))
    labels = np.where(
        random.random((IMAGES, CELLS)) < shares, random.integers(1, concepts + 1, (IMAGES, CELLS)), 0
    ).astype(np.uint16)
    return active, labels


def scores_of(active, labels, concepts, orders):
    """The real IoU of a unit with each concept, and those against dealt-out masks."""
    masks = labels == np.arange(1, concepts + 1)[:, None, None]  # (C, n, cells)
    real = (active & masks).sum((1, 2)) / np.maximum(1, (active | masks).sum((1, 2)))
    images, cells = np.nonzero(active)
    return real, shuffled_iou(images, cells, masks.sum((1, 2)), labels.reshape(-1, 1), orders)


def test_shuffled_scores_are_those_of_masks_dealt_out_by_hand():
    active, labels = noise(np.random.default_rng(0), 1, 3)
    _, shuffled = scores_of(active[0], labels, 3, permutations(IMAGES))
    assert shuffled.shape == (200, 3)
    for order, found in zip(permutations(IMAGES), shuffled, strict=True):
        dealt = labels[order]
        expected = [(active[0] & (dealt == c)).sum() / max(1, (active[0] | (dealt == c)).sum()) for c in range(1, 4)]
        np.testing.assert_allclose(found, expected)


def test_p_values_are_uniform_on_a_network_of_noise():
    random = np.random.default_rng(3)
    found = []
    for layer in range(20):
        active, labels = noise(random, 20, 1)
        orders = list(permutations(IMAGES, seed=layer))
        for unit in active:
            real, shuffled = scores_of(unit, labels, 1, orders)
            found.append(p_values((shuffled >= real).sum(axis=0))[0])
    assert uniform_distance(found) < 1.63 / np.sqrt(len(found))  # the bound at 1 %
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.08


def test_corrected_p_values_err_in_one_layer_of_twenty():
    random = np.random.default_rng(4)
    smallest = []
    for layer in range(200):
        active, labels = noise(random, 4, 3)
        orders = list(permutations(IMAGES, seed=layer))
        scores = [scores_of(unit, labels, 3, orders) for unit in active]
        best = np.max([shuffled.max(axis=1) for _, shuffled in scores], axis=0)
        smallest.append(corrected_p_values(np.stack([real for real, _ in scores]), best).min())
    assert uniform_distance(smallest) < 1.63 / np.sqrt(len(smallest))


def test_a_unit_that_follows_a_concept_stands_out():
    random = np.random.default_rng(5)
    _active, labels = noise(random, 1, 2)
    real, shuffled = scores_of(labels == 1, labels, 2, permutations(IMAGES))
    assert real[0] == 1
    assert p_values((shuffled >= real).sum(axis=0))[0] == 1 / 201
    assert corrected_p_values(real, shuffled.max(axis=1))[0] == 1 / 201


def test_a_rotation_keeps_lengths_and_favours_no_direction():
    rotation = random_rotation(64)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(64), atol=1e-5)
    assert torch.equal(rotation, random_rotation(64))
    assert not torch.equal(rotation, random_rotation(64, seed=1))
    corners = torch.stack([random_rotation(8, seed)[0, 0] for seed in range(400)])
    assert abs(float(corners.mean())) < 0.06
    assert abs(float(corners.square().mean()) - 1 / 8) < 0.02
    maps = torch.randn(3, 64, 5, 4)
    np.testing.assert_allclose(rotate(maps, rotation)[1, :, 2, 3], rotation @ maps[1, :, 2, 3], atol=1e-5)
