"""Images as pixels from 0 to 1, and networks as functions of them, preprocessing included: for gradients."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad

from workers.networks.inputs import InputSpec
from workers.networks.network import Network

LEVELS = 255


def pixels_of(image: Image.Image, spec: InputSpec) -> Tensor:
    """Resize and crop an image as the network wants it: (3, H, W) float32 from 0 to 1, red first."""
    pixels = np.asarray(spec.geometry.apply(image))  # (H, W, 3)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))) / LEVELS


def normalize(pixels: Tensor, spec: InputSpec) -> Tensor:
    """Turn pixels (B, 3, H, W) from 0 to 1 into a network's input, as `preprocess` does from whole numbers."""
    ordered = pixels.flip(1) if spec.channels == "bgr" else pixels
    mean, std = (ordered.new_tensor(values).view(3, 1, 1) for values in (spec.mean, spec.std))
    return (ordered * (LEVELS * spec.scale) - mean) / std


def logits_of(network: Network) -> Callable[[Tensor], Tensor]:
    """The network from pixels (B, 3, H, W) to logits (B, C)."""

    def logits(pixels: Tensor) -> Tensor:
        found: Tensor = network.module(normalize(pixels, network.input))
        return found

    return logits


def fit(pixels: Tensor, spec: InputSpec) -> Tensor:
    """Resize (antialiased bilinear) and crop pixels (B, 3, H, W) of any size as another network wants its images.

    Pixels that are of its size already are what it wants: cut and scaled as they are for one network, a second cut
    would show the other less of the image.
    """
    height, width = pixels.shape[2:]
    if (height, width) == spec.size:
        return pixels
    rows, columns = spec.geometry.resized((height, width))
    top, left = spec.geometry.offset((height, width))
    resized = interpolate(pixels, (rows, columns), mode="bilinear", align_corners=False, antialias=True)
    below, right = spec.size[0] + top - rows, spec.size[1] + left - columns
    padded = pad(resized, (-left, right, -top, below))  # negative sides are cut off
    return padded.clamp(0, 1)
