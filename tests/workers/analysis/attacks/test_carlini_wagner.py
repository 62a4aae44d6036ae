"""The attack of Carlini and Wagner against closed forms, foolbox, and itself in other batches."""

from dataclasses import replace

import foolbox
import pytest
import torch

from tests.workers.analysis.attacks.planted import Linear, Small, fooled_by_foolbox, noise, nothing, scenes
from workers.analysis.attacks.carlini_wagner import PRESETS, CarliniWagnerL2
from workers.analysis.attacks.errors import NotDifferentiable, NotFinite
from workers.analysis.attacks.robustness import distances

QUICK = CarliniWagnerL2(steps=40, binary_search_steps=4, learning_rate=0.02, initial_constant=0.1)
BRIEF = CarliniWagnerL2(steps=20, binary_search_steps=3, learning_rate=0.05, initial_constant=1.0)


@pytest.mark.parametrize(("classes", "targeted"), [(4, False), (2, True)])
def test_the_nearest_image_of_a_linear_network_is_found(classes, targeted):
    network, images = Linear(classes, side=4), 0.4 + 0.2 * noise(6, 4)
    labels, truth = network(images).argmax(1), network.distances(images, 2).amin(1)
    attack = CarliniWagnerL2(150, 6, learning_rate=5e-3, initial_constant=1e-2, abort_early=False)
    found = attack(network, images, labels, 1 - labels if targeted else None, nothing)
    assert found.succeeded.all()
    assert (network(found.adversarial).argmax(1) != labels).all()
    l2, _ = distances(images, found.adversarial)
    assert (l2 >= truth * (1 - 1e-4)).all()
    assert (l2 <= truth * 1.03).all()


@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_no_worse_than_foolbox_on_the_built_in_classifier(targeted):
    network, images, labels, others = scenes(6)
    targets = others if targeted else None
    attack = CarliniWagnerL2(steps=15, binary_search_steps=2, learning_rate=0.02, initial_constant=1.0)
    ours = attack(network, images, labels, targets, nothing)
    theirs = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=2, steps=15, stepsize=0.02, initial_const=1.0)
    found, norms = fooled_by_foolbox(theirs, network, images, labels, targets)
    l2, _ = distances(images, ours.adversarial)
    assert ours.succeeded.sum() >= found.sum() >= 5
    both = found & ours.succeeded
    assert l2[both].mean() <= norms[both].mean() * 1.005


@pytest.mark.parametrize("abort_early", [False, True])
def test_alone_an_image_goes_the_way_that_foolbox_takes_it(abort_early):
    network, images = Small(), noise(5, 12)
    labels = network(images).argmax(1)
    attack = replace(QUICK, abort_early=abort_early)
    theirs = foolbox.attacks.L2CarliniWagnerAttack(4, 40, 0.02, 0, 0.1, abort_early)
    ours, _ = distances(images, attack(network, images, labels, None, nothing).adversarial)
    for image in range(5):
        one = slice(image, image + 1)
        found, norms = fooled_by_foolbox(theirs, network, images[one], labels[one], None)
        assert found.all()
        # They are the same steps until roundings part them.
        assert ours[image] <= norms[0] * 1.01


@pytest.mark.parametrize("targeted", [False, True])
def test_batch_mates_change_nothing(targeted):
    network, images = Small(), noise(64, 12)
    labels = network(images).argmax(1)
    targets = (labels + 1) % 6 if targeted else None
    whole = BRIEF(network, images, labels, targets, nothing)
    assert whole.succeeded.float().mean() > 0.9
    for size, count in ((1, 3), (7, 21)):
        parts = [
            BRIEF(network, images[part], labels[part], None if targets is None else targets[part], nothing)
            for part in torch.arange(count).split(size)
        ]
        pixels = torch.cat([part.adversarial for part in parts])
        torch.testing.assert_close(pixels, whole.adversarial[: len(pixels)], rtol=0, atol=1e-5)
        assert torch.equal(torch.cat([part.succeeded for part in parts]), whole.succeeded[: len(pixels)])


def test_the_winner_wins_by_the_confidence():
    network, images = Small(), noise(4, 12)
    labels = network(images).argmax(1)
    targets = (labels + 1) % 6
    found = replace(QUICK, confidence=1.5)(network, images, labels, targets, nothing)
    logits = network(found.adversarial)
    lead = logits.gather(1, targets[:, None])[:, 0] - logits.scatter(1, targets[:, None], -torch.inf).amax(1)
    assert found.succeeded.all()
    assert (lead > 1.5).all()
    near, far = (
        distances(images, one.adversarial)[0] for one in (QUICK(network, images, labels, targets, nothing), found)
    )
    assert (near < far).all()


def test_pixels_at_the_ends_move_and_stay_within():
    network = Linear(classes=2, side=4)
    images = (torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    labels = network(images).argmax(1)
    found = CarliniWagnerL2(200, 5, 0.1, 1.0, abort_early=False)(network, images, labels, None, nothing)
    assert found.succeeded.all()
    assert (found.adversarial - images).abs().flatten(1).amax(1).min() > 0.01
    assert found.adversarial.min() >= 0
    assert found.adversarial.max() <= 1


@pytest.mark.parametrize("abort_early", [False, True])
def test_images_of_nothing_but_0_and_1_are_fooled_where_foolbox_fools_them(abort_early):
    """Their pixels hardly move at first; an early stop must not take that for the end."""
    network, images = Small(), (noise(4, 12) > 0.5).float()
    labels = network(images).argmax(1)
    attack = CarliniWagnerL2(60, 3, 0.1, 1.0, abort_early=abort_early)
    ours = attack(network, images, labels, None, nothing)
    theirs = foolbox.attacks.L2CarliniWagnerAttack(3, 60, 0.1, 0, 1.0, abort_early=False)
    found, norms = fooled_by_foolbox(theirs, network, images, labels, None)
    l2, _ = distances(images, ours.adversarial)
    assert (ours.succeeded | ~found).all()
    assert found.all()
    assert l2.mean() <= norms.mean() * 1.005


def test_what_needs_no_change_gets_none():
    network, images = Small(), noise(4, 12)
    said = network(images).argmax(1)
    labels = torch.cat([(said[:2] + 1) % 6, said[2:]])
    found = QUICK(network, images, labels, None, nothing)
    assert found.succeeded.all()
    assert torch.equal(found.adversarial[:2], images[:2])
    assert not torch.equal(found.adversarial[2:], images[2:])
    found = QUICK(network, images, labels, said, nothing)
    assert found.succeeded.all()
    assert torch.equal(found.adversarial, images)


@pytest.mark.parametrize("nil", ["steps", "binary_search_steps"])
def test_without_iterations_an_image_is_its_own_outcome(nil):
    network, images = Small(), noise(3, 12)
    said = network(images).argmax(1)
    labels = torch.cat([(said[:1] + 1) % 6, said[1:]])
    found = replace(QUICK, **{nil: 0})(network, images, labels, None, nothing)
    assert found.succeeded.tolist() == [True, False, False]
    assert torch.equal(found.adversarial, images)


def test_all_may_stop_at_once_and_fail():
    images = noise(9, 4)

    def deaf(pixels: torch.Tensor) -> torch.Tensor:
        return torch.stack([pixels.sum((1, 2, 3)) * 0, pixels.sum((1, 2, 3)) * 0 - 1], dim=1)

    seen = []
    found = QUICK(deaf, images, torch.zeros(9, dtype=torch.long), None, lambda: seen.append(1))
    assert not found.succeeded.any()
    assert torch.equal(found.adversarial, images)
    assert len(seen) < QUICK.steps * QUICK.binary_search_steps


def test_no_images_are_no_outcomes():
    found = QUICK(Small(), noise(0, 12), torch.zeros(0, dtype=torch.long), None, nothing)
    assert (found.adversarial.shape, found.succeeded.tolist()) == ((0, 3, 12, 12), [])


@pytest.mark.parametrize("when", ["at first", "on the way"])
def test_a_network_without_numbers_is_a_failure(when):
    images = torch.full((2, 3, 4, 4), 0.5)

    def broken(pixels: torch.Tensor) -> torch.Tensor:
        moved = (pixels - 0.5).abs().amax((1, 2, 3)) > (1e-3 if when == "on the way" else -1)
        sums = pixels.sum((1, 2, 3)) + torch.where(moved, torch.nan, 0.0)
        return torch.stack([sums + 1, -sums], dim=1)

    with pytest.raises(NotFinite, match="output for an image"):
        QUICK(broken, images, torch.zeros(2, dtype=torch.long), None, nothing)


def test_a_gradient_without_numbers_is_a_failure():
    def steep(pixels: torch.Tensor) -> torch.Tensor:
        root = (pixels.sum((1, 2, 3)) * 0).sqrt()
        return torch.stack([1 + root, root * 2], dim=1)

    with pytest.raises(NotFinite, match="gradient"):
        QUICK(steep, torch.full((2, 3, 4, 4), 0.5), torch.zeros(2, dtype=torch.long), None, nothing)


@pytest.mark.parametrize(
    "network",
    [
        lambda pixels: torch.stack(
            [pixels.round().long().sum((1, 2, 3)).float() * 0 + 1, pixels[:, 0, 0, 0].detach()], 1
        ),
        lambda pixels: torch.ones(len(pixels), 2, requires_grad=True) * torch.tensor([1.0, 0]),
    ],
)
def test_a_network_without_slopes_is_refused(network):
    with pytest.raises(NotDifferentiable, match=r"gradient|differentiated"):
        QUICK(network, noise(2, 4), torch.zeros(2, dtype=torch.long), None, nothing)


def test_whoever_asks_it_to_end_is_heard():
    class Ended(Exception):
        pass

    def end() -> None:
        raise Ended

    network, images = Small(), noise(1, 12)
    with pytest.raises(Ended):
        QUICK(network, images, network(images).argmax(1), None, end)


def test_the_presets_are_those_of_the_papers():
    assert CarliniWagnerL2(**PRESETS["pnas2020"]) == CarliniWagnerL2(1000, 5, 5e-3, 1e-2, 0)
    assert CarliniWagnerL2(**PRESETS["carlini2017"]) == CarliniWagnerL2(10000, 9, 1e-2, 1e-3, 0)
