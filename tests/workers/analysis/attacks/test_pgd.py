"""Projected gradient descent and the fast gradient sign method."""

from dataclasses import replace

import foolbox
import pytest
import torch

from tests.workers.analysis.attacks.planted import Linear, Small, fooled_by_foolbox, noise, nothing, scenes
from workers.analysis.attacks.errors import NotDifferentiable, NotFinite
from workers.analysis.attacks.fgsm import FGSM
from workers.analysis.attacks.pgd import BALLS, PGD
from workers.analysis.attacks.projections import L2Ball
from workers.analysis.attacks.robustness import distances

LINF = PGD("linf", epsilon=0.05, step_size=0.01, steps=10, random_starts=1, seed=3)
L2 = PGD("l2", epsilon=0.6, step_size=0.15, steps=10, random_starts=1, seed=3)
THEIRS = {
    "linf": foolbox.attacks.LinfProjectedGradientDescentAttack,
    "l2": foolbox.attacks.L2ProjectedGradientDescentAttack,
}


@pytest.mark.parametrize(("norm", "order"), [("linf", torch.inf), ("l2", 2)])
def test_a_linear_network_falls_exactly_where_its_boundary_is_within_the_budget(norm, order):
    network, images = Linear(classes=2, side=4), 0.35 + 0.3 * noise(40, 4)
    labels, truth = network(images).argmax(1), network.distances(images, order).amin(1)
    epsilon = float(truth.median()) * 1.001
    attack = PGD(norm, epsilon, epsilon / 4, steps=30, random_starts=1)
    found = attack(network, images, labels, None, nothing)
    assert torch.equal(found.succeeded, truth < epsilon)
    assert torch.equal(found.adversarial[~found.succeeded], images[~found.succeeded])
    lengths = distances(images, found.adversarial)[0 if norm == "l2" else 1]
    assert (lengths <= epsilon).all()
    assert (lengths[found.succeeded] >= truth[found.succeeded] - 1e-5).all()


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_is_no_worse_than_foolbox_on_the_built_in_classifier(norm, targeted):
    network, images, labels, others = scenes(8)
    targets = others if targeted else None
    epsilon, step = (0.01, 0.003) if norm == "linf" else (1.0, 0.25)
    ours = PGD(norm, epsilon, step, steps=6, random_starts=0)(network, images, labels, targets, nothing)
    theirs = THEIRS[norm](abs_stepsize=step, steps=6, random_start=False)
    found, norms = fooled_by_foolbox(theirs, network, images, labels, targets, epsilon=epsilon)
    both = found & ours.succeeded
    assert ours.succeeded.sum() >= found.sum() >= 1
    assert distances(images, ours.adversarial)[0][both].mean() <= norms[both].mean() * 1.005


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_with_all_steps_from_the_same_start_it_is_where_foolbox_is(norm):
    network, images = Small(), 0.3 + 0.4 * noise(10, 12)
    labels = network(images).argmax(1)
    attack = replace(LINF if norm == "linf" else L2, stop_at_success=False)
    rows = torch.arange(10)
    ball = BALLS[norm](images, attack.epsilon)
    starts = images + attack._offsets(ball, images, rows, None, 0)

    class Theirs(THEIRS[norm]):
        def get_random_start(self, x0, epsilon):
            return type(x0)(starts)

    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    theirs = Theirs(abs_stepsize=attack.step_size, steps=attack.steps, random_start=True)
    expected = theirs.run(model, images, foolbox.criteria.Misclassification(labels), epsilon=attack.epsilon)
    found = attack(network, images, labels, None, nothing)
    assert found.succeeded.sum() >= 5
    difference = (found.adversarial - expected)[found.succeeded]
    assert (difference.abs() > 1e-4).float().mean() < 0.01
    assert torch.equal(found.succeeded, network(expected).argmax(1) != labels)


@pytest.mark.parametrize("attack", [LINF, L2, replace(LINF, stop_at_success=False)])
def test_batch_mates_change_nothing_and_numbers_decide_the_draws(attack):
    network, images = Small(), noise(64, 12)
    labels, numbers = network(images).argmax(1), torch.arange(64) + 1000
    attack = replace(attack, random_starts=2)
    whole = attack(network, images, labels, None, nothing, numbers)
    assert whole.succeeded.float().mean() > 0.2
    for size in (1, 7):
        parts = [
            attack(network, images[part], labels[part], None, nothing, numbers[part])
            for part in torch.arange(64 if size > 1 else 6).split(size)
        ]
        pixels = torch.cat([part.adversarial for part in parts])
        torch.testing.assert_close(pixels, whole.adversarial[: len(pixels)], rtol=0, atol=1e-5)
        assert torch.equal(torch.cat([part.succeeded for part in parts]), whole.succeeded[: len(pixels)])
    for other in (
        attack(network, images, labels, None, nothing),
        replace(attack, seed=4)(network, images, labels, None, nothing, numbers),
    ):
        assert not torch.equal(other.adversarial, whole.adversarial)


def test_more_beginnings_fool_no_fewer():
    network, images = Small(), noise(40, 12)
    labels = network(images).argmax(1)
    few = replace(LINF, epsilon=0.015, step_size=0.006)
    one, many = (replace(few, random_starts=n)(network, images, labels, None, nothing) for n in (1, 6))
    assert (many.succeeded | ~one.succeeded).all()
    assert torch.equal(many.adversarial[one.succeeded], one.adversarial[one.succeeded])


def test_the_random_start_is_not_what_fools_without_steps():
    network, images = Small(), noise(6, 12)
    found = replace(LINF, steps=0)(network, images, network(images).argmax(1), None, nothing)
    assert not found.succeeded.any()
    assert torch.equal(found.adversarial, images)


@pytest.mark.parametrize("attack", [LINF, L2, FGSM(0.1)])
def test_what_needs_no_change_gets_none(attack):
    network, images = Small(), noise(3, 12)
    labels = (network(images).argmax(1) + 1) % 6
    found = attack(network, images, labels, None, nothing)
    assert found.succeeded.all()
    assert torch.equal(found.adversarial, images)
    assert attack(network, images[:0], labels[:0], None, nothing).succeeded.shape == (0,)


@pytest.mark.parametrize("attack", [LINF, L2, FGSM(0.1)])
def test_bad_networks_are_told(attack):
    images, labels = noise(2, 4), torch.zeros(2, dtype=torch.long)
    with pytest.raises(NotFinite):
        attack(lambda pixels: pixels.sum((2, 3)) * torch.nan, images, labels, None, nothing)
    with pytest.raises(NotDifferentiable):
        attack(lambda pixels: pixels.detach().sum((2, 3)) * torch.tensor([1.0, 0, 0]), images, labels, None, nothing)


@pytest.mark.parametrize("targeted", [False, True])
def test_one_step_by_the_sign_is_what_it_says(targeted):
    network, images = Small(), noise(30, 12)
    labels = network(images).argmax(1)
    targets = (labels + 1) % 6 if targeted else None
    found = FGSM(0.04)(network, images, labels, targets, nothing)
    taken = images.clone().requires_grad_()
    classes, sign = (targets, -1) if targeted else (labels, 1)
    torch.nn.functional.cross_entropy(network(taken), classes).backward()
    expected = (images + sign * 0.04 * taken.grad.sign()).clamp(0, 1)
    said = network(expected).argmax(1)
    assert torch.equal(found.succeeded, said == targets if targeted else said != labels)
    assert 0 < found.succeeded.sum() < 30
    torch.testing.assert_close(found.adversarial[found.succeeded], expected[found.succeeded], rtol=0, atol=2e-7)


def test_the_fast_gradient_sign_method_is_foolboxs_on_the_built_in_classifier():
    network, images, labels, _ = scenes(8)
    ours = FGSM(0.02)(network, images, labels, None, nothing)
    found, norms = fooled_by_foolbox(
        foolbox.attacks.LinfFastGradientAttack(), network, images, labels, None, epsilon=0.02
    )
    assert torch.equal(ours.succeeded, found)
    l2, _ = distances(images, ours.adversarial)
    assert l2[found].numpy() == pytest.approx(norms[found].numpy(), rel=1e-3)


def test_the_l2_ball_is_used_up_where_the_box_binds():
    network, images = Linear(classes=2, side=4), (noise(30, 4) > 0.5).float()
    labels = network(images).argmax(1)
    attack = PGD("l2", 1.0, 0.4, steps=20, random_starts=0, stop_at_success=False)
    found = attack(network, images, labels, None, nothing)
    l2, _ = distances(images, found.adversarial)
    assert found.succeeded.any()
    assert l2[found.succeeded].numpy() == pytest.approx(1.0, abs=1e-5)
    assert L2Ball(images, 1.0).radius < 1.0
