"""The built-in scenes as an archive in the format `masks`, painted once and kept in the data directory."""

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.errors import Invalid
from workers import scenes
from workers.scenes import renderer

GRID = 32  # a quarter of 64 pixels would be too coarse for what the scenes show
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same archive, whenever it is made


def archive(name: str, cache: Path) -> Path:
    """The archive of a split, painted if it is not yet in the cache; raise Invalid where there is no such split."""
    if name not in renderer.SPLITS:
        known = ", ".join(renderer.SPLITS)
        raise Invalid(f"there is no built-in dataset {name!r}; there are {known}", "/location/builtin")
    path = cache / f"{name}-{_painter_digest()[:16]}.zip"
    if not path.is_file():
        _write(path, *renderer.SPLITS[name])
    return path


def _painter_digest() -> str:
    """sha256 of the code that paints, so that scenes of an older version are never taken for today's."""
    sources = sorted(Path(scenes.__path__[0]).glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _write(path: Path, seed: int, count: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="new-", delete=False) as file:
        try:
            with zipfile.ZipFile(file, "w") as target:
                for name, data in _files(seed, count):
                    target.writestr(zipfile.ZipInfo(name, EPOCH), data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _files(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    lines = [f"{category},{number},{name}" for number, (category, name) in enumerate(renderer.CONCEPTS, start=1)]
    yield "concepts.csv", "\n".join(["category,number,name", *lines]).encode()
    yield "classes.txt", "\n".join(renderer.SCENES).encode()
    labels = ["image,class"]
    for index in range(count):
        scene = renderer.render(seed, index)
        labels.append(f"{index:06},{renderer.SCENES[scene.scene]}")
        yield f"images/{index:06}.png", _png(scene.image)
        for category, numbers in scene.labels.items():
            yield f"masks/{category}/{index:06}.png", _png(numbers)
    yield "labels.csv", "\n".join(labels).encode()


def _png(pixels: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
