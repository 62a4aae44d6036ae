"""DeepLabv3 for Pascal VOC, published as an archive, labels photographs of ImageNet that have no masks."""

import shutil

import numpy as np
import pytest
import torch

from service.artifacts.store import ArtifactStore
from service.settings import Settings
from workers.networks.inputs import InputSpec
from workers.networks.network import load
from workers.probes.halves import SIDES
from workers.probes.label_cache import LabelCache
from workers.probes.layout import Concept
from workers.probes.pascal_voc import OBJECTS
from workers.probes.registration import open_probe, register
from workers.probes.segmentation import Segmentation
from workers.probes.segmenters import Segmenter

INPUT = {"resize": [513, 513], "scale": 1 / 127.5, "mean": [1, 1, 1], "std": [1, 1, 1]}
THINGS = {
    "bird": [8, 12, 16, 88, 96, 128, 132, 144],
    "dog": range(152, 240, 12),
    "cat": [284],
    "car": [436, 468],
    "aeroplane": [404],
    "train": [820],
}
"""Classes of ImageNet whose images show what VOC has a name for."""


@pytest.fixture
def segmenter(samples, tmp_path):
    store = ArtifactStore(tmp_path / "artifacts")
    weights = {"artifact": store.put(samples / "nets" / "voc_deeplabv3_mnv2.pt2")}
    concepts = [None, *(("object", name) for name in OBJECTS)]
    network = load("exported", weights, INPUT, [], store, torch.device("cpu"), kind="segmenter", concepts=concepts)
    cache = LabelCache(tmp_path / "cache", 10**9)
    return Segmenter(network.digest, network.input, network.concepts, lambda: network, cache)


@pytest.fixture
def probe(samples, tmp_path):
    files = {int(file.name[:3]): file for file in (samples / "imagenet250").glob("*/*.jpg")}
    wanted = [number for numbers in THINGS.values() for number in numbers]
    for number in wanted:
        folder = tmp_path / "photos" / f"{number:03}"
        folder.mkdir(parents=True)
        shutil.copy(files[number], folder / "a.jpg")
    store = ArtifactStore(tmp_path / "artifacts")
    settings = Settings(data_dir=tmp_path / "data", import_dir=tmp_path)
    manifest = register("folder", {"path": "photos"}, settings, store, lambda: None).manifest
    return open_probe("folder", {"path": "photos"}, manifest, settings, store)


@pytest.mark.real
def test_photographs_of_things_carry_their_names(probe, segmenter):
    segmentation = Segmentation(probe, ["model:voc"], {"model:voc": segmenter})
    geometry = InputSpec(resize=(224, 224)).geometry
    largest = {}
    for index, image in enumerate(probe.images):
        labels = segmentation.labels(index, probe.image(index), geometry, 56)
        (pixels,) = [np.bincount(channel.ravel(), minlength=1 + len(OBJECTS))[1:] for channel in labels]
        largest[int(probe.classes[image.class_index])] = segmentation.concepts[pixels.argmax()]
    named = [largest[number] == ("object", name) for name, classes in THINGS.items() for number in classes]
    assert len(named) == 21
    assert sum(named) >= 0.85 * len(named)


@pytest.mark.real
def test_an_aeroplane_has_halves(probe, segmenter):
    """Its halves are where they are called, and together they are the whole."""
    segmentation = Segmentation(probe, ["model:voc"], {"model:voc": segmenter}, halves=True)
    (index,) = [i for i, image in enumerate(probe.images) if probe.classes[image.class_index] == "404"]
    labels = segmentation.labels(index, probe.image(index), InputSpec(resize=(224, 224)).geometry, 56)
    whole, *halves = [
        labels == 1 + segmentation.concepts.index(concept)
        for concept in [Concept("object", "aeroplane"), *(Concept("part", f"aeroplane-{side}") for side in SIDES)]
    ]
    (top, bottom, left, right), whole = (half.any(0) for half in halves), whole.any(0)
    assert whole.mean() > 0.05
    for one, other in ((top, bottom), (left, right)):
        assert not (one & other).any()
        assert np.array_equal(one | other, whole)
    assert np.argwhere(top)[:, 0].mean() < np.argwhere(bottom)[:, 0].mean()
    assert np.argwhere(left)[:, 1].mean() < np.argwhere(right)[:, 1].mean()
