"""Attacks on a ResNet-20 that nobody here wrote, beside foolbox at the same settings, and beside themselves."""

import foolbox
import pytest
import torch

from tests.real.cifar10 import cifar_images, open_resnet
from tests.workers.analysis.attacks.planted import fooled_by_foolbox, nothing
from workers.analysis.attacks.attack import Attack
from workers.analysis.attacks.carlini_wagner import CarliniWagnerL2
from workers.analysis.attacks.deepfool import DeepFoolL2
from workers.analysis.attacks.fgsm import FGSM
from workers.analysis.attacks.pgd import PGD
from workers.analysis.attacks.robustness import distances

pytestmark = pytest.mark.real

CARLINI_WAGNER = {"steps": 15, "binary_search_steps": 2}
IMAGES = 8


def carlini_wagner(abort_early: bool) -> tuple[Attack, foolbox.attacks.base.Attack]:
    ours = CarliniWagnerL2(**CARLINI_WAGNER, learning_rate=0.02, initial_constant=1.0, abort_early=abort_early)
    theirs = foolbox.attacks.L2CarliniWagnerAttack(
        **CARLINI_WAGNER, stepsize=0.02, initial_const=1.0, abort_early=abort_early
    )
    return ours, theirs


@pytest.fixture
def network(samples):
    return open_resnet(samples)


@pytest.fixture
def images(samples):
    return cifar_images(samples, IMAGES)


def compare(attacks, network, images, targeted, **budget):
    """Ours fools no fewer, and whatever both fool no farther away."""
    ours, theirs = attacks
    with torch.no_grad():
        labels = network(images).argmax(1)
    targets = (labels + 1) % 10 if targeted else None
    attacked = ours(network, images, labels, targets, nothing)
    found, norms = fooled_by_foolbox(theirs, network, images, labels, targets, **budget)
    both = found & attacked.succeeded
    assert attacked.succeeded.sum() >= found.sum()
    assert both.any()
    l2, _ = distances(images, attacked.adversarial)
    assert l2[both].mean() <= norms[both].mean() * 1.005
    return attacked


@pytest.mark.parametrize("abort_early", [False, True])
@pytest.mark.parametrize("targeted", [False, True])
def test_carlini_wagner(network, images, targeted, abort_early):
    compare(carlini_wagner(abort_early), network, images, targeted)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd(network, images, norm, targeted):
    theirs, epsilon, step = {
        "linf": (foolbox.attacks.LinfProjectedGradientDescentAttack, 0.02, 0.005),
        "l2": (foolbox.attacks.L2ProjectedGradientDescentAttack, 0.5, 0.125),
    }[norm]
    attacks = (
        PGD(norm, epsilon, step, steps=6, random_starts=0),
        theirs(abs_stepsize=step, steps=6, random_start=False),
    )
    compare(attacks, network, images, targeted, epsilon=epsilon)


def test_fgsm(network, images):
    compare((FGSM(0.02), foolbox.attacks.LinfFastGradientAttack()), network, images, False, epsilon=0.02)


def test_deepfool(network, images):
    attacks = DeepFoolL2(steps=10, candidates=4), foolbox.attacks.L2DeepFoolAttack(steps=10, candidates=4)
    assert compare(attacks, network, images, False).succeeded.all()


@pytest.mark.parametrize(
    "attack",
    [
        CarliniWagnerL2(steps=6, binary_search_steps=1, learning_rate=0.03, initial_constant=10.0),
        PGD("linf", 0.02, 0.005, steps=4, random_starts=1),
        DeepFoolL2(steps=3, candidates=3),
    ],
    ids=["carlini-wagner", "pgd", "deepfool"],
)
def test_batch_mates_change_nothing(samples, network, attack):
    images = cifar_images(samples, 64)
    with torch.no_grad():
        labels = network(images).argmax(1)
    numbers = torch.arange(64)
    whole = attack(network, images, labels, None, nothing, numbers)
    assert whole.succeeded.float().mean() > 0.5
    for size, count in ((7, 21), (1, 3)):
        parts = [attack(network, images[p], labels[p], None, nothing, p) for p in numbers[:count].split(size)]
        pixels, succeeded = (torch.cat([getattr(p, name) for p in parts]) for name in ("adversarial", "succeeded"))
        torch.testing.assert_close(pixels, whole.adversarial[:count], rtol=0, atol=1e-5)
        assert torch.equal(succeeded, whole.succeeded[:count])
