"""The tail of a network that was cut behind a layer: only what follows the layer runs."""

from collections.abc import Mapping

import torch
from torch import Tensor

from workers.networks.maps import as_map
from workers.networks.tails.anatomy import Anatomy
from workers.networks.tails.apart import Pair
from workers.networks.tails.block import CutBlock
from workers.networks.tails.graph import Graph
from workers.networks.tails.owners import NOBODY, Owners, compress
from workers.networks.tails.refusals import classes_themselves, unreached
from workers.networks.tails.rows import RowLimit, count_rows, keep_all
from workers.networks.tails.tail import LOGITS, OUTPUT, Kept
from workers.networks.tails.trace import IMAGES
from workers.networks.tails.whole import WholeTail

FRONT = "front"
"""Begins the names of what goes into the tail beside the layer's output."""


class CutTail:
    """Runs the nodes behind the layer; see `workers.networks.tails.tail.Tail`.

    Raises
    ------
    CannotCut
        If something that the tail needs is not kept image by image.
    Invalid
        If the classes do not depend on the layer, or its units are the classes themselves.
    """

    cut, reason = True, None

    def __init__(self, whole: WholeTail, graph: Graph, memory_bytes: int) -> None:
        self.network, self.layer, self.units = whole.network, whole.layer, whole.units
        self.anatomy = Anatomy(graph, self._own(graph), self.units)
        _check_reached(self.anatomy, self.layer)
        self._images = RowLimit(whole.limit.rows)
        row, largest = self.anatomy.row_bytes(), self.anatomy.mixing.largest_bytes()
        self.limit = RowLimit(count_rows(row, largest, self.network.device, memory_bytes))
        self.image_bytes = self.anatomy.image_bytes()

    def keep(self, pixels: Tensor) -> Kept:
        """Keep the layer's outputs, the logits, and what else goes into the tail."""
        return keep_all(pixels, self._images, self.network.device, self._read)

    def maps(self, kept: Mapping[str, Tensor]) -> Tensor:
        """View the kept outputs as maps (B, U, h, w)."""
        return self._as_maps(kept[OUTPUT])

    def block(self, kept: Mapping[str, Tensor], fill: Tensor) -> CutBlock:
        """Compute what all conditions share."""
        device = self.network.device
        with torch.inference_mode():
            full = kept[OUTPUT].to(device)
            removed = full.clone()
            self._as_maps(removed)[:] = fill.to(device)[:, None, None]
            front = {of: kept[f"{FRONT}{index}"].to(device) for index, of in enumerate(self.anatomy.front)}
            return CutBlock(self.anatomy, self.limit, Pair(full, removed), front, kept[LOGITS].to(device))

    def _as_maps(self, outputs: Tensor) -> Tensor:
        maps = as_map(outputs, len(outputs), self.network.size)
        assert maps is not None
        return maps

    def _own(self, graph: Graph) -> Owners:
        table = torch.full(graph.shape(graph.layer).sizes, NOBODY)
        self._as_maps(table)[:] = torch.arange(1, self.units + 1)[:, None, None]
        return compress(table[0])

    def _read(self, pixels: Tensor) -> Kept:
        values = {IMAGES: pixels}
        self.anatomy.whole.run(values, len(pixels), {})
        front = {f"{FRONT}{index}": values[of] for index, of in enumerate(self.anatomy.front)}
        return {OUTPUT: values[self.anatomy.graph.layer], LOGITS: values[self.anatomy.graph.logits], **front}


def _check_reached(anatomy: Anatomy, layer: str) -> None:
    if not anatomy.reached:
        raise unreached(layer)
    if anatomy.graph.logits in anatomy.owners:
        raise classes_themselves(layer)
