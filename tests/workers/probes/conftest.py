"""Small datasets on disk and what is needed to register them."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.artifacts.store import ArtifactStore
from service.errors import UnitAtlasError
from service.settings import Settings
from workers.probes.probe import Probe
from workers.probes.registration import Registered, open_probe, register


def encoded(pixels: NDArray[np.generic] | Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, format, **options)
    return buffer.getvalue()


class Desk:
    """Writes trees and archives, and registers them."""

    def __init__(self, root: Path) -> None:
        imports = root / "import"
        imports.mkdir()
        self.settings = Settings(data_dir=root / "data", import_dir=imports, max_image_pixels=100_000)
        self.store = ArtifactStore(self.settings.artifact_dir)
        self.folder = imports / "set"

    def write(self, files: Mapping[str, bytes | str]) -> dict[str, str]:
        for name, data in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return {"path": "set"}

    def zip(self, files: Mapping[str, bytes | str]) -> dict[str, str]:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return {"artifact": self.store.put(buffer.getvalue())}

    def register(self, location: Mapping[str, str], format: str = "masks", **given: bool) -> Registered:
        return register(format, location, self.settings, self.store, lambda: None, **given)

    def open(self, location: Mapping[str, str], format: str = "masks", **given: bool) -> Probe:
        text = self.register(location, format, **given).manifest
        return open_probe(format, location, text, self.settings, self.store)

    def refusal(self, location: Mapping[str, str], format: str = "masks", **given: bool) -> UnitAtlasError:
        with pytest.raises(UnitAtlasError) as caught:
            self.register(location, format, **given)
        assert 400 <= caught.value.status < 500
        assert caught.value.errors
        return caught.value


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def png() -> Callable[..., bytes]:
    return encoded


@pytest.fixture
def tree() -> dict[str, bytes | str]:
    """Two images with masks of two categories, and their classes."""
    rng = np.random.default_rng(7)
    return {
        "images/a.png": encoded(rng.integers(0, 256, (30, 40, 3), np.uint8)),
        "images/b.jpg": encoded(rng.integers(0, 256, (24, 24, 3), np.uint8), "JPEG"),
        "masks/object/a.png": encoded(rng.choice(np.array([0, 3, 7], np.uint8), (30, 40))),
        "masks/part/a.png": encoded(rng.choice(np.array([0, 40_000], np.uint16), (15, 20))),
        "masks/object/b.png": encoded(rng.choice(np.array([0, 7], np.uint8), (48, 48))),
        "concepts.csv": "category,number,name\nobject,7,tree\nobject,3,house\npart,40000,roof\n",
        "classes.txt": "street\nforest\n",
        "labels.csv": "image,class\nb,forest\na,street\n",
    }
