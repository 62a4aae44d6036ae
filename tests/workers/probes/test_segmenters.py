"""A segmenter's labels against a walk from each cell of the grid to a pixel of its logits."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from service.errors import Invalid
from workers.networks.inputs import InputSpec
from workers.networks.network import Network
from workers.probes.label_cache import LabelCache
from workers.probes.layout import Concept
from workers.probes.segmentation import Segmentation
from workers.probes.segmenters import Segmenter

OUTPUTS = [None, ("object", "tree"), ("material", "wood"), ("object", "sky"), None]
CPU = torch.device("cpu")


class Counting(nn.Module):
    """Logits of another resolution than the input's, which depend on place and colour; counts its images."""

    def __init__(self, shrink: int) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.look = nn.Conv2d(3, len(OUTPUTS), 3 if shrink == 1 else shrink, shrink, 1 if shrink == 1 else 0)
        # every output wins somewhere: grey gives none of them anything
        self.look.weight.data -= self.look.weight.mean((1, 2, 3), keepdim=True)
        self.look.weight.data *= 20
        self.images = 0

    def forward(self, images: Tensor) -> Tensor:
        self.images += len(images)
        return self.look(images)


def network_of(module: nn.Module, spec: InputSpec) -> Network:
    return Network(module.eval(), "segmenter", spec, [], OUTPUTS, "ab" * 32, CPU)


@pytest.fixture
def cache(tmp_path):
    return LabelCache(tmp_path / "cache", 10**9)


@pytest.fixture
def segmenter(cache):
    def make(module, spec):
        return Segmenter("ab" * 32, spec, OUTPUTS, lambda: network_of(module, spec), cache)

    return make


@pytest.fixture
def picture():
    rng = np.random.default_rng(5)
    blotches = rng.integers(0, 256, (5, 7, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return Image.fromarray(blotches[:38, :51])


def bilinear(logits: np.ndarray, row: int, column: int, size: tuple[int, int]) -> np.ndarray:
    """The logits, (C, h, w), at a pixel of the input, between the four next ones."""
    weights, places = [], []
    for pixel, side, coarse in zip((row, column), size, logits.shape[1:], strict=True):
        place = min(max((pixel + 0.5) * coarse / side - 0.5, 0), coarse - 1)
        low = min(int(place), coarse - 1)
        places.append((low, min(low + 1, coarse - 1)))
        weights.append((1 - (place - low), place - low))
    return sum(weights[0][i] * weights[1][j] * logits[:, places[0][i], places[1][j]] for i in (0, 1) for j in (0, 1))


def expected(module, spec, image, geometry, grid, rivals) -> np.ndarray:
    """Which rival has the largest logit under each cell's centre, -1 out of view, -2 where two are as large."""
    resized = image.resize(spec.geometry.resized(image.size[::-1])[::-1], Image.Resampling.BILINEAR)
    height, width = spec.size
    top, left = spec.geometry.offset(image.size[::-1])
    pixels, seen = np.asarray(resized), np.zeros((height, width, 3))
    for i in range(height):
        for j in range(width):
            if 0 <= i + top < resized.height and 0 <= j + left < resized.width:
                seen[i, j] = pixels[i + top, j + left]
    x = torch.from_numpy((seen / 255 - np.array(spec.mean)) / np.array(spec.std)).permute(2, 0, 1).float()
    with torch.no_grad():
        logits = module.look(x[None])[0].double().numpy()
    found = np.full((grid, grid), -1)
    image_size, inner = image.size[::-1], geometry.resized(image.size[::-1])
    for i in range(grid):
        for j in range(grid):
            place = []
            for axis, cell in enumerate((i, j)):
                inside = Fraction(2 * cell + 1, 2 * grid) * geometry.size[axis] + geometry.offset(image_size)[axis]
                of_image = inside / inner[axis]
                pixel = floor(of_image * (resized.height, resized.width)[axis])
                place.append(pixel - (top, left)[axis] if 0 <= of_image < 1 else -1)
            if 0 <= place[0] < height and 0 <= place[1] < width:
                scores = bilinear(logits[rivals], *place, spec.size)
                clear = np.sort(scores)[-1] - np.sort(scores)[-2] > 1e-4
                found[i, j] = rivals[scores.argmax()] if clear else -2
    return found


SPECS = [
    InputSpec(resize=(24, 32)),
    InputSpec(resize=32, crop=(24, 24), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)),
    InputSpec(resize=24, crop=(40, 24)),
]
GEOMETRIES = [
    InputSpec(resize=(16, 16)).geometry,
    InputSpec(resize=30, crop=(20, 26)).geometry,
    InputSpec(crop=(60, 60)).geometry,
]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("shrink", [1, 4])
def test_labels_are_the_largest_logits_under_the_cells(segmenter, picture, spec, geometry, shrink):
    module = Counting(shrink)
    labels = segmenter(module, spec).labels(picture, "cd" * 32, geometry, 11)
    label_of = np.array([0, 1, 2, 3, 0, 0, 0])  # of each output, of -2 and of -1
    for channel, rivals in enumerate([[0, 1, 3, 4], [0, 2, 4]]):  # an output of nothing rivals those of each category
        outputs = expected(module, spec, picture, geometry, 11, rivals)
        assert (outputs == -2).sum() < 6
        assert len(set(outputs.ravel()) & set(rivals)) >= 2
        assert np.array_equal(labels[channel][outputs != -2], label_of[outputs][outputs != -2])


def test_a_second_look_costs_no_pass_and_gives_the_same(segmenter, picture, cache):
    module, geometry = Counting(4), GEOMETRIES[0]
    first = segmenter(module, SPECS[0])
    labels = first.labels(picture, "cd" * 32, geometry, 8)
    again = segmenter(module, SPECS[0])
    assert np.array_equal(again.labels(picture, "cd" * 32, geometry, 8), labels)
    assert np.array_equal(
        again.labels(picture, "cd" * 32, GEOMETRIES[1], 5), first.labels(picture, "cd" * 32, GEOMETRIES[1], 5)
    )
    assert module.images == 1
    again.labels(picture, "ef" * 32, geometry, 8)
    assert module.images == 2
    Segmenter("cd" * 32, SPECS[0], OUTPUTS, lambda: network_of(module, SPECS[0]), cache).labels(
        picture, "cd" * 32, geometry, 8
    )
    assert module.images == 3


def test_one_thread_at_a_time_passes_one_image_at_a_time(segmenter, picture):
    class Alone(Counting):
        inside = 0

        def forward(self, images):
            self.inside += 1
            assert (self.inside, len(images)) == (1, 1)
            logits = super().forward(images)
            assert self.inside == 1
            self.inside -= 1
            return logits

    module = Alone(4)
    made = segmenter(module, SPECS[0])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: made.labels(picture, f"{i:064x}", GEOMETRIES[0], 8), range(40)))
    assert module.images == 40
    assert all(np.array_equal(labels, found[0]) for labels in found)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_an_output_that_is_no_number_is_refused_and_not_kept(segmenter, picture, value):
    module = Counting(4)
    module.look.bias.data[2] = value
    made = segmenter(module, SPECS[0])
    with pytest.raises(Invalid, match="not finite"):
        made.labels(picture, "cd" * 32, GEOMETRIES[0], 8)
    module.look.bias.data[2] = 0
    made.labels(picture, "cd" * 32, GEOMETRIES[0], 8)


def test_several_segmentations_share_what_they_name_alike(desk, tree, segmenter):
    tree["concepts.csv"] = str(tree["concepts.csv"]).replace("roof", "wall")
    probe = desk.open(desk.write(tree))
    made = segmenter(Counting(4), SPECS[0])
    segmentation = Segmentation(probe, ["masks", "model:net"], {"model:net": made})
    assert segmentation.channels == ["object", "part", "object", "material"]
    assert segmentation.concepts == [*probe.concepts, Concept("material", "wood"), Concept("object", "sky")]
    image, geometry = probe.image(0), GEOMETRIES[0]
    labels = segmentation.labels(0, image, geometry, 9)
    assert np.array_equal(labels[:2], probe.labels(0, (30, 40), geometry, 9))
    alone = made.labels(image, probe.images[0].digest, geometry, 9)
    for place, concept in enumerate(made.concepts, start=1):
        number = 1 + segmentation.concepts.index(concept)
        channel = made.channels.index(concept.category)
        assert np.array_equal(labels[2 + channel] == number, alone[channel] == place)
    assert set(np.unique(alone)) >= {0, 1}
