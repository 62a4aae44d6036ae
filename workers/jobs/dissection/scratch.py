"""What a dissection keeps between its stages: plain .npy files, mapped back so that only what is used is read."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.analysis.candidates import Candidates, take_units
from workers.analysis.collecting import LayerShard
from workers.analysis.top_images import TopImages


class Part:
    """A directory with what one shard collected of its images: label tables once, samples and peaks by layer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write_labels(self, table: NDArray[np.uint16], totals: NDArray[np.int64]) -> None:
        """Keep the labels of every grid cell and the concepts' totals."""
        self._write("table", table)
        self._write("totals", totals)

    @property
    def table(self) -> NDArray[np.uint16]:
        """(n * G * G, channels) labels, as `workers.analysis.intersections.label_table` makes them."""
        array: NDArray[np.uint16] = self._read("table")
        return array

    @property
    def totals(self) -> NDArray[np.int64]:
        """(C,) grid cells that carry each concept."""
        array: NDArray[np.int64] = self._read("totals")
        return array

    def write_layer(self, layer: int, shard: LayerShard) -> None:
        """Keep what was collected of a layer, by its position in the job."""
        self.write_candidates(layer, shard.candidates)
        self._write(f"{layer}-peaks", shard.peaks)
        self._write(f"{layer}-minima", shard.minima)
        for field in fields(TopImages):
            self._write(f"{layer}-top-{field.name}", getattr(shard.top, field.name))

    def write_candidates(self, layer: int, candidates: Candidates) -> None:
        """Keep a layer's samples alone."""
        for field in fields(Candidates):
            self._write(f"{layer}-{field.name}", getattr(candidates, field.name))

    def candidates(self, layer: int, start: int, stop: int) -> Candidates:
        """The samples of a layer's units from `start` up to `stop`."""
        arrays = {field.name: self._read(f"{layer}-{field.name}") for field in fields(Candidates)}
        return take_units(Candidates(**arrays), start, stop)

    def peaks(self, layer: int) -> NDArray[np.float32]:
        """(n, U) maxima of the raw maps."""
        array: NDArray[np.float32] = self._read(f"{layer}-peaks")
        return array

    def minima(self, layer: int) -> NDArray[np.float32]:
        """(U,) minima of the units."""
        array: NDArray[np.float32] = self._read(f"{layer}-minima")
        return array

    def top(self, layer: int, units: Sequence[int]) -> TopImages:
        """The top images of some units of a layer."""
        return TopImages(**{field.name: self._read(f"{layer}-top-{field.name}")[units] for field in fields(TopImages)})

    def write_bounds(self, layer: int, bounds: NDArray[np.float32]) -> None:
        """Keep the pilot's bounds of a layer."""
        self._write(f"{layer}-bounds", bounds)

    def bounds(self, layer: int) -> NDArray[np.float32]:
        """(U,) the pilot's bounds of a layer."""
        array: NDArray[np.float32] = self._read(f"{layer}-bounds")
        return array

    def _write(self, name: str, array: NDArray[np.generic]) -> None:
        self.directory.mkdir(exist_ok=True)
        np.save(self.directory / f"{name}.npy", array, allow_pickle=False)

    def _read(self, name: str) -> Any:
        return np.load(self.directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
