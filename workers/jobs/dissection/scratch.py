"""What a dissection keeps between its stages: plain .npy files, mapped back so that only what is used is read."""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from workers.analysis.candidates import Candidates, concatenate, take_units
from workers.analysis.collecting import BatchMaps, LayerShard
from workers.analysis.top_images import TopImages


class Part:
    """A directory with what one shard collected of its images: label tables once, samples and peaks by layer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write_labels(self, table: NDArray[np.uint16], totals: NDArray[np.uint32]) -> None:
        """Keep the labels of every grid cell and each image's totals of the concepts."""
        self._write("table", table)
        self._write("totals", totals)

    @cached_property
    def table(self) -> NDArray[np.uint16]:
        """(n * G * G, channels) labels, as `workers.analysis.intersections.label_table` makes them."""
        array: NDArray[np.uint16] = self._read("table")
        return array

    @property
    def totals(self) -> NDArray[np.uint32]:
        """(n, C) grid cells of each image that carry each concept."""
        array: NDArray[np.uint32] = self._read("totals")
        return array

    def write_pictures(self, pictures: NDArray[np.uint8]) -> None:
        """Keep pictures that cannot be had from a dataset."""
        self._write("pictures", pictures)

    @cached_property
    def pictures(self) -> NDArray[np.uint8]:
        """(n, h, w, 3) pictures that a generator made."""
        array: NDArray[np.uint8] = self._read("pictures")
        return array

    def write_layer(self, layer: int, shard: LayerShard) -> None:
        """Keep what was collected of a layer, by the position of its view in the job."""
        self.write_candidates(layer, shard.candidates)
        self._write(f"{layer}-peaks", shard.peaks)
        self._write(f"{layer}-minima", shard.minima)
        for field in fields(TopImages):
            self._write(f"{layer}-top-{field.name}", getattr(shard.top, field.name))

    def write_candidates(self, layer: int, candidates: Candidates) -> None:
        """Keep some of a layer's samples: a further piece where there are some already."""
        piece = self._pieces(layer)
        for field in fields(Candidates):
            self._write(f"{layer}-{piece}-{field.name}", getattr(candidates, field.name))

    def candidates(self, layer: int, start: int, stop: int) -> Candidates:
        """The samples of a layer's units from `start` up to `stop`."""
        return concatenate([self._piece(layer, piece, start, stop) for piece in range(self._pieces(layer))])

    def _pieces(self, layer: int) -> int:
        return len([*self.directory.glob(f"{layer}-*-{fields(Candidates)[-1].name}.npy")])

    def _piece(self, layer: int, piece: int, start: int, stop: int) -> Candidates:
        arrays = {field.name: self._read(f"{layer}-{piece}-{field.name}") for field in fields(Candidates)}
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


class PilotMaps:
    """The pilot's maps until the bounds are known: in memory as far as that goes, beyond it in files."""

    def __init__(self, directory: Path, memory_bytes: int) -> None:
        self._directory, self._left = directory, memory_bytes
        self._files: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.unlink()

    def hold(self, batch: BatchMaps) -> BatchMaps:
        """A copy of the batch that nothing changes any more, valid until the block is left."""
        self._left -= batch.maps.nbytes
        if self._left >= 0:
            return replace(batch, maps=batch.maps.clone())
        self._directory.mkdir(exist_ok=True)
        file = self._directory / f"pilot-{len(self._files)}.npy"
        np.save(file, batch.maps.cpu().numpy(), allow_pickle=False)
        self._files.append(file)
        return replace(batch, maps=torch.from_numpy(np.load(file, mmap_mode="c", allow_pickle=False)))
