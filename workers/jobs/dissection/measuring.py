"""A block of units measured: exact thresholds, pixel counts, top images with their pictures."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.jobs.estimates import SHOWN_HEIGHT
from workers.analysis.intersections import Counts, count
from workers.analysis.labels import alive
from workers.analysis.pictures import masked_image, strip, unit_mask
from workers.analysis.thresholds import safe_bounds, thresholds
from workers.analysis.top_images import TopImages, merge_top_images
from workers.jobs.dissection.blocks import Block, candidates_of
from workers.jobs.dissection.images import open_subject
from workers.jobs.dissection.scratch import Part
from workers.jobs.dissection.views import views_of
from workers.jobs.kind import ShardContext

JPEG_QUALITY = 88
STORING_THREADS = 8


class Measuring:
    """One shard's block of units."""

    def __init__(self, context: ShardContext) -> None:
        self.context, self.params = context, context.job.params
        payload = context.payload
        self.position, self.units = payload["view"], payload["units"]
        self.parts = [Part(context.scratch / part) for part in payload["parts"]]
        self.again = "recollected" in payload
        self.candidates = candidates_of(context)
        self.subject = open_subject(context)
        self.concepts = self.subject.images.concepts
        self.name = f"{context.stage}-{context.index}-{context.attempt}-{'again' if self.again else 'first'}"

    def run(self) -> dict[str, Any]:
        """Measure what can be measured and say which units need collecting again."""
        minima = np.min([part.minima(self.position)[self.units] for part in self.parts], axis=0)
        maxima = np.max([part.peaks(self.position)[:, self.units].max(axis=0) for part in self.parts], axis=0)
        levels, known = self._thresholds(minima)
        counts = self._count(levels)
        living = alive(levels, minima, maxima)
        block = Block(np.array(self.units), levels, maxima, living, counts.areas, counts.intersections)
        block.take(known).save(self.context.scratch / f"{self.name}.npz")
        if views_of(self.params)[self.position].control is None:
            self._show(block, known)
        unknown = [unit for unit, is_known in zip(self.units, known, strict=True) if not is_known]
        return {"block": self.name, "unknown": unknown}

    def _thresholds(self, minima: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        bounds = safe_bounds(minima) if self.again else self.parts[0].bounds(self.position)[self.units]
        images = sum(len(part.peaks(self.position)) for part in self.parts)
        samples = images * self.params["grid"] ** 2
        return thresholds(self.candidates, bounds, minima, samples, self.params["quantile"])

    def _count(self, levels: NDArray[np.float64]) -> Counts:
        counts = []
        for candidates, part in zip(self.candidates, self.parts, strict=True):
            self.context.check()
            counts.append(count(candidates, levels, part.table, len(self.concepts)))
        return reduce(add, counts)

    def _show(self, block: Block, known: NDArray[np.bool_]) -> None:
        """Store the pictures of the measured units that respond to anything, and what is in them."""
        tops = [part.top(self.position, self.units) for part in self.parts]
        top = merge_top_images(tops, self.params["top_images"])
        shown: dict[int, NDArray[np.uint8]] = {}
        rows = {self.units[place]: self._describe(top, place) for place in np.flatnonzero(known).tolist()}
        with ThreadPoolExecutor(STORING_THREADS) as pool:  # each waits for the disk
            stored = {
                self.units[place]: pool.submit(self._store, self._picture(top, place, block, shown))
                for place in np.flatnonzero(known & block.alive).tolist()
            }
        found = {
            unit: {"picture": stored[unit].result() if unit in stored else None, "top_images": row}
            for unit, row in rows.items()
        }
        (self.context.scratch / f"{self.name}.json").write_text(json.dumps(found))

    def _describe(self, top: TopImages, place: int) -> list[dict[str, Any]]:
        images = [self.subject.images.describe(index) for index in top.images[place].tolist()]
        return [
            {"image": name, "digest": digest, "peak": peak}
            for (name, digest), peak in zip(images, top.peaks[place].tolist(), strict=True)
        ]

    def _picture(
        self, top: TopImages, place: int, block: Block, shown: dict[int, NDArray[np.uint8]]
    ) -> NDArray[np.uint8]:
        """The unit's top images side by side; `shown` keeps what many units share."""
        self.context.check()
        images = []
        for index, activations in zip(top.images[place].tolist(), top.maps[place], strict=True):
            if index not in shown:
                shown[index] = self._shown(index)
            image = shown[index]
            height, width, _ = image.shape
            mask = unit_mask(activations, height, width, float(block.thresholds[place]), self.params["upsampling"])
            images.append(masked_image(image, mask))
        return strip(images)

    def _shown(self, index: int) -> NDArray[np.uint8]:
        """An image as the network sees or makes it, at the height in which it is shown."""
        seen = self.subject.images.open(index, self.parts)
        width = round(seen.width * SHOWN_HEIGHT / seen.height)
        return np.asarray(seen.resize((width, SHOWN_HEIGHT), Image.Resampling.BICUBIC))

    def _store(self, picture: NDArray[np.uint8]) -> dict[str, Any]:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
        data = buffer.getvalue()
        return {"digest": self.context.store.put(data), "size": len(data)}
