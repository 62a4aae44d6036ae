"""The pass over the images: what of a shard's images goes through the networks, and what is kept of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.collecting import BatchMaps, LayerCollector
from workers.analysis.intersections import image_totals, label_table
from workers.analysis.thresholds import pilot_bounds, safe_bounds
from workers.analysis.upsampling import sample_grid
from workers.jobs.dissection.forward import Consumer, Forward, Images, Keep
from workers.jobs.dissection.images import Inputs, join, open_subject
from workers.jobs.dissection.plan import split_images
from workers.jobs.dissection.scratch import Part, PilotMaps
from workers.jobs.dissection.views import View, views_of
from workers.jobs.kind import ShardContext
from workers.networks.layers import list_layers, pick_layers

Held = list[tuple[BatchMaps, Images]]
Passed = Iterator[tuple[Inputs, Tensor | None]]
"""Images that passed the network, and what it put out."""


class Pass:
    """A shard's images on their way through the networks."""

    def __init__(self, context: ShardContext) -> None:
        self.context, self.params = context, context.job.params
        self.grid, self.mode = self.params["grid"], self.params["upsampling"]
        self.views = views_of(self.params)
        self.subject = open_subject(context)
        self.forward = Forward(context, self.subject)
        self.part = Part(context.scratch / f"{context.stage}-{context.index}-{context.attempt}")
        self.memory = context.settings.memory_bytes // 2

    def prepare(self) -> dict[str, Any]:
        """Pass the pilot's images, find the bounds from them and collect what lies above."""
        layers = pick_layers(list_layers(self.subject.network), self.params["layers"])
        with PilotMaps(self.part.directory, self.memory) as maps:
            held: list[Held] = [[] for _ in self.views]
            self._see(self._run(0, {view: _holder(maps, mine) for view, mine in zip(self.views, held, strict=True)}))
            for position in range(len(self.views)):
                self._take_pilot(position, held[position])
        images = self.subject.images
        return self._result() | {"layers": layers, "selected": images.count, "concepts": images.concepts}

    def collect(self) -> dict[str, Any]:
        """Pass this shard's images and keep every sample above the pilot's bounds."""
        pilot = Part(self.context.scratch / self.context.payload["bounds"])
        collectors = {
            position: self._collector(position, pilot.bounds(position)) for position in range(len(self.views))
        }
        self._see(self._collect(collectors, {}))
        for position, collector in collectors.items():
            self.part.write_layer(position, collector.shard())
        return self._result()

    def recollect(self) -> dict[str, Any]:
        """Pass a shard's images again and keep all samples of the units that the pilot misjudged."""
        units = {position: np.array(wanted) for position, wanted in self.context.payload["units"]}
        parts = [Part(self.context.scratch / part) for part in self.context.payload["parts"]]
        collectors = {}
        for position, wanted in units.items():
            minima = np.min([part.minima(position)[wanted] for part in parts], axis=0)
            collectors[position] = self._collector(position, safe_bounds(minima))
        for _ in self._collect(collectors, units):
            pass  # the images are labelled already
        for position, collector in collectors.items():
            self.part.write_candidates(position, collector.drain())
        return self._result()

    def _take_pilot(self, position: int, held: Held) -> None:
        samples = [sample_grid(batch.maps, images, self.grid, self.mode).cpu() for batch, images in held]
        bounds = pilot_bounds(torch.cat(samples).numpy(), self.params["quantile"])
        collector = self._collector(position, bounds)
        while held:
            batch, images = held.pop(0)
            collector.add(replace(batch, maps=batch.maps.to(self.forward.device)), images)
        self.part.write_bounds(position, bounds)
        self.part.write_layer(position, collector.shard())

    def _collector(self, position: int, bounds: NDArray[np.float32]) -> LayerCollector:
        levels = torch.from_numpy(np.array(bounds)).to(self.forward.device)
        top = self.params["top_images"] if self.views[position].control is None else 0
        return LayerCollector(levels, self.grid, self.mode, top)

    def _collect(self, collectors: Mapping[int, LayerCollector], units: Mapping[int, NDArray[np.int64]]) -> Passed:
        """Pass the payload's images to the collectors of some views, of some of their units where they are named."""
        consumers = {
            self.views[position]: _reader(collector, units.get(position)) for position, collector in collectors.items()
        }
        return self._run(self.context.payload["shard"], consumers, lambda: self._spill(collectors))

    def _spill(self, collectors: Mapping[int, LayerCollector]) -> None:
        """Bring samples to the scratch space when they fill the memory."""
        if sum(collector.held_bytes for collector in collectors.values()) > self.memory:
            for position, collector in collectors.items():
                self.part.write_candidates(position, collector.drain())

    def _run(
        self, shard: int, consumers: Mapping[View, Consumer], before_batch: Callable[[], None] = lambda: None
    ) -> Passed:
        """Pass a shard's images, batch by batch."""
        images = self.subject.images
        for inputs in images.batches(split_images(range(images.count))[shard], self.forward.batch):
            self.context.check()
            before_batch()
            yield inputs, self.forward.run(inputs.values, inputs.indices, consumers)

    def _see(self, passed: Passed) -> None:
        """Keep the labels of images that pass, and pictures that the network makes."""
        seen = join([self.subject.images.see(inputs, outputs) for inputs, outputs in passed])
        table = label_table(seen.labels)
        self.part.write_labels(table, image_totals(table, len(seen.labels), len(self.subject.images.concepts)))
        if seen.pictures is not None:
            self.part.write_pictures(seen.pictures)

    def _result(self) -> dict[str, Any]:
        return {"part": self.part.directory.name}


def _holder(maps: PilotMaps, held: Held) -> Consumer:
    # the network may change its own tensor in place after the hook
    return lambda batch, images: partial(held.append, (maps.hold(batch), images))


def _reader(collector: LayerCollector, units: NDArray[np.int64] | None) -> Consumer:
    def read(batch: BatchMaps, images: Images) -> Keep:
        if units is not None:
            chosen = torch.from_numpy(units).to(batch.maps.device)
            batch = BatchMaps(batch.maps[:, chosen], batch.peaks[:, chosen], batch.minima[chosen])
        return partial(collector.keep, collector.read(batch, images))

    return read
