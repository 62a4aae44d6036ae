"""What a shard of an intervention works on: the network cut behind the layer, and what its pictures show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.errors import Invalid
from service.results.interventions.tables import EACH_CELL, INSERT, MASK
from workers.analysis.interventions.edits import cells, pool_mask, set_units
from workers.analysis.strokes import unroll
from workers.jobs.kind import ShardContext
from workers.jobs.stored import Stored
from workers.jobs.subjects import largest_batch, open_generator, open_labels
from workers.networks.network import Network
from workers.networks.tails.resuming import Halves, Kept, open_halves


class Drawn(NamedTuple):
    """Pictures (n, H, W, 3) and what they show, labels (n, channels, G, G)."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.uint16]


@dataclass(frozen=True)
class Levels(Stored):
    """What units become when they are inserted: of m units, in ascending order, the levels (m,)."""

    units: NDArray[np.int64]
    levels: NDArray[np.float64]

    def of(self, units: Sequence[int]) -> Tensor:
        """The levels of these units."""
        return torch.from_numpy(self.levels[np.searchsorted(self.units, units)]).float()


class Changing:
    """A shard of an intervention on one layer."""

    def __init__(self, context: ShardContext, layer: str) -> None:
        self.context, self.payload, self.params = context, context.payload, context.job.params
        self.layer, self.network = layer, open_generator(context)
        self.memory = context.settings.memory_bytes // 2
        self.halves = _halves(self.network, layer, self.memory)
        self.labels = open_labels(context)
        self.name = f"{context.stage}-{context.index}-{context.attempt}"
        self.units: list[int] = self.params["units"][layer]
        self.target = self._find_target()
        """Position of the target among the concepts, None without one."""

    @property
    def places(self) -> range:
        """The latents of the shard, by their places."""
        return range(self.payload["start"], self.payload["stop"])

    @property
    def concepts(self) -> int:
        """Concepts that the pictures are searched for."""
        return len(self.labels.concepts)

    def _find_target(self) -> int | None:
        wanted = self.params["target"]
        if wanted is None:
            return None
        named = [tuple(concept) for concept in self.labels.concepts]
        if (wanted["category"], wanted["name"]) not in named:
            raise Invalid(f"the pictures are not searched for {wanted['name']!r} any more", "/target")
        return named.index((wanted["category"], wanted["name"]))

    def kept(self, latents: Mapping[str, int], places: Sequence[int]) -> Iterator[Kept]:
        """Run the front on latents, by their places from the first of them, a batch at a time."""
        batch = largest_batch(self.network, self.memory)
        for start in range(0, len(places), batch):
            self.context.check()
            indices = [latents["first"] + place for place in places[start : start + batch]]
            inputs = self.network.latent.rows(latents["seed"], indices).to(self.network.device)
            with torch.inference_mode():
                kept = self.halves.front(inputs)
            yield kept

    @torch.inference_mode()
    def draw(self, kept: Kept, maps: Tensor) -> Drawn:
        """Run what follows the layer on maps (n, U, h, w), and see what comes out."""
        self.context.check()
        pictures = self.network.latent.pixels(self.halves.back(kept, maps))
        return Drawn(pictures, self.labels.label(pictures, self.params["grid"]))

    def areas(self, height: int, width: int) -> Sequence[Tensor | None]:
        """Where units are changed in a map: everywhere, in a mask, or at each cell in turn."""
        where = self.params["where"]
        if where == EACH_CELL:
            return list(cells(height, width).to(self.network.device))
        if isinstance(where, str):
            return [None]
        rows, columns = where[MASK]["size"]
        touched = unroll(rows, columns, where[MASK]["runs"])
        return [pool_mask(touched, height, width).to(self.network.device)]

    def cells_at(self, places: Sequence[int], maps: Tensor) -> Tensor:
        """One cell of each of the maps (n, U, h, w), by its place row by row: (n, h, w)."""
        return cells(*maps.shape[2:])[list(places)].to(self.network.device)

    def _values(self, units: Sequence[int], levels: Levels | None) -> Tensor:
        """What units become (m,)."""
        if self.params["action"] != INSERT:
            return torch.zeros(len(units))
        if levels is None:
            return torch.full((len(units),), float(self.params["value"]))
        return levels.of(units)

    def change(self, maps: Tensor, units: Sequence[int], levels: Levels | None, area: Tensor | None) -> Tensor:
        """Change units of maps (n, U, h, w) as the job says."""
        return set_units(maps, units, self._values(units, levels), area)


@lru_cache(2)
def _halves(network: Network, layer: str, memory_bytes: int) -> Halves:
    return open_halves(network, layer, memory_bytes)
