"""The forward pass of a dissection: the pilot, the other images, and units collected again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.errors import Invalid
from workers.analysis.candidates import Candidates, concatenate, extract
from workers.analysis.collecting import BatchMaps, LayerCollector, batch_maps
from workers.analysis.intersections import concept_totals, label_table
from workers.analysis.thresholds import pilot_bounds, safe_bounds
from workers.analysis.upsampling import sample_grid
from workers.jobs.dissection.plan import select_images, split_images
from workers.jobs.dissection.scratch import Part
from workers.jobs.kind import ShardContext
from workers.jobs.subjects import calls_of, open_subject
from workers.networks.layers import list_layers, pick_layers
from workers.networks.taps import stream
from workers.probes.loader import Batch, batches

BATCH = 16
DECODING_THREADS = 2

Images = NDArray[np.int64]
Consumer = Callable[[BatchMaps, Images], None]


class Pass:
    """A shard's images on their way through the network."""

    def __init__(self, context: ShardContext) -> None:
        self.context, self.params = context, context.job.params
        self.grid, self.mode = self.params["grid"], self.params["upsampling"]
        self.layers: list[str] = self.params["layers"]
        self.subject = open_subject(context)
        self.segmentation = self.subject.segmentation
        self.selected = select_images(len(self.subject.probe.images), self.params["max_images"])
        self.part = Part(context.scratch / f"{context.stage}-{context.index}-{context.attempt}")

    def prepare(self) -> dict[str, Any]:
        """Pass the pilot's images, find the bounds from them and collect what lies above."""
        layers = pick_layers(list_layers(self.subject.network), self.layers)
        held: dict[str, list[tuple[BatchMaps, Images]]] = {name: [] for name in self.layers}
        self._forward(0, {name: _holder(held[name]) for name in self.layers})
        for position, name in enumerate(self.layers):
            bounds = self._pilot_bounds(held[name])
            collector = self._collector(bounds)
            for batch in held.pop(name):
                collector.add(*batch)
            self.part.write_bounds(position, bounds)
            self.part.write_layer(position, collector.shard())
        concepts = self.segmentation.concepts
        return self._result() | {"layers": layers, "selected": len(self.selected), "concepts": concepts}

    def collect(self) -> dict[str, Any]:
        """Pass this shard's images and keep every sample above the pilot's bounds."""
        pilot = Part(self.context.scratch / self.context.payload["bounds"])
        collectors = [self._collector(pilot.bounds(position)) for position in range(len(self.layers))]
        self._forward(self.context.payload["shard"], dict(zip(self.layers, (c.add for c in collectors), strict=True)))
        for position, collector in enumerate(collectors):
            self.part.write_layer(position, collector.shard())
        return self._result()

    def recollect(self) -> dict[str, Any]:
        """Pass a shard's images again and keep all samples of the units that the pilot misjudged."""
        wanted = {layer: np.array(units) for layer, units in self.context.payload["units"]}
        found: dict[int, list[Candidates]] = {layer: [] for layer in wanted}
        keepers = {
            self.layers[layer]: self._keeper(found[layer], units, self._safe_bounds(layer, units))
            for layer, units in wanted.items()
        }
        self._forward(self.context.payload["shard"], keepers, labels=False)
        for layer, batches_found in found.items():
            self.part.write_candidates(layer, concatenate(batches_found))
        return self._result()

    def _pilot_bounds(self, held: Sequence[tuple[BatchMaps, Images]]) -> NDArray[np.float32]:
        samples = [sample_grid(batch.maps, images, self.grid, self.mode).cpu() for batch, images in held]
        return pilot_bounds(torch.cat(samples).numpy(), self.params["quantile"])

    def _collector(self, bounds: NDArray[np.float32]) -> LayerCollector:
        return LayerCollector(self._on_device(bounds), self.grid, self.mode, self.params["top_images"])

    def _safe_bounds(self, layer: int, units: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = [Part(self.context.scratch / part) for part in self.context.payload["parts"]]
        return safe_bounds(np.min([part.minima(layer)[units] for part in parts], axis=0))

    def _keeper(self, found: list[Candidates], units: NDArray[np.int64], bounds: NDArray[np.float32]) -> Consumer:
        levels = self._on_device(bounds)
        chosen = torch.from_numpy(units).to(self.subject.network.device)
        start = 0

        def keep(batch: BatchMaps, images: Images) -> None:
            nonlocal start
            maps, peaks = batch.maps[:, chosen], batch.peaks[:, chosen]
            found.append(extract(maps, peaks, levels, self.grid, self.mode, start))
            start += len(images)

        return keep

    def _on_device(self, array: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.array(array)).to(self.subject.network.device)

    def _forward(self, shard: int, consumers: Mapping[str, Consumer], labels: bool = True) -> None:
        """Pass the shard's images and hand each batch's maps to the layers' consumers."""
        network = self.subject.network
        indices = [int(index) for index in np.array(self.selected)[split_images(range(len(self.selected)))[shard]]]
        source = batches(
            self.subject.probe, self.segmentation, network.input, indices, BATCH, DECODING_THREADS, self.grid
        )
        seen: list[NDArray[np.uint16]] = []
        calls = calls_of(network, tuple(consumers))
        with torch.inference_mode():
            for batch in source:
                self.context.check()
                handlers = {name: self._handler(name, consume, batch) for name, consume in consumers.items()}
                with stream(network.module, handlers, calls):
                    network.module(batch.pixels.to(network.device))
                seen.append(batch.labels)
        if labels:
            self._write_labels(np.concatenate(seen))

    def _handler(self, name: str, consume: Consumer, batch: Batch) -> Callable[[Tensor], None]:
        def handle(maps: Tensor) -> None:
            try:
                reduced = batch_maps(maps, self.grid, self.mode)
            except ValueError as error:
                raise Invalid(
                    f"layer {name!r}, {error}: the network does not compute on these images", "/layers"
                ) from None
            consume(reduced, np.array(batch.indices))

        return handle

    def _write_labels(self, labels: NDArray[np.uint16]) -> None:
        table = label_table(labels)
        self.part.write_labels(table, concept_totals(table, len(self.segmentation.concepts)))

    def _result(self) -> dict[str, Any]:
        return {"part": self.part.directory.name}


def _holder(held: list[tuple[BatchMaps, Images]]) -> Consumer:
    def hold(batch: BatchMaps, images: Images) -> None:
        # the network may change its own tensor in place after the hook; a reduced map is the collector's own
        held.append((BatchMaps(batch.maps.clone(), batch.peaks, batch.minima), images))

    return hold
