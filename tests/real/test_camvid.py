"""Real street scenes as a dataset: labels, colours, and what a registration makes of them."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.artifacts.store import ArtifactStore
from service.settings import Settings
from workers.networks.inputs import InputSpec
from workers.probes.layout import Concept
from workers.probes.registration import open_probe, register
from workers.probes.segmentation import Segmentation

SAMPLES = Path(os.environ.get("UNITATLAS_SAMPLES", Path(__file__).parents[3] / "shared/samples"))
UNLABELLED = 11

pytestmark = pytest.mark.real


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """CamVid as its owner would lay it out; its numbers from 0 move up by one, and what is unlabelled becomes 0."""
    shutil.copytree(SAMPLES / "camvid/images", tmp_path / "camvid/images")
    (tmp_path / "camvid/masks").mkdir()
    for path in sorted((SAMPLES / "camvid/masks").iterdir()):
        numbers = np.asarray(Image.open(path))
        moved = np.where(numbers == UNLABELLED, 0, numbers + 1).astype(np.uint8)
        Image.fromarray(moved).save(tmp_path / "camvid/masks" / path.name)
    names = (SAMPLES / "camvid/classes.txt").read_text().split()[:UNLABELLED]
    lines = [f"object,{number},{name}\n" for number, name in enumerate(names, start=1)]
    (tmp_path / "camvid/concepts.csv").write_text("category,number,name\n" + "".join(lines))
    return Settings(data_dir=tmp_path / "data", import_dir=tmp_path)


def test_camvid_keeps_its_pixel_shares_and_streets_are_grey(settings: Settings) -> None:
    store = ArtifactStore(settings.artifact_dir)
    registered = register("masks", {"path": "camvid"}, settings, store, lambda: None)
    probe = open_probe("masks", {"path": "camvid"}, registered.manifest, settings, store)
    segmentation, geometry = Segmentation(probe, ["masks", "colors"]), InputSpec(resize=(224, 224)).geometry
    labels = np.stack([segmentation.labels(i, probe.image(i), geometry, 56) for i in range(0, len(probe.images), 4)])
    masks = np.stack([np.asarray(Image.open(path)) for path in sorted((SAMPLES / "camvid/masks").iterdir())[::4]])
    shares = [(masks == number).mean() for number in range(UNLABELLED)]
    sampled = [(labels[:, 0] == 1 + number).mean() for number in range(UNLABELLED)]
    assert np.allclose(sampled, shares, atol=0.002)
    number = {concept: 1 + place for place, concept in enumerate(segmentation.concepts)}
    road = labels[:, 1][labels[:, 0] == number[Concept("object", "road")]]
    sky = labels[:, 1][labels[:, 0] == number[Concept("object", "sky")]]
    assert (road == number[Concept("color", "grey")]).mean() > 0.8
    assert np.isin(sky, [number[Concept("color", name)] for name in ("blue", "white", "grey")]).mean() > 0.9
