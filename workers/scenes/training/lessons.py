"""What a generator is taught in one stage of its training: to draw what was painted, and to convince its critics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes.generator import SIZES
from workers.scenes.training.critic import Critic, Eye, Heads
from workers.scenes.training.drawing import draw


@dataclass(frozen=True)
class Stage:
    """Some steps at one size of the pictures."""

    resolution: int
    steps: int
    adversarial: bool = True
    batch: int = 16
    rate: float = 2e-3
    likeness: float = 10.0  # weight of the squared difference between drawn and painted pixels


@dataclass(frozen=True)
class GeneratorRecipe:
    """How a generator is trained."""

    stages: tuple[Stage, ...] = (
        Stage(4, 1000, adversarial=False, batch=64, rate=1e-2),
        Stage(8, 3000, adversarial=False, batch=32, rate=1e-2),
        Stage(16, 3000, adversarial=False, rate=5e-3),
        Stage(32, 3000, adversarial=False, rate=5e-3),
        Stage(32, 12000, likeness=1.0),
    )
    heads: float = 0.25  # weight of the critics of what the classifier sees
    smoothness: float = 0.1  # weight of the critic's squared gradient at painted pictures (R1: Mescheder et al., 2018)
    smooth_every: int = 8  # steps
    memory: float = 0.998  # of the average over steps, whose weights are kept in the end
    checkpoint: int = 100  # steps between two checkpoints


class Studio(nn.Module):
    """All networks of a stage."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        sizes = SIZES[: resolution.bit_length() - 1]
        self.generator = ProgressiveGenerator(resolution, sizes)
        self.average = ProgressiveGenerator(resolution, sizes)
        self.average.load_state_dict(self.generator.state_dict())
        self.critic, self.heads = Critic(resolution), Heads()

    def inherit(self, smaller: "Studio") -> None:
        """Take over all layers of the stage before that there still are, the generator's as they were on average."""
        self.load_state_dict(smaller.state_dict(), strict=False)
        self.generator.load_state_dict(smaller.average.state_dict(), strict=False)
        self.average.load_state_dict(self.generator.state_dict())

    @torch.no_grad()
    def remember(self, memory: float) -> None:
        """Move the averaged generator towards the present one."""
        for average, current in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(current, 1 - memory)


class Lessons:
    """The steps of a stage, one by one."""

    def __init__(self, stage: Stage, recipe: GeneratorRecipe, studio: Studio) -> None:
        self.stage, self.recipe, self.studio = stage, recipe, studio
        self.device = next(studio.parameters()).device
        betas = (0.0, 0.99) if stage.adversarial else (0.9, 0.99)
        self.drawing = torch.optim.Adam(studio.generator.parameters(), stage.rate, betas)
        self.judging = torch.optim.Adam([*studio.critic.parameters(), *studio.heads.parameters()], stage.rate, betas)
        self.eye = Eye().to(self.device)

    @property
    def state(self) -> Mapping[str, Any]:
        """All that changes from step to step."""
        return {"studio": self.studio, "drawing": self.drawing, "judging": self.judging}

    def give(self, step: int, painted: Tensor, latents: Tensor) -> dict[str, float]:
        """One step on painted pictures (n, 3, r, r) and their latents (n, d); returns the parts of the loss."""
        drawn = draw(self.studio.generator, latents)
        pixels = F.mse_loss(drawn, painted)
        loss, told = self.stage.likeness * pixels, {"pixels": pixels.item()}
        if self.stage.adversarial:
            criticism, more = self._criticize(step, painted, drawn)
            loss, told = loss + criticism, told | more
        _descend(loss, self.drawing)
        self.studio.remember(min(self.recipe.memory, (step + 1) / (step + 10)))
        return told

    def _criticize(self, step: int, painted: Tensor, drawn: Tensor) -> tuple[Tensor, dict[str, float]]:
        """What the critics, taught once more, have against drawn pictures."""
        seen = self.eye(drawn)
        with torch.no_grad():
            shown = self.eye(painted)
        told = self._judge(step, painted, shown, drawn.detach(), [maps.detach() for maps in seen])
        criticism = F.softplus(-self.studio.critic(drawn)).mean()
        return criticism + self.recipe.heads * _error(self.studio.heads(seen), painted=True), told

    def _judge(
        self, step: int, painted: Tensor, shown: Sequence[Tensor], drawn: Tensor, seen: Sequence[Tensor]
    ) -> dict[str, float]:
        """Let the critics learn to tell painted pictures, and what is seen in them, from drawn ones."""
        smooth = step % self.recipe.smooth_every == 0
        verdict = self.studio.critic(painted.requires_grad_(smooth))
        pixels = F.softplus(-verdict).mean() + F.softplus(self.studio.critic(drawn)).mean()
        heads = _error(self.studio.heads(shown), painted=True) + _error(self.studio.heads(seen), painted=False)
        loss = pixels + heads
        if smooth:
            (gradient,) = torch.autograd.grad(verdict.sum(), painted, create_graph=True)
            steepness = gradient.square().sum((1, 2, 3)).mean()
            loss = loss + self.recipe.smoothness / 2 * self.recipe.smooth_every * steepness
        _descend(loss, self.judging)
        return {"critic": pixels.item(), "heads": heads.item()}


def _error(verdicts: Sequence[Tensor], painted: bool) -> Tensor:
    """The loss of heads whose verdicts (n, 1, h, w) are of pictures that are painted, or drawn."""
    return torch.stack([F.softplus(-verdict if painted else verdict).mean() for verdict in verdicts]).sum()


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward(inputs=optimizer.param_groups[0]["params"])  # type: ignore[no-untyped-call]
    optimizer.step()
