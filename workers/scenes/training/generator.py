"""Train the built-in generator: to draw what was painted of the same latents, then against critics as well.

The pictures of every step depend on (seed, stage, step) alone, and a checkpoint holds the rest.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes.churchyards import shrunk
from workers.scenes.training.checkpoints import preserve, restore
from workers.scenes.training.lessons import GeneratorRecipe, Lessons, Studio

log = logging.getLogger(__name__)


def train_generator(
    seed: int,
    images: NDArray[np.uint8],
    latents: NDArray[np.float32],
    recipe: GeneratorRecipe,
    directory: Path,
    after_step: Callable[[int, int, Studio], None] = lambda stage, step, studio: None,
) -> ProgressiveGenerator:
    """Train a generator on pictures and the latents they were painted from.

    Parameters
    ----------
    seed : int
        Of the first weights and of the order of the pictures.
    images : (n, 64, 64, 3) uint8
    latents : (n, d) float32
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
        lessons, checkpoint = Lessons(stage, recipe, studio), directory / f"generator-{seed}-{number}.pt"
        for step in range(restore(lessons.state, checkpoint, lessons.device), stage.steps):
            chosen, painted = _batch((seed, number, step), images, stage.batch, stage.resolution)
            told = lessons.give(step, painted.to(lessons.device), torch.from_numpy(latents[chosen]).to(lessons.device))
            after_step(number, step + 1, studio)
            if (step + 1) % recipe.checkpoint == 0 or step + 1 == stage.steps:
                losses = ", ".join(f"{name} {value:.3f}" for name, value in told.items())
                log.info("generator, stage %d, step %d of %d: %s", number, step + 1, stage.steps, losses)
                preserve(lessons.state, step + 1, checkpoint)
    assert studio
    return studio.average.eval()


def _batch(
    seed: tuple[int, int, int], images: NDArray[np.uint8], size: int, resolution: int
) -> tuple[NDArray[np.int64], Tensor]:
    """The positions of a step's pictures, and the pictures themselves at the stage's resolution."""
    chosen = np.sort(np.random.default_rng(seed).choice(len(images), size, replace=False))
    return chosen, torch.from_numpy(shrunk(images[chosen], resolution))
