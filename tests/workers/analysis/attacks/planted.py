"""Networks and images whose adversarial examples are known, or found quickly."""

from functools import cache

import foolbox
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from workers.scenes.classifier import INPUT, load_classifier
from workers.scenes.renderer import SPLITS, render


def nothing() -> None:
    """Check that lets everything go on."""


class Linear:
    """Logits that are linear in pixels (B, 3, S, S): the nearest point of each boundary has a closed form."""

    def __init__(self, classes: int, side: int, seed: int = 0) -> None:
        random = torch.Generator().manual_seed(seed)
        self.weight = torch.randn(classes, 3 * side * side, generator=random)
        self.bias = torch.randn(classes, generator=random) - self.weight.sum(1) / 2  # in the middle at grey

    def __call__(self, pixels: Tensor) -> Tensor:
        return pixels.flatten(1) @ self.weight.T + self.bias

    def distances(self, images: Tensor, order: float) -> Tensor:
        """Distances (B, C) of each image to the boundary with each class; infinite to its own."""
        logits = self(images)
        own = logits.argmax(1)
        norms = (self.weight[None] - self.weight[own][:, None]).norm(dim=2, p=1 if order == torch.inf else 2)
        gaps = logits.amax(1, keepdim=True) - logits
        return torch.where(norms > 0, gaps / norms, torch.inf)


class Small(nn.Module):
    """Convolutions with norms, random: (B, 3, 12, 12) -> (B, 6)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(12, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 6),
            )  # fmt: skip
        self.eval().requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        return 20 * self.layers((pixels - 0.5) / 0.25)


def noise(count: int, side: int, seed: int = 0) -> Tensor:
    """Images (count, 3, side, side) with structure, of which some pixels are 0 or 1."""
    random = torch.Generator().manual_seed(seed)
    coarse = interpolate(torch.rand(count, 3, 4, 4, generator=random), side)
    return (1.5 * coarse - 0.25 + 0.3 * (torch.rand(count, 3, side, side, generator=random) - 0.5)).clamp(0, 1)


class Scenes(nn.Module):
    """The built-in classifier on pixels in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = load_classifier()
        self.requires_grad_(False).eval()

    def forward(self, pixels: Tensor) -> Tensor:
        mean, std = (torch.tensor(INPUT[name]).view(3, 1, 1) for name in ("mean", "std"))
        return self.classifier((pixels - mean) / std)


@cache
def scenes(count: int) -> tuple[Scenes, Tensor, Tensor, Tensor]:
    """The classifier, images (count, 3, 64, 64), what it takes them for (count,), and other classes (count,)."""
    network, (seed, _) = Scenes(), SPLITS["scenes-validation"]
    rendered = np.stack([render(seed, index).image for index in range(count)])
    images = (torch.from_numpy(rendered).permute(0, 3, 1, 2).float() / 255).contiguous()
    labels = network(images).argmax(1)
    return network, images, labels, (labels + 1 + torch.arange(count) % 19) % 20


def fooled_by_foolbox(
    attack: foolbox.attacks.base.Attack, network: nn.Module, images: Tensor, labels: Tensor, targets: Tensor | None,
    **budget: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Which images (B,) foolbox's attack fools, by our own forward pass, and the L2 norms (B,) of what it changed."""
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    goal = foolbox.criteria.Misclassification(labels)
    if targets is not None:
        goal = foolbox.criteria.TargetedMisclassification(targets)
    adversarial = attack.run(model, images, goal, **budget)
    with torch.no_grad():
        said = network(adversarial).argmax(1)
    found = (said != labels) if targets is None else (said == targets)
    return found & (adversarial.flatten(1).amax(1) > 0), (adversarial - images).flatten(1).norm(dim=1)
