"""Train the built-in generator: first as the half of an autoencoder, then against a critic as well, at a growing size.

The pictures and latents of every step depend on (seed, stage, step) alone, and a checkpoint holds the rest.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes.churchyards import shrunk
from workers.scenes.generator import LATENT, SIZES
from workers.scenes.training.checkpoints import preserve, restore
from workers.scenes.training.critic import Critic, Encoder, Eye, Heads
from workers.scenes.training.drawing import draw

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """Some steps at one size of the pictures."""

    resolution: int
    steps: int
    adversarial: bool = True
    batch: int = 32
    rate: float = 2e-3


@dataclass(frozen=True)
class GeneratorRecipe:
    """How a generator is trained."""

    stages: tuple[Stage, ...] = (
        Stage(16, 600, adversarial=False, rate=4e-3),
        Stage(16, 1500),
        Stage(32, 100, adversarial=False),
        Stage(32, 3000),
    )
    likeness: float = 10.0  # weight of the squared difference between a picture and the one drawn from its latent
    seen: float = 1.0  # weight of the same difference between what the classifier sees in them
    heads: float = 0.25  # weight of the critics of what the classifier sees
    divergence: float = 1e-3  # weight of the Kullback-Leibler divergence of a picture's latents from N(0, 1)
    smoothness: float = 0.1  # weight of the critic's squared gradient at painted pictures (R1: Mescheder et al., 2018)
    smooth_every: int = 8  # steps
    memory: float = 0.998  # of the average over steps, whose weights are kept in the end
    checkpoint: int = 50  # steps between two checkpoints


class Studio(nn.Module):
    """All networks of a stage."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        sizes = SIZES[: resolution.bit_length() - 1]
        self.generator = ProgressiveGenerator(resolution, sizes)
        self.average = ProgressiveGenerator(resolution, sizes)
        self.average.load_state_dict(self.generator.state_dict())
        self.encoder, self.critic, self.heads = Encoder(resolution, LATENT), Critic(resolution), Heads()

    def inherit(self, smaller: "Studio") -> None:
        """Take over all layers of the stage before that there still are."""
        self.load_state_dict(smaller.state_dict(), strict=False)
        self.average.load_state_dict(self.generator.state_dict())


def train_generator(
    seed: int,
    images: NDArray[np.uint8],
    recipe: GeneratorRecipe,
    directory: Path,
    after_step: Callable[[int, int, Studio], None] = lambda stage, step, studio: None,
) -> ProgressiveGenerator:
    """Train a generator on pictures alone.

    Parameters
    ----------
    seed : int
        Of the first weights, of the order of the pictures and of the latents.
    images : (n, 64, 64, 3) uint8
    recipe : GeneratorRecipe
    directory : Path
        Where the state is kept between runs; a run goes on from what it finds there.
    after_step : callable
        Told the stage, the number of its steps done and the networks.

    Returns
    -------
    ProgressiveGenerator
        The average over the last steps, in eval mode, on the device it was trained on.
    """
    studio: Studio | None = None
    for number, stage in enumerate(recipe.stages):
        torch.manual_seed(seed)
        grown = Studio(stage.resolution)
        if studio:
            grown.inherit(studio)
        studio = grown.to("cuda" if torch.cuda.is_available() else "cpu")
        _run(seed, number, stage, images, recipe, studio, directory / f"generator-{seed}-{number}.pt", after_step)
    assert studio
    return studio.average.eval()


def _run(
    seed: int,
    number: int,
    stage: Stage,
    images: NDArray[np.uint8],
    recipe: GeneratorRecipe,
    studio: Studio,
    checkpoint: Path,
    after_step: Callable[[int, int, Studio], None],
) -> None:
    device = next(studio.parameters()).device
    betas = (0.0, 0.99) if stage.adversarial else (0.9, 0.99)
    drawing = torch.optim.Adam([*studio.generator.parameters(), *studio.encoder.parameters()], stage.rate, betas)
    judging = torch.optim.Adam([*studio.critic.parameters(), *studio.heads.parameters()], stage.rate, betas)
    eye = Eye().to(device)
    state = {"studio": studio, "drawing": drawing, "judging": judging}
    for step in range(restore(state, checkpoint, device), stage.steps):
        random = np.random.default_rng((seed, number, step))
        chosen = np.sort(random.choice(len(images), stage.batch, replace=False))
        painted = torch.from_numpy(shrunk(images[chosen], stage.resolution)).to(device)
        noise = torch.from_numpy(random.standard_normal((stage.batch, LATENT), np.float32)).to(device)
        losses = _step(step, stage, recipe, studio, eye, painted, noise, drawing, judging)
        _remember(studio, min(recipe.memory, (step + 1) / (step + 10)))
        if (step + 1) % recipe.checkpoint == 0 or step + 1 == stage.steps:
            told = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
            log.info("generator, stage %d, step %d of %d: %s", number, step + 1, stage.steps, told)
            preserve(state, step + 1, checkpoint)
        after_step(number, step + 1, studio)


def _step(
    step: int,
    stage: Stage,
    recipe: GeneratorRecipe,
    studio: Studio,
    eye: Eye,
    painted: Tensor,
    noise: Tensor,
    drawing: torch.optim.Optimizer,
    judging: torch.optim.Optimizer,
) -> dict[str, float]:
    """One step on painted pictures (n, 3, r, r) and noise (n, d), of which half becomes latents as it is."""
    half = len(painted) // 2 if stage.adversarial else len(painted)
    mean, spread = studio.encoder(painted[:half])
    latents = torch.cat([mean + noise[:half] * (spread / 2).exp(), noise[half:]])
    drawn = draw(studio.generator, latents)
    with torch.no_grad():
        shown = eye(painted)
    seen = eye(drawn)
    pixels = F.mse_loss(drawn[:half], painted[:half])
    features = torch.stack([F.mse_loss(a[:half], b[:half]) for a, b in zip(seen, shown, strict=True)]).mean()
    divergence = 0.5 * (mean.square() + spread.exp() - spread - 1).sum(1).mean()
    loss = recipe.likeness * pixels + recipe.seen * features + recipe.divergence * divergence
    losses = {"pixels": pixels.item(), "features": features.item(), "divergence": divergence.item()}
    if stage.adversarial:
        hidden = [maps.detach() for maps in seen]
        losses |= _judge(step, recipe, studio, painted, shown, drawn.detach(), hidden, judging)
        loss = loss + F.softplus(-studio.critic(drawn)).mean() + recipe.heads * _conviction(studio.heads(seen), -1)
    _descend(loss, drawing)
    return losses | {"loss": loss.item()}


def _judge(
    step: int,
    recipe: GeneratorRecipe,
    studio: Studio,
    painted: Tensor,
    shown: Sequence[Tensor],
    drawn: Tensor,
    seen: Sequence[Tensor],
    judging: torch.optim.Optimizer,
) -> dict[str, float]:
    """Let the critic and the heads learn to tell painted pictures, and what is seen in them, from drawn ones."""
    smooth = step % recipe.smooth_every == 0
    verdict = studio.critic(painted.requires_grad_(smooth))
    by_pixels = F.softplus(-verdict).mean() + F.softplus(studio.critic(drawn)).mean()
    by_features = _conviction(studio.heads(shown), -1) + _conviction(studio.heads(seen), 1)
    loss = by_pixels + by_features
    if smooth:
        (gradient,) = torch.autograd.grad(verdict.sum(), painted, create_graph=True)
        steepness = gradient.square().sum((1, 2, 3)).mean()
        loss = loss + recipe.smoothness / 2 * recipe.smooth_every * steepness
    _descend(loss, judging)
    return {"critic": by_pixels.item(), "heads": by_features.item()}


def _conviction(verdicts: Sequence[Tensor], sign: int) -> Tensor:
    """The loss of heads that are to say `-sign` everywhere."""
    return torch.stack([F.softplus(sign * verdict).mean() for verdict in verdicts]).sum()


def _descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward(inputs=optimizer.param_groups[0]["params"])  # type: ignore[no-untyped-call]
    optimizer.step()


@torch.no_grad()
def _remember(studio: Studio, memory: float) -> None:
    for average, current in zip(studio.average.parameters(), studio.generator.parameters(), strict=True):
        average.lerp_(current, 1 - memory)
