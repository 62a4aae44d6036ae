"""DeepFool against the closed form of linear networks, and foolbox."""

import foolbox
import pytest
import torch

from tests.workers.analysis.attacks.planted import Linear, Small, fooled_by_foolbox, noise, nothing, scenes
from workers.analysis.attacks.deepfool import DeepFoolL2
from workers.analysis.attacks.errors import NotDifferentiable, NotFinite
from workers.analysis.attacks.robustness import distances


def test_on_a_linear_network_it_goes_straight_to_the_nearest_boundary():
    network, images = Linear(classes=5, side=4), 0.4 + 0.2 * noise(20, 4)
    labels, truth = network(images).argmax(1), network.distances(images, 2).amin(1)
    found = DeepFoolL2(steps=1, candidates=5, overshoot=0.02)(network, images, labels, None, nothing)
    assert found.succeeded.all()
    l2, _ = distances(images, found.adversarial)
    torch.testing.assert_close(l2, 1.02 * (truth.double() + 1e-4), rtol=1e-3, atol=1e-5)


def test_only_the_likeliest_are_candidates():
    network, images = Linear(classes=5, side=4), 0.4 + 0.2 * noise(20, 4)
    logits = network(images)
    labels, truth = logits.argmax(1), network.distances(images, 2)
    second = logits.topk(2).indices[:, 1:]
    found = DeepFoolL2(steps=3, candidates=2)(network, images, labels, None, nothing)
    l2, _ = distances(images, found.adversarial)
    torch.testing.assert_close(l2, 1.02 * (truth.gather(1, second)[:, 0].double() + 1e-4), rtol=1e-3, atol=1e-5)


def test_it_is_no_worse_than_foolbox_on_the_built_in_classifier():
    network, images, labels, _ = scenes(8)
    ours = DeepFoolL2(steps=10, candidates=4)(network, images, labels, None, nothing)
    theirs = foolbox.attacks.L2DeepFoolAttack(steps=10, candidates=4)
    found, norms = fooled_by_foolbox(theirs, network, images, labels, None)
    assert ours.succeeded.sum() >= found.sum() >= 7
    both = found & ours.succeeded
    l2, _ = distances(images, ours.adversarial)
    assert l2[both].mean() <= norms[both].mean() * 1.005


def test_batch_mates_change_nothing():
    network, images = Small(), noise(64, 12)
    labels, attack = network(images).argmax(1), DeepFoolL2(candidates=4)
    whole = attack(network, images, labels, None, nothing)
    assert whole.succeeded.float().mean() > 0.9
    for size in (1, 7):
        parts = [attack(network, images[p], labels[p], None, nothing) for p in torch.arange(64).split(size)]
        torch.testing.assert_close(torch.cat([p.adversarial for p in parts]), whole.adversarial, rtol=0, atol=1e-5)
        assert torch.equal(torch.cat([p.succeeded for p in parts]), whole.succeeded)


def test_what_needs_no_change_and_what_may_not_change_stay():
    network, images = Small(), noise(4, 12)
    said = network(images).argmax(1)
    found = DeepFoolL2()(network, images, (said + 1) % 6, None, nothing)
    assert found.succeeded.all()
    assert torch.equal(found.adversarial, images)
    found = DeepFoolL2(steps=0)(network, images, said, None, nothing)
    assert not found.succeeded.any()
    assert torch.equal(found.adversarial, images)


def test_it_cannot_be_told_a_target():
    network, images = Small(), noise(1, 12)
    said = network(images).argmax(1)
    with pytest.raises(ValueError, match="told which"):
        DeepFoolL2()(network, images, said, (said + 1) % 6, nothing)


def test_bad_networks_are_told():
    images, labels = noise(2, 4), torch.zeros(2, dtype=torch.long)
    with pytest.raises(NotFinite):
        DeepFoolL2()(lambda pixels: pixels.sum((2, 3)) * torch.nan, images, labels, None, nothing)
    with pytest.raises(NotDifferentiable):
        DeepFoolL2()(lambda p: p.detach().sum((2, 3)) * torch.tensor([1.0, 0, 0]), images, labels, None, nothing)


def test_a_flat_network_is_not_fooled_and_leaves_numbers():
    images, labels = noise(3, 4), torch.zeros(3, dtype=torch.long)
    found = DeepFoolL2(steps=3)(lambda p: p.sum((2, 3)) * 0 + torch.tensor([1.0, 0, 0]), images, labels, None, nothing)
    assert not found.succeeded.any()
    assert torch.equal(found.adversarial, images)
