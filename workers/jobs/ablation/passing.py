"""The images' way to the ablated layer, and from there on with single units removed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.jobs.ablation import DRAWS
from workers.analysis.ablation.accuracies import log_probabilities
from workers.jobs.ablation.images import RANKING, SETS, check_apart, open_sets, units_of, wanted_classes
from workers.jobs.ablation.scratch import Part
from workers.jobs.ablation.statistics import Sums, load_statistics
from workers.jobs.kind import ShardContext
from workers.jobs.labelled import ImageSet
from workers.jobs.stored import Stored
from workers.jobs.subjects import open_network
from workers.networks.network import Network
from workers.networks.tails.opening import open_tail
from workers.networks.tails.tail import LOGITS, Block, Tail
from workers.probes.loader import inputs

DECODING_THREADS = 2
BATCH = 64
"""Images that are decoded ahead; how many pass at once the memory says."""
MOST_IMAGES = 256
"""Images of a block; more gain nothing."""


@dataclass(frozen=True)
class Swept(Stored):
    """Predictions (K, n) and log-probabilities of the true class (K, n) for K units, each removed alone."""

    predictions: NDArray[np.int32]
    log_probabilities: NDArray[np.float32]


class Passing:
    """A shard of an ablation that runs the network or what follows the layer."""

    def __init__(self, context: ShardContext) -> None:
        self.context, self.payload = context, context.payload
        self.network = open_network(context)
        self.memory = context.settings.memory_bytes // 2
        self.tail = _tail(self.network, context.job.params["layer"], self.memory)
        self.sets = open_sets(context)
        self.name = f"{context.stage}-{context.index}-{context.attempt}"

    def prepare(self) -> dict[str, Any]:
        """Find out all that the plan depends on."""
        check_apart(self.sets)
        params, units = self.context.job.params, units_of(self.context.job.params, self.tail.units)
        sizes = list(range(1, len(units))) if params["sizes"] == "all" else params["sizes"]
        return {
            "images": [len(self.sets[name].indices) for name in SETS],
            "units": units,
            "sizes": sizes,
            "wanted": wanted_classes(self.sets, params["classes"]),
            "draws": DRAWS,
            "cut": self.tail.cut,
            "reason": self.tail.reason,
        }

    def collect(self) -> dict[str, Any]:
        """Run the network once on this shard's images and keep what the rest of the job goes on from."""
        images = self.sets[self.payload["set"]]
        indices = images.indices[self.payload["start"] : self.payload["stop"]]
        part = Part(self.context.scratch / self.name)
        statistics = Sums()
        part.write(len(indices), self._kept(images, indices, statistics))
        statistics.bundle().save(self.context.scratch / f"{self.name}-statistics.npz")
        return {"part": self.name}

    def _kept(self, images: ImageSet, indices: list[int], statistics: "Sums") -> Iterator[Mapping[str, Tensor]]:
        for pixels in inputs(images.probe, self.network.input, indices, BATCH, DECODING_THREADS):
            self.context.check()
            kept = self.tail.keep(pixels)
            statistics.add(self.tail.maps(kept), kept[LOGITS])
            yield kept

    def sweep(self) -> dict[str, Any]:
        """Remove each unit of this shard's block alone."""
        first, last = self.payload["units"]
        units = units_of(self.context.job.params, self.tail.units)[first:last]
        part, classes = Part(self.context.scratch / self.payload["part"]), self._classes_of_part()
        found = [
            self._sweep_block(block, units, classes[start : start + len(block.logits)])
            for start, block in self.blocks(part)
        ]
        predictions, likely = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
        Swept(predictions, likely).save(self.context.scratch / f"{self.name}.npz")
        return {"swept": f"{self.name}.npz"}

    def _classes_of_part(self) -> NDArray[np.int64]:
        name = self.payload["set"]
        before = self.payload["collected"][name].index(self.payload["part"])
        parts = [Part(self.context.scratch / part) for part in self.payload["collected"][name][: before + 1]]
        sizes = [len(part.read(LOGITS)) for part in parts]
        return self.sets[name].classes[sum(sizes[:-1]) : sum(sizes)]

    def _sweep_block(
        self, block: Block, units: list[int], classes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        untouched = block.logits.cpu().numpy()
        predictions = np.tile(untouched.argmax(1).astype(np.int32), (len(units), 1))
        likely = np.tile(log_probabilities(untouched, classes).astype(np.float32), (len(units), 1))
        for position, rows, logits in block.run([[unit] for unit in units]):
            self.context.check()
            images, values = rows.cpu().numpy(), logits.cpu().numpy()
            predictions[position, images] = values.argmax(1)
            likely[position, images] = log_probabilities(values, classes[images])
        return predictions, likely

    def blocks(self, part: Part) -> Iterator[tuple[int, Block]]:
        """What is kept of some images, ready for conditions, with the position of the first image in the part."""
        images = max(1, min(MOST_IMAGES, self.memory // max(1, self.tail.image_bytes)))
        fill = self._fill()
        for number, kept in enumerate(part.blocks(images)):
            self.context.check()
            yield number * images, self.tail.block(kept, fill)

    def _fill(self) -> Tensor:
        """What each unit's map becomes: 0, or its mean over the ranking images, (U,)."""
        if self.context.job.params["mode"] == "zero":
            return torch.zeros(self.tail.units)
        parts = [load_statistics(self.context, part) for part in self.payload["collected"][RANKING]]
        sums, values = sum(part.sums for part in parts), sum(part.values for part in parts)
        return torch.from_numpy(np.asarray(sums / values, np.float32))


@lru_cache(2)
def _tail(network: Network, layer: str, memory_bytes: int) -> Tail:
    return open_tail(network, layer, memory_bytes)
