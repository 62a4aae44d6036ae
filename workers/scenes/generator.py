"""The generator of the built-in world: it draws churchyards."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes.churchyards import LATENT

SIZES = (LATENT, 128, 128, 96, 32)  # of a latent, then the units at 4, 8, 16 and 32 pixels
RESOLUTION = 32
INPUT: dict[str, Any] = {"latent": [LATENT], "range": [-1.0, 1.0]}  # the output values of black and white
WEIGHTS = Path(__file__).parent / "weights" / "scenes-generator.safetensors"


def load_generator(weights: Path = WEIGHTS) -> ProgressiveGenerator:
    """Load the trained network, float32 and in eval mode; the file holds float16."""
    network = ProgressiveGenerator(RESOLUTION, SIZES)
    network.load_state_dict(load_file(weights))
    return network.eval()
