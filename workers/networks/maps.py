"""What counts as a map of units."""

import math
from typing import Any

from torch import Size, Tensor

LEADING_TOKENS = (0, 1, 2, 4, 5, 8, 9)
"""Tokens before the patches: none, or a class token, one more for distillation, four or eight registers."""


def as_map(output: Any, images: Tensor) -> Tensor | None:
    """View a module's output as a map of units.

    Parameters
    ----------
    output
        Whatever the module returned.
    images
        The network's input, shape (B, C, H, W); a map has the same B and about the same ratio of its sides.

    Returns
    -------
    Tensor or None
        Shape (B, U, h, w): an output of that shape itself; one with the channels last, (B, h, w, U), turned round; a
        transformer's tokens, (B, N, U), without those in front of the patches, laid out as the patches lie; None for
        anything else.
    """
    if not isinstance(output, Tensor) or output.ndim not in (3, 4) or len(output) != len(images):
        return None
    if output.ndim == 3:
        return _patches(output, images.shape[2:])
    if _same_ratio(output.shape[2:], images.shape[2:]):
        return output
    if _same_ratio(output.shape[1:3], images.shape[2:]):
        return output.permute(0, 3, 1, 2)  # (B, h, w, U) -> (B, U, h, w)
    return None


def _patches(tokens: Tensor, image_size: Size) -> Tensor | None:
    rows, columns = image_size
    for others in LEADING_TOKENS:
        patches = tokens.shape[1] - others
        height = round(math.sqrt(max(patches, 0) * rows / columns))
        if height and patches % height == 0 and _same_ratio(Size((height, patches // height)), image_size):
            count, _, units = tokens.shape
            grid = tokens[:, others:].reshape(count, height, patches // height, units)  # (B, N, U) -> (B, h, w, U)
            return grid.permute(0, 3, 1, 2)
    return None


def _same_ratio(map_size: Size, image_size: Size) -> bool:
    # strides round each side up or down, convolutions without padding take some columns off both sides alike
    (height, width), (rows, columns) = map_size, image_size
    return abs(height * columns - width * rows) <= max(rows, columns) - 1 + 4 * abs(rows - columns)
