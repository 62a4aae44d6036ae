"""What counts as a map of units."""

from typing import Any

from torch import Tensor


def as_map(output: Any, image_size: tuple[int, int]) -> Tensor | None:
    """View a module's output as a map of units.

    Parameters
    ----------
    output
        Whatever the module returned.
    image_size
        Height and width of the network's input; a map has about the same ratio of its sides.

    Returns
    -------
    Tensor or None
        Shape (B, U, h, w): an output of that shape itself, one with the channels last, (B, h, w, U), turned round;
        None for anything else.
    """
    if not isinstance(output, Tensor) or output.ndim != 4:
        return None
    if _same_ratio(output.shape[2], output.shape[3], image_size):
        return output
    if _same_ratio(output.shape[1], output.shape[2], image_size):
        return output.permute(0, 3, 1, 2)  # (B, h, w, U) -> (B, U, h, w)
    return None


def _same_ratio(height: int, width: int, image_size: tuple[int, int]) -> bool:
    # strides round each side up or down, convolutions without padding take some columns off both sides alike
    rows, columns = image_size
    return abs(height * columns - width * rows) <= max(rows, columns) - 1 + 4 * abs(rows - columns)
