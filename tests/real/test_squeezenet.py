"""SqueezeNet 1.0 as published in another convention: BGR, 0 to 255, less the mean of each channel."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image

from service.artifacts.store import ArtifactStore
from workers.networks.inputs import preprocess
from workers.networks.network import load

SAMPLES = Path(os.environ.get("UNITATLAS_SAMPLES", Path(__file__).parents[3] / "shared" / "samples"))
CAFFE = {
    "resize": [256, 256],
    "crop": [227, 227],
    "channels": "bgr",
    "scale": 1,
    "mean": [104, 117, 123],
    "std": [1, 1, 1],
}


@pytest.mark.real
def test_the_input_description_gives_the_published_accuracy(tmp_path):
    store = ArtifactStore(tmp_path)
    weights = {"artifact": store.put(SAMPLES / "nets" / "squeezenet1_0_imagenet.pth")}
    names = (SAMPLES / "imagenet_classes.txt").read_text().splitlines()
    network = load("torchvision:squeezenet1_0", weights, CAFFE, names, store, torch.device("cpu"))
    files = sorted((SAMPLES / "imagenet250").glob("*/*.jpg"))
    assert len(files) == 250
    with ThreadPoolExecutor(2) as pool, torch.no_grad():
        inputs = pool.map(lambda file: preprocess(Image.open(file).convert("RGB"), network.input), files)
        found = [int(network.module(image[None]).argmax()) for image in inputs]
    right = sum(int(file.name[:3]) == index for file, index in zip(files, found, strict=True))
    assert right >= 0.62 * len(files)
