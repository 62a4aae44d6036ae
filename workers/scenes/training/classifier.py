"""Train the built-in classifier on the names of the scenes alone.

The images of every step depend on (seed, step) alone and a checkpoint holds the rest: a run killed at any moment goes
on where it stopped and ends at the same weights.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workers.scenes.classifier import SceneClassifier, as_input
from workers.scenes.renderer import SIZE
from workers.scenes.training.albums import BUILD, folder
from workers.scenes.training.checkpoints import preserve, restore

log = logging.getLogger(__name__)

SEEDS = (0, 1, 2)
SHIFT = 4  # pixels that a training image is moved at most, in each direction


@dataclass(frozen=True)
class ClassifierRecipe:
    """How a network is trained. It stops early on purpose: a saturated network hides what its single units do."""

    epochs: int = 3
    batch: int = 64
    rate: float = 2e-3
    decay: float = 2.5
    sparsity: float = 2e-3  # weight of the read-out's L1 norm in the loss: a class shall rely on few units
    read_out_steps: int = 1000
    read_out_batch: int = 256
    read_out_rate: float = 1e-2
    checkpoint: int = 100  # steps between two checkpoints


def classifier_weights(seed: int, parent: str = BUILD) -> Path:
    """The file of the network trained from a seed."""
    return folder("classifier", ClassifierRecipe(), parent) / f"classifier-{seed}.safetensors"


def train_classifier(
    seed: int,
    images: NDArray[np.uint8],
    scenes: NDArray[np.int64],
    recipe: ClassifierRecipe,
    checkpoint: Path,
    after_step: Callable[[int], None] = lambda step: None,
) -> SceneClassifier:
    """Train a network on scene labels alone.

    Parameters
    ----------
    seed : int
        Of the first weights, and of the order, shifts and reflections of the images.
    images : (n, 64, 64, 3) uint8
    scenes : (n,) int64
        The class of each image.
    recipe : ClassifierRecipe
    checkpoint : Path
        Where the state is kept between runs; a run goes on from what it finds there.
    after_step : callable
        Told the number of steps done, before they may be written down.

    Returns
    -------
    SceneClassifier
        In eval mode, on the device it was trained on.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    network = SceneClassifier().to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.decay)
    steps = recipe.epochs * (len(images) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    state = {"network": network, "optimizer": optimizer, "schedule": schedule}
    for step in range(restore(state, checkpoint, device), steps):
        chosen, pixels = _batch(seed, step, images, recipe.batch)
        targets = torch.from_numpy(scenes[chosen]).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            loss = _loss(network(pixels.to(device)), targets, network.classifier, recipe)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        after_step(step + 1)
        if (step + 1) % recipe.checkpoint == 0 or step + 1 == steps:
            log.info("classifier %d, step %d of %d: loss %.3f", seed, step + 1, steps, loss.item())
            preserve(state, step + 1, checkpoint)
    network.eval()
    return network


def fit_read_out(
    seed: int, network: SceneClassifier, images: NDArray[np.uint8], scenes: NDArray[np.int64], recipe: ClassifierRecipe
) -> None:
    """Fit the read-out once more, on the finished layer.

    As long as the layer itself learns, it evades the penalty: its activations grow while the weights on them shrink.
    Only on a fixed layer does the penalty leave a class with few units (as in Wong et al., ICML 2021).
    """
    peaks, read_out = last_peaks(network, images), network.classifier
    targets = torch.from_numpy(scenes).to(peaks.device)
    optimizer = torch.optim.Adam(read_out.parameters(), recipe.read_out_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.read_out_rate, total_steps=recipe.read_out_steps)
    random = torch.Generator().manual_seed(seed)
    for _ in range(recipe.read_out_steps):
        chosen = torch.randint(len(peaks), (recipe.read_out_batch,), generator=random).to(peaks.device)
        loss = _loss(read_out(peaks[chosen]), targets[chosen], read_out, recipe)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def _loss(logits: Tensor, targets: Tensor, read_out: nn.Linear, recipe: ClassifierRecipe) -> Tensor:
    return nn.functional.cross_entropy(logits, targets) + recipe.sparsity * read_out.weight.abs().sum()


@torch.no_grad()
def last_peaks(network: SceneClassifier, images: NDArray[np.uint8]) -> Tensor:
    """The peak of every unit of the last layer on every image, (n, 128)."""
    device = next(network.parameters()).device
    starts = range(0, len(images), 250)
    return torch.cat([network.features(as_input(images[i : i + 250]).to(device)).amax((2, 3)) for i in starts])


def _batch(seed: int, step: int, images: NDArray[np.uint8], size: int) -> tuple[NDArray[np.int64], Tensor]:
    """The positions of a step's images and the images themselves, shifted and mirrored at random."""
    epoch, place = divmod(step, len(images) // size)
    order = np.random.default_rng((seed, epoch)).permutation(len(images))
    chosen = order[place * size : (place + 1) * size]
    random = np.random.default_rng((seed, epoch, place))
    padded = np.pad(images[chosen], ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    moved = np.empty((size, SIZE, SIZE, 3), np.uint8)
    for i, (top, left, mirrored) in enumerate(random.integers(0, (2 * SHIFT + 1, 2 * SHIFT + 1, 2), (size, 3))):
        moved[i] = padded[i, top : top + SIZE, left : left + SIZE][:, :: -1 if mirrored else 1]
    return chosen, as_input(moved)


@torch.no_grad()
def accuracy(network: SceneClassifier, images: NDArray[np.uint8], scenes: NDArray[np.int64]) -> float:
    """Share of the images (n, 64, 64, 3) whose class the network puts first."""
    found = network.classifier(last_peaks(network, images)).argmax(1).cpu().numpy()
    return float(np.mean(found == scenes))
