"""Changing units of a layer's maps: removed or set to a level, everywhere or in part."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d


def set_units(maps: Tensor, units: Sequence[int], values: Tensor, area: Tensor | None = None) -> Tensor:
    """Set units to values, and leave the maps that were given as they are.

    Parameters
    ----------
    maps : (n, U, h, w)
    units : m different indices
    values : (m,)
        What each of them becomes: 0 removes it (Bau et al., PNAS 2020).
    area : (h, w) or (n, h, w) bool, optional
        Where; everywhere without it.

    Returns
    -------
    (n, U, h, w)
    """
    edited = maps.clone()
    levels = values.to(maps).view(1, -1, 1, 1)  # (1, m, 1, 1)
    chosen = list(units)
    if area is None:
        edited[:, chosen] = levels
    else:
        inside = area.expand(len(maps), *maps.shape[2:])[:, None]  # (n, 1, h, w)
        edited[:, chosen] = torch.where(inside, levels, maps[:, chosen])
    return edited


def cells(height: int, width: int) -> Tensor:
    """Every cell of a map as an area of its own: (height * width, height, width) bool, row by row."""
    return torch.eye(height * width, dtype=torch.bool).view(-1, height, width)


def pool_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """The cells of a map that a mask (H, W) bool over the picture touches: (height, width) bool."""
    return adaptive_max_pool2d(mask.float()[None], (height, width))[0] > 0
