"""What counts as a map of units."""

from typing import Any

from torch import Size, Tensor


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
        Shape (B, U, h, w): an output of that shape itself, one with the channels last, (B, h, w, U), turned round;
        None for anything else.
    """
    if not isinstance(output, Tensor) or output.ndim != 4 or len(output) != len(images):
        return None
    if _same_ratio(output.shape[2:], images.shape[2:]):
        return output
    if _same_ratio(output.shape[1:3], images.shape[2:]):
        return output.permute(0, 3, 1, 2)  # (B, h, w, U) -> (B, U, h, w)
    return None


def _same_ratio(map_size: Size, image_size: Size) -> bool:
    # strides round each side up or down, convolutions without padding take some columns off both sides alike
    (height, width), (rows, columns) = map_size, image_size
    return abs(height * columns - width * rows) <= max(rows, columns) - 1 + 4 * abs(rows - columns)
