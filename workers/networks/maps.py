"""What counts as a map of units."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from workers.networks.inputs import Size

LEADING_TOKENS = (0, 1, 2, 4, 5, 8, 9)
"""Tokens before the patches: none, or a class token, one more for distillation, four or eight registers."""


def as_map(output: Any, count: int, size: Size) -> Tensor | None:
    """View a module's output as a map of units.

    Parameters
    ----------
    output
        Whatever the module returned.
    count
        Images, or latents, of the pass; a map has as many entries.
    size
        Height and width of the network's images: those that a classifier is given, those that a generator makes. A map
        has about the same ratio of its sides.

    Returns
    -------
    Tensor or None
        Shape (B, U, h, w): an output of that shape itself; one with the channels last, (B, h, w, U), turned round; a
        transformer's tokens, (B, N, U), without those in front of the patches, laid out as the patches lie; None for
        anything else.
    """
    if not isinstance(output, Tensor) or output.ndim not in (3, 4) or len(output) != count:
        return None
    if output.ndim == 3:
        return _patches(output, size)
    if _same_ratio(output.shape[2:], size):
        return output
    if _same_ratio(output.shape[1:3], size):
        return output.permute(0, 3, 1, 2)  # (B, h, w, U) -> (B, U, h, w)
    return None


def _patches(tokens: Tensor, image_size: Size) -> Tensor | None:
    rows, columns = image_size
    for others in LEADING_TOKENS:
        patches = tokens.shape[1] - others
        height = round(math.sqrt(max(patches, 0) * rows / columns))
        if height and patches % height == 0 and _same_ratio((height, patches // height), image_size):
            count, _, units = tokens.shape
            grid = tokens[:, others:].reshape(count, height, patches // height, units)  # (B, N, U) -> (B, h, w, U)
            return grid.permute(0, 3, 1, 2)
    return None


def _same_ratio(map_size: Sequence[int], image_size: Size) -> bool:
    # strides round each side up or down, convolutions without padding take some columns off both sides alike
    (height, width), (rows, columns) = map_size, image_size
    return abs(height * columns - width * rows) <= max(rows, columns) - 1 + 4 * abs(rows - columns)
