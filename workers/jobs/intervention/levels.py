"""The levels that units are inserted at: each unit's own quantile over all latents and positions."""

from typing import Any

import numpy as np

from workers.jobs.intervention.changing import Changing, Levels
from workers.jobs.intervention.plan import used_units
from workers.jobs.kind import ShardContext


def collect(context: ShardContext) -> dict[str, Any]:
    """Keep all values of the units that are inserted, over this shard's latents: (m, n * h * w)."""
    shard = Changing(context, context.payload["layer"])
    found = []
    for kept in shard.kept(shard.params["latents"], shard.places):
        maps = shard.halves.maps(kept)
        units = used_units(shard.params, shard.layer, maps.shape[1])
        found.append(maps[:, units].float().transpose(0, 1).flatten(1).cpu().numpy())
    np.save(context.scratch / f"{shard.name}.npy", np.concatenate(found, axis=1), allow_pickle=False)
    return {"values": f"{shard.name}.npy", "units": units}


def level(context: ShardContext) -> dict[str, Any]:
    """Find each unit's quantile, as `numpy.quantile(method="hazen")` does."""
    paths = [context.scratch / file for file in context.payload["values"]]
    parts = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
    quantile = context.job.params["value"]["quantile"]
    levels = []
    for row in range(len(parts[0])):
        context.check()
        values = np.concatenate([part[row] for part in parts]).astype(np.float64)
        levels.append(np.quantile(values, quantile, method="hazen"))
    name = f"{context.stage}-{context.index}-{context.attempt}.npz"
    units = np.array(context.payload["units"], np.int64)
    Levels(units, np.array(levels)).save(context.scratch / name)
    return {"levels": name}
