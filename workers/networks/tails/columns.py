"""The places that removed units have along a dimension."""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.networks.tails.owners import Owners

Places = tuple[int, int] | Tensor
"""Along a dimension: the first and how many, or indices."""


class Columns:
    """Where units are in a value whose owners depend on one dimension."""

    def __init__(self, owners: Owners, units: int, device: torch.device) -> None:
        assert owners.axis is not None
        self.dim = owners.axis + 1  # behind the images
        table = owners.table.flatten()
        ordered = torch.argsort(table, stable=True)
        sizes = torch.bincount(table, minlength=units + 1).tolist()
        self._places = torch.split(ordered.to(device), sizes)[1:]
        self._none = ordered[:0].to(device)
        self._ranges = [_as_range(places) for places in torch.split(ordered, sizes)[1:]]

    def of(self, units: Sequence[int]) -> Places:
        """Find the places of some units."""
        if len(units) == 1 and (found := self._ranges[units[0]]):
            return found
        return torch.cat([self._none, *(self._places[unit] for unit in units)])


def _as_range(places: Tensor) -> tuple[int, int] | None:
    adjoining = len(places) and int(places[-1] - places[0]) == len(places) - 1
    return (int(places[0]), len(places)) if adjoining else None


def take(value: Tensor, dim: int, places: Places) -> Tensor:
    """View or copy places along a dimension."""
    return value.narrow(dim, *places) if isinstance(places, tuple) else value.index_select(dim, places)


def put(value: Tensor, dim: int, places: Places, new: Tensor) -> None:
    """Write to places along a dimension."""
    if isinstance(places, tuple):
        value.narrow(dim, *places).copy_(new)
    else:
        value.index_copy_(dim, places, new)
