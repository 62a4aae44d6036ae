"""Batches: the right ones, in order, a bounded number ahead, and no thread left behind."""

import threading

import numpy as np
import pytest
import torch

from service.errors import Conflict, Invalid
from workers.networks.inputs import InputSpec, preprocess
from workers.probes.loader import AHEAD, batches
from workers.probes.segmentation import Segmentation

SPEC = InputSpec(resize=20, crop=(16, 16), channels="bgr", mean=(0.1, 0.2, 0.3))


@pytest.fixture
def probe(desk, png):
    rng = np.random.default_rng(5)
    files = {f"images/{i:02}.png": png(rng.integers(0, 256, (20 + i, 30, 3), np.uint8)) for i in range(13)}
    masks = {f"masks/{i:02}.png": png(rng.integers(0, 3, (20 + i, 30), np.uint8)) for i in range(13)}
    return desk.open(desk.write({**files, **masks, "concepts.csv": "category,number,name\nobject,1,a\nobject,2,b\n"}))


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("batch_size", [1, 5, 13, 20])
def test_batches_are_those_of_one_image_after_the_other(probe, threads: int, batch_size: int) -> None:
    segmentation = Segmentation(probe, ["masks", "colors"])
    indices = [12, 0, 3, 4, 11, 7, 5]
    made = list(batches(probe, segmentation, SPEC, indices, batch_size, threads, 8))
    assert [len(batch.indices) for batch in made[:-1]] == [batch_size] * (len(made) - 1)
    assert [index for batch in made for index in batch.indices] == indices
    images = [probe.image(index) for index in indices]
    pixels, labels = torch.cat([batch.pixels for batch in made]), np.concatenate([batch.labels for batch in made])
    assert torch.equal(pixels, torch.stack([preprocess(image, SPEC) for image in images]))
    assert pixels.shape == (7, 3, 16, 16) and pixels.dtype == torch.float32
    one_by_one = [segmentation.labels(i, image, SPEC.geometry, 8) for i, image in zip(indices, images, strict=True)]
    assert np.array_equal(labels, one_by_one) and labels.dtype == np.uint16


def test_no_images_make_no_batches(probe) -> None:
    assert list(batches(probe, Segmentation(probe, ["colors"]), SPEC, [], 4, 2, 8)) == []


def test_only_a_few_batches_are_made_ahead(probe, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    image = probe.image
    monkeypatch.setattr(probe, "image", lambda index: (read.append(index), image(index))[1])
    stream = batches(probe, Segmentation(probe, ["colors"]), SPEC, range(13), 2, 2, 8)
    next(stream)
    stream.close()
    assert len(read) <= 2 * (AHEAD + 1)


def test_threads_end_with_the_consumer(probe) -> None:
    before = threading.active_count()
    stream = batches(probe, Segmentation(probe, ["colors"]), SPEC, range(13), 2, 4, 8)
    next(stream)
    assert threading.active_count() > before
    stream.close()
    assert threading.active_count() == before


def test_a_bad_image_is_named_and_threads_end(desk, probe) -> None:
    before = threading.active_count()
    desk.write({"images/07.png": "nothing"})
    stream = batches(probe, Segmentation(probe, ["colors"]), SPEC, range(13), 4, 3, 8)
    assert next(stream).indices == [0, 1, 2, 3]
    with pytest.raises(Conflict, match=r"image '07': images/07\.png changed"):
        list(stream)
    assert threading.active_count() == before


def test_an_image_that_does_not_suit_the_network_is_named(desk, png) -> None:
    probe = desk.open(desk.write({"a/thin.png": png(np.zeros((1, 2000), np.uint8))}), "folder")
    spec = InputSpec(resize=4000, crop=(16, 16))
    with pytest.raises(Invalid, match=r"image 'a/thin\.png': .*too narrow"):
        list(batches(probe, Segmentation(probe, ["colors"]), spec, [0], 1, 1, 4))
