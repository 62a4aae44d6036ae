"""Values in which the units are kept apart."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from workers.networks.tails.columns import Columns, put, take
from workers.networks.tails.owners import NOBODY, Owners
from workers.networks.tails.rows import Segment, pair_up

FEW = 4
"""Up to one unit in so many is written place by place."""


class Pair(NamedTuple):
    """A value (b, ...) with every unit there, and with all removed."""

    full: Tensor
    removed: Tensor


class Value:
    """A value of some images from which units can be removed, be they one or all."""

    def __init__(self, pair: Pair, owners: Owners, units: int, device: torch.device) -> None:
        self.pair, self.units = pair, units
        self.columns = None if owners.axis is None else Columns(owners, units, device)
        self._table = owners.table.to(device)

    def find_changed(self) -> Tensor:
        """Tell which units' removal changes it on which image, (b, U)."""
        differs = self.pair.full != self.pair.removed
        for dim, size in enumerate(self._table.shape, start=1):
            if size == 1:
                differs = differs.any(dim, keepdim=True)
        counts = torch.zeros(len(differs), self.units + 1, device=differs.device)
        counts.index_add_(1, self._table.flatten(), differs.flatten(1).to(counts.dtype))
        return counts[:, NOBODY + 1 :] > 0

    def rows(self, segments: Sequence[Segment], images: Tensor) -> Tensor:
        """Value of every image (n, ...) of the segments, without the units of its segment."""
        rows = self.pair.full.index_select(0, images)
        for segment, part in pair_up(segments, rows):
            if self.columns is not None and len(segment.units) * FEW <= self.units:
                places = self.columns.of(segment.units)
                new = take(self.pair.removed, self.columns.dim, places).index_select(0, segment.images)
                put(part, self.columns.dim, places, new)
            else:
                torch.where(self._owned(segment.units), self.pair.removed[segment.images], part, out=part)
        return rows

    def _owned(self, units: Sequence[int]) -> Tensor:
        owned = torch.zeros(self.units + 1, dtype=torch.bool, device=self._table.device)
        owned[[unit + 1 for unit in units]] = True
        return owned[self._table]
