"""Nodes that sum over units: what removing some of them changes is computed from these alone."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from workers.networks.tails.apart import Value
from workers.networks.tails.columns import take
from workers.networks.tails.graph import Node
from workers.networks.tails.rows import Segment, pair_up


class Sum:
    """A linear map or convolution y = W x + c of images: W (x' - x) of the units that x' lacks is added to y."""

    def __init__(self, node: Node, value: Value) -> None:
        self._node, self._value = node, value
        self._weight: Tensor = node.args[1]
        self._full = self._apply(value.pair.full)  # y with every unit
        self.finite = bool((value.pair.removed - value.pair.full).isfinite().all())

    def rows(self, segments: Sequence[Segment], images: Tensor) -> Tensor:
        """Sums of every image (n, ...) of the segments, without the units of its segment."""
        rows = self._full.index_select(0, images)
        for segment, part in pair_up(segments, rows):
            if 2 * len(segment.units) <= self._value.units:
                self._add(part, segment.units, segment.images, 1)
            else:
                # all are removed, and those that stay are put back
                rest = sorted({*range(self._value.units)}.difference(segment.units))
                part.copy_(self._removed.index_select(0, segment.images))
                self._add(part, rest, segment.images, -1)
        return rows

    @cached_property
    def _removed(self) -> Tensor:
        """Sums with no unit there."""
        with torch.inference_mode():
            return self._apply(self._value.pair.removed)

    def _apply(self, value: Tensor) -> Tensor:
        args, options = self._node.fill({self._node.args[0]: value}, len(value))
        result: Tensor = self._node.function(*args, **options)
        return result

    def _add(self, part: Tensor, units: Sequence[int], images: Tensor, sign: int) -> None:
        """Add what the removal of some units changes, or take it away again."""
        columns, pair = self._value.columns, self._value.pair
        assert columns is not None
        places = columns.of(units)
        if isinstance(places, Tensor) and not len(places):
            return
        change = take(pair.removed, columns.dim, places) - take(pair.full, columns.dim, places)
        change = change.index_select(0, images)
        weight = take(self._weight, 1, places)
        if self._weight.ndim == 2:
            part.view(-1, part.shape[-1]).addmm_(change.flatten(0, -2), weight.t(), alpha=sign)
        else:
            options: dict[str, Any] = {name: self._node.argument(name) for name in ("stride", "padding", "dilation")}
            part.add_(conv2d(change, weight, **options), alpha=sign)
