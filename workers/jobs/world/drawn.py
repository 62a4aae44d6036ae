"""How much of each concept the built-in generator draws: `python -m workers.jobs.world.drawn [directory]`.

The share of the pixels that show a concept in painted churchyards, by their exact labels and as the segmenter sees
them, beside what it sees in drawn ones; written into docs/world.md.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from workers.jobs.world.page import fill_in
from workers.networks.latents import LatentSpec
from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes.churchyards import shrunk
from workers.scenes.concepts import CONCEPTS
from workers.scenes.generator import INPUT, RESOLUTION, load_generator
from workers.scenes.renderer import SIZE
from workers.scenes.segmenter import SceneSegmenter, load_segmenter, named
from workers.scenes.training.albums import BUILD, Album, album

BEGIN, END = "<!-- drawn: written by workers.jobs.world.drawn -->", "<!-- end of drawn -->"
SEED = 1
"""Of the latents."""
BATCH = 100
LEAST = 0.01
"""Share of the painted pixels of the concepts that are listed."""


@dataclass(frozen=True)
class Shares:
    """Shares of the pixels that show each concept of CONCEPTS, (82,) each."""

    labelled: NDArray[np.float64]
    painted: NDArray[np.float64]
    drawn: NDArray[np.float64]


def main() -> None:
    """Compare the shares and write the page's table."""
    parent = sys.argv[1] if len(sys.argv) > 1 else BUILD
    painted = album("churchyards-validation", parent)
    fill_in(BEGIN, END, lines(measure(load_generator(), load_segmenter(), painted)))


@torch.inference_mode()
def measure(generator: ProgressiveGenerator, segmenter: SceneSegmenter, painted: Album) -> Shares:
    """The shares in painted churchyards, and in as many drawn ones."""
    latents = LatentSpec.from_json(INPUT).draw(SEED, 0, len(painted.images))
    drawn = torch.cat([generator(part) for part in _batches(latents)]).clamp(-1, 1)
    shown = torch.from_numpy(shrunk(painted.images, RESOLUTION))
    return Shares(_shares(painted.labels), _seen(segmenter, shown), _seen(segmenter, drawn))


def _seen(segmenter: SceneSegmenter, pictures: Tensor) -> NDArray[np.float64]:
    """The shares that the segmenter sees in pictures (n, 3, h, w) with values from -1 to 1."""
    found = []
    for batch in _batches(pictures):
        enlarged = F.interpolate(batch, (SIZE, SIZE), mode="bilinear", align_corners=False)
        found.append(named(segmenter(2 * enlarged)).numpy())  # the segmenter takes pixels from -2 to 2
    return _shares(np.concatenate(found))


def _batches(values: Tensor) -> Iterator[Tensor]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))


def _shares(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Labels (n, 3, h, w), 1 + the position in CONCEPTS and 0 for none -> the share of each concept."""
    counts = np.bincount(labels.ravel(), minlength=1 + len(CONCEPTS))[1:]
    shares: NDArray[np.float64] = counts / (labels.size // labels.shape[1])
    return shares


def lines(shares: Shares) -> Iterator[str]:
    """The table, the concepts of most painted pixels first."""
    yield "| concept | painted: labels | painted: as seen | drawn: as seen | drawn to painted, as seen |"
    yield "|---|---|---|---|---|"
    for i in np.argsort(-shares.labelled):
        if shares.labelled[i] >= LEAST:
            labelled, painted, drawn = (of[i] for of in (shares.labelled, shares.painted, shares.drawn))
            yield f"| {CONCEPTS[i][1]} | {labelled:.3f} | {painted:.3f} | {drawn:.3f} | {drawn / painted:.2f} |"


if __name__ == "__main__":
    main()
