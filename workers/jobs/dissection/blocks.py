"""A block: the units that one shard measures, or scores, together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workers.analysis.candidates import Candidates
from workers.jobs.dissection.scratch import Part
from workers.jobs.kind import ShardContext


class Block(NamedTuple):
    """Figures of some units of a layer, one row a unit."""

    units: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    peaks: NDArray[np.float32]
    alive: NDArray[np.bool_]
    areas: NDArray[np.int64]
    intersections: NDArray[np.int64]

    def save(self, file: Path) -> None:
        """Write the block as an .npz file."""
        np.savez(file, **self._asdict())

    def take(self, rows: NDArray[Any]) -> "Block":
        """Some of the rows, by mask or by index."""
        return Block(**{name: column[rows] for name, column in self._asdict().items()})

    @classmethod
    def join(cls, blocks: Sequence["Block"]) -> "Block":
        """The rows of several blocks, by unit."""
        columns = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in cls._fields}
        joined = cls(**columns)
        return joined.take(np.argsort(joined.units))

    @classmethod
    def load(cls, file: Path) -> "Block":
        """Read a block that `save` wrote."""
        with np.load(file, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls._fields})


def candidates_of(context: ShardContext) -> list[Candidates]:
    """The samples of the units of a shard's payload, one piece for each shard of the pass."""
    payload = context.payload
    first, last = payload["start"], payload["start"] + len(payload["units"])
    parts = payload.get("recollected", payload["parts"])
    return [Part(context.scratch / part).candidates(payload["view"], first, last) for part in parts]
