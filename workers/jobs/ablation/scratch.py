"""What an ablation keeps between its stages: plain .npy files, mapped back so that only what is used is read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Part:
    """A directory with what is kept of some images of a set, one file a name, images first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, images: int, batches: Iterator[Mapping[str, Tensor]]) -> None:
        """Keep batch after batch; nothing but the batch is held in memory."""
        self.directory.mkdir()
        files: dict[str, Any] = {}
        start = 0
        for batch in batches:
            for name, values in batch.items():
                array = values.numpy()
                if name not in files:
                    files[name] = self._create(name, (images, *array.shape[1:]), array.dtype)
                files[name][start : start + len(array)] = array
            start += len(array)
        for file in files.values():
            file.flush()

    def _create(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        return np.lib.format.open_memmap(self.directory / f"{name}.npy", "w+", dtype, shape)

    def read(self, name: str) -> NDArray[Any]:
        """What is kept under a name, of all images."""
        array: NDArray[Any] = np.load(self.directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array

    def blocks(self, images: int) -> Iterator[dict[str, Tensor]]:
        """What is kept, some images at a time."""
        files = {path.stem: self.read(path.stem) for path in sorted(self.directory.glob("*.npy"))}
        for start in range(0, len(files["logits"]), images):
            yield {name: torch.from_numpy(np.array(file[start : start + images])) for name, file in files.items()}

    @property
    def image_bytes(self) -> int:
        """Bytes that are kept of an image."""
        return sum(path.stat().st_size for path in self.directory.glob("*.npy")) // max(1, len(self.read("logits")))
