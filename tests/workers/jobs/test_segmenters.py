"""Dissections of images that segmenters label, from submission to figures, against the brute force."""

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from torch import Tensor, nn

from service.catalog.tables import Model
from service.database import reading
from service.errors import Invalid
from service.jobs.checks import check_dissection
from service.jobs.requests import JobRequestSchema
from tests.workers.jobs import brute_force, planted, worlds
from tests.workers.jobs.test_sharding import assert_same, small_shards
from tests.workers.probes.test_halves import flood
from workers.jobs.dissection.scratch import Part
from workers.networks.sources import SOURCES

IMAGES, GRID, LAYERS = 40, 12, ["4", "7"]
SIDES = ("top", "bottom", "left", "right")
OUTPUTS = [None, {"category": "object", "name": "tree"}, {"category": "object", "name": "bush"}]
OUTPUTS += [{"category": "material", "name": "stone"}]


class Painter(nn.Module):
    """Tells pixels apart by whether they are bright, red, green or none of these; counts the images it is given."""

    passes, lock = 0, threading.Lock()

    def forward(self, images: Tensor) -> Tensor:
        with self.lock:
            Painter.passes += len(images)
        red, green, blue = images.unbind(1)
        return torch.stack([0.5 + 0 * red, red + 0.2 - green, green + 0.2 - blue, red + green + blue - 1.1], 1)


@dataclasses.dataclass
class Source:
    kind: str = "segmenter"
    input: dict[str, Any] = dataclasses.field(default_factory=dict)
    classes: Sequence[str] = ()
    concepts: Sequence[tuple[str, str] | None] = ()

    def build(self, size: object, state: object) -> nn.Module:
        return Painter()


@pytest.fixture(autouse=True)
def painter(monkeypatch):
    monkeypatch.setitem(SOURCES, "painter", lambda name, pretrained: Source())
    monkeypatch.setattr(Painter, "passes", 0)


@pytest.fixture
def world():
    return worlds.noise(IMAGES)


def register(driver, world):
    world.write(driver.settings.import_dir / "world")
    driver.queue_dataset("world")
    driver.queue_model("model", "planted:vgg", input={"resize": [32, 32]})
    driver.queue_model("net", "painter:x", kind="segmenter", input={"resize": [24, 24]}, concepts=OUTPUTS)
    driver.run(3)
    Painter.passes = 0
    return driver


@pytest.fixture
def ready(driver, world):
    return register(driver, world)


def painted(world, category) -> np.ndarray:
    """What the segmenter sees of a category under each cell of the grid, (n, G, G): the number of the output."""
    pixels = brute_force.see(world, (24, 24), [0] * 3, [1] * 3).numpy()
    red, green, blue = pixels.transpose(1, 0, 2, 3)
    scores = [0.5 + 0 * red, red + np.float32(0.2) - green, green + np.float32(0.2) - blue, red + green + blue]
    scores[3] = scores[3] - np.float32(1.1)
    rivals = np.array([k for k, output in enumerate(OUTPUTS) if not output or output["category"] == category])
    best = rivals[np.argmax(np.stack(scores)[rivals], 0)]
    return np.stack([brute_force._nearest(map, GRID) for map in best])


def check(driver, job, world, carriers) -> None:
    """Compare thresholds, labels and the numbers of pixels with the brute force's."""
    concepts = list(carriers)
    for layer, found in driver.found(job).items():
        torch.manual_seed(0)
        module = planted.vgg().eval()
        maps = brute_force.layer_maps(module, layer, brute_force.see(world, (32, 32), [0] * 3, [1] * 3))
        oracle = brute_force.dissect(maps, carriers, GRID, "zero")
        clear = oracle.clear & oracle.alive
        assert clear.sum() > 8
        np.testing.assert_allclose(found.iou[clear], oracle.iou[clear], rtol=1e-6)
        wanted = oracle.labels(concepts)
        assert [found.labels[unit] for unit in np.flatnonzero(clear)] == [wanted[u] for u in np.flatnonzero(clear)]


def test_masks_and_a_segmenter_together(ready, world):
    job = ready.dissect("model", "world", LAYERS, grid=GRID, segmentation=["model:net", "masks"])
    carriers = brute_force.carriers(world, GRID)
    for number, output in enumerate(OUTPUTS[1:], start=1):
        concept = (output["category"], output["name"])
        # both call something a tree: a pixel is one if either says so
        carriers[concept] = carriers.get(concept, False) | (painted(world, concept[0]) == number)
    assert len(carriers) == 5 + 3 - 1
    assert all(where.any() for concept, where in carriers.items() if concept[1] != "unicorn")
    check(ready, job, world, carriers)


def test_a_segmenter_alone_with_halves(ready, world):
    job = ready.dissect("model", "world", LAYERS, grid=GRID, segmentation="model:net", halves=True)
    outputs = painted(world, "object")
    carriers = {
        (output["category"], output["name"]): painted(world, output["category"]) == k
        for k, output in enumerate(OUTPUTS)
        if output
    }
    halves = {("part", f"{name}-{side}"): np.zeros_like(outputs, bool) for name in ("tree", "bush") for side in SIDES}
    for image, numbers in enumerate(outputs):
        for thing in flood(np.where(numbers < 3, numbers, 0)):
            name = OUTPUTS[numbers[next(iter(thing))]]["name"]
            rows, columns = [row for row, _ in thing], [column for _, column in thing]
            for row, column in thing:
                upper = row < (min(rows) + max(rows) + 1) // 2
                left = column < (min(columns) + max(columns) + 1) // 2
                halves["part", f"{name}-{'top' if upper else 'bottom'}"][image, row, column] = True
                halves["part", f"{name}-{'left' if left else 'right'}"][image, row, column] = True
    check(ready, job, world, carriers | halves)


def test_a_second_job_does_not_pay_again(ready):
    first = ready.dissect("model", "world", ["4"], grid=GRID, segmentation="model:net")
    assert Painter.passes == IMAGES + 1  # loading tries it on a blank image
    again = ready.dissect("model", "world", ["4"], grid=GRID, segmentation="model:net", reuse=False)
    ready.dissect("model", "world", ["7"], grid=7, segmentation=["masks", "model:net"])
    assert Painter.passes == IMAGES + 1
    assert first.id != again.id
    assert_same(ready.found(first), ready.found(again))


def test_a_damaged_label_is_made_anew(ready):
    first = ready.dissect("model", "world", ["4"], grid=GRID, segmentation="model:net")
    kept = sorted(path for path in ready.settings.segmentation_dir.rglob("*") if path.is_file())
    assert len(kept) == IMAGES
    kept[3].write_bytes(kept[3].read_bytes()[:-5])
    kept[5].unlink()
    passes = Painter.passes
    again = ready.dissect("model", "world", ["4"], grid=GRID, segmentation="model:net", reuse=False)
    assert Painter.passes == passes + 2
    assert_same(ready.found(first), ready.found(again))


def test_shards_and_workers_change_nothing(driver_on_each, world, monkeypatch):
    ready = register(driver_on_each, world)
    asked = {"grid": GRID, "segmentation": ["masks", "model:net", "colors"], "halves": True, "reuse": False}
    expected = ready.found(ready.dissect("model", "world", LAYERS, **asked))
    small_shards(monkeypatch)
    for path in ready.settings.segmentation_dir.rglob("*/*/*"):
        if path.stat().st_mtime_ns % 2:  # some are in the cache, others are not
            path.unlink()
    assert_same(expected, ready.found(ready.dissect("model", "world", LAYERS, 3, **asked)))


def test_the_size_foretold_is_the_size_that_comes(ready, monkeypatch):
    write, channels = Part.write_labels, []
    monkeypatch.setattr(
        Part, "write_labels", lambda part, table, *rest: channels.append(table.shape[1]) or write(part, table, *rest)
    )
    for segmentation in ["masks", "model:net", ["masks", "model:net", "colors"]]:
        for halves in (False, True):
            body = {"kind": "dissection", "model": "model", "dataset": "world", "layers": ["4"], "halves": halves}
            loaded = JobRequestSchema().load({**body, "segmentation": segmentation, "grid": 8})
            with reading(ready.sessions) as session:
                checked = check_dissection(session, ready.team_id, loaded, 2**40)
            job = ready.dissect("model", "world", ["4"], grid=8, segmentation=segmentation, halves=halves)
            (found,) = ready.found(job).values()
            assert (found.iou.shape[1], channels.pop()) == (checked.size.concepts, checked.size.label_channels)


def test_a_segmenter_that_loads_otherwise_ends_the_job(ready):
    with ready.sessions.begin() as session:
        session.execute(sa.update(Model).where(Model.name == "net").values(digest="00" * 32))
    problem = ready.failure(ready.queue_dissection("model", "world", ["4"], grid=8, segmentation="model:net"))
    assert "'net' does not load with the weights it was registered with" in str(problem)


def test_an_output_that_is_no_number_ends_the_job(ready, monkeypatch):
    monkeypatch.setattr(Painter, "forward", lambda self, images: images.sum(1, keepdim=True) / 0 * torch.ones(4, 1, 1))
    problem = ready.failure(ready.queue_dissection("model", "world", ["4"], grid=8, segmentation="model:net"))
    assert "not finite" in str(problem)


def test_outputs_and_concepts_that_disagree_are_not_registered(ready):
    job = ready.queue_model("two", "painter:x", kind="segmenter", input={"resize": [24, 24]}, concepts=OUTPUTS[:2])
    problem = ready.failure(job)
    assert problem["errors"][0]["pointer"] == "/concepts"
    with pytest.raises(Invalid, match="no segmenter is named 'two'"):
        ready.queue_dissection("model", "world", ["4"], segmentation="model:two")
