"""Shards that prepare, and that remove candidates one by one to rank them."""

from typing import Any

import numpy as np

from workers.analysis.interventions.pixels import shows
from workers.jobs.intervention.changing import Changing, Drawn
from workers.jobs.kind import ShardContext


def prepare(context: ShardContext) -> dict[str, Any]:
    """Find out all that the plan depends on: whether the network can be cut behind each layer, and its cells."""
    found: dict[str, dict[str, Any]] = {"cut": {}, "reason": {}, "cells": {}}
    for layer in context.job.params["layer"]:
        shard = Changing(context, layer)
        kept = next(shard.kept(shard.params["latents"], [0]))
        height, width = shard.halves.maps(kept).shape[2:]
        found["cut"][layer], found["reason"][layer] = shard.halves.cut, shard.halves.reason
        found["cells"][layer] = height * width
    return found


class Ranking(Changing):
    """A shard that counts what is left of the target without the chosen units and each of the others."""

    def __init__(self, context: ShardContext) -> None:
        super().__init__(context, context.payload["layer"])

    def run(self) -> dict[str, Any]:
        """Pixels of the target over this shard's latents: untouched, and without each candidate."""
        chosen: list[int] = self.payload["chosen"]
        rest = [unit for unit in self.units if unit not in chosen]
        untouched, left = 0, np.zeros(len(rest), np.int64)
        for kept in self.kept(self.params["ranking"]["latents"], self.places):
            maps = self.halves.maps(kept)
            [area] = self.areas(*maps.shape[2:])
            untouched += self._count(self.draw(kept, maps))
            for place, unit in enumerate(rest):
                left[place] += self._count(self.draw(kept, self.change(maps, [*chosen, unit], None, area)))
        return {"untouched": untouched, "left": left.tolist()}

    def _count(self, drawn: Drawn) -> int:
        assert self.target is not None
        return int(shows(drawn.labels, self.target).sum())
