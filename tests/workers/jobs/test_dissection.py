"""Every figure of a job against the brute force: networks, grids, ways of upsampling, masks and colours."""

import numpy as np
import pytest
import torch
from torchvision import models

from tests.workers.jobs import brute_force, planted, worlds
from tests.workers.jobs.conftest import Driver, Found

SIZE = (32, 32)
IMAGES = 20
PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
# Of units whose IoU is compared to 1e-6; where samples lie within rounding of the threshold, these may fall either way.
CLEAR_SHARE = 0.85


def network(source):
    """The module that the service builds for a source with seed 0, built here by itself."""
    torch.manual_seed(0)
    place, _, name = source.partition(":")
    module = planted.NETWORKS[name]() if place == "planted" else models.get_model(name, weights=None)
    return module.eval()


def check(found: Found, oracle: brute_force.Oracle, concepts: list[tuple[str, str]]) -> None:
    # a threshold that is all but 0 has the rounding of the activations that it lies between
    scale = np.maximum(np.abs(oracle.thresholds), 0.01 * np.abs(oracle.peaks).max(0))
    assert (np.abs(found.thresholds - oracle.thresholds) <= 1e-5 * scale).all()
    np.testing.assert_allclose(found.peaks, oracle.peaks.max(0), rtol=1e-5, atol=1e-6)
    clear = oracle.clear
    assert clear.mean() >= CLEAR_SHARE
    np.testing.assert_array_equal(found.areas[clear], oracle.areas[clear])
    np.testing.assert_allclose(found.iou[clear], oracle.iou[clear], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.iou[~clear], oracle.iou[~clear], rtol=0, atol=0.01)
    expected = oracle.labels(concepts)
    for unit in np.flatnonzero(clear):
        assert found.labels[unit] == expected[unit]
        label_iou = oracle.iou[unit].max() if expected[unit] else 0
        assert found.detectors[unit] == (label_iou > 0.04)
    check_pairs(found, oracle, concepts)
    check_top_images(found, oracle)


def check_pairs(found: Found, oracle: brute_force.Oracle, concepts: list[tuple[str, str]]) -> None:
    for (unit, concept), (rank, intersection, union) in found.pairs.items():
        place = concepts.index(concept)
        assert oracle.alive[unit]
        if oracle.clear[unit]:
            assert (intersection, union) == (oracle.intersections[unit, place], oracle.unions[unit, place])
            better = [c for c in np.argsort(-oracle.iou[unit], kind="stable") if (unit, concepts[c]) in found.pairs]
            assert better.index(place) == rank - 1
    for unit, place in zip(*np.nonzero(oracle.iou >= 0.011), strict=True):
        assert not oracle.alive[unit] or (unit, concepts[place]) in found.pairs


def check_top_images(found: Found, oracle: brute_force.Oracle) -> None:
    for unit, tops in enumerate(found.top_images):
        peaks = [peak for _, peak in tops]
        np.testing.assert_allclose(peaks, np.sort(oracle.peaks[:, unit])[::-1][: len(peaks)], rtol=1e-5, atol=1e-6)
        named = [oracle.peaks[int(image), unit] for image, _ in tops]
        np.testing.assert_allclose(named, peaks, rtol=1e-5, atol=1e-6)
        assert len({image for image, _ in tops}) == len(tops) == 5


def register(driver: Driver, world: worlds.World, source: str, **input: object) -> None:
    world.write(driver.settings.import_dir / "world")
    driver.queue_dataset("world")
    driver.queue_model("model", source, input={"resize": list(SIZE), "crop": None, **input})
    driver.run()


# sides of the maps: vgg 32, 16, 8; resnet18 16, 4, where layer2.0.relu runs twice in a pass; mobilenet_v2 16, 8, 4, 2
@pytest.mark.parametrize(
    ("source", "layers", "grid", "mode"),
    [
        ("planted:vgg", ["0", "1", "3", "4", "6", "7"], 16, "zero"),
        ("planted:vgg", ["1", "4", "7"], 12, "edge"),
        ("planted:vgg", ["0", "4", "7"], 4, "zero"),
        ("planted:vgg", ["3", "7"], 7, "edge"),
        ("torchvision:resnet18", ["layer2", "layer2.0.relu"], 14, "zero"),
        ("torchvision:resnet18", ["relu", "layer2"], 8, "edge"),
        ("torchvision:mobilenet_v2", ["features.1", "features.4"], 12, "zero"),
        ("torchvision:mobilenet_v2", ["features.2.conv.0", "features.7"], 5, "edge"),
    ],
)
def test_all_figures(driver, source, layers, grid, mode):
    world = worlds.noise(IMAGES)
    scaling = IMAGENET if source.startswith("torchvision") else PLAIN
    register(driver, world, source, **scaling)
    job = driver.dissect("model", "world", layers, grid=grid, upsampling=mode)
    found = driver.found(job)
    assert set(found) == set(layers)
    pixels = brute_force.see(world, SIZE, **scaling)
    carriers = brute_force.carriers(world, grid)
    assert job.summary["concepts"] == [{"category": category, "name": name} for category, name in carriers]
    for layer in layers:
        maps = brute_force.layer_maps(network(source), layer, pixels)
        check(found[layer], brute_force.dissect(maps, carriers, grid, mode), list(carriers))


@pytest.mark.parametrize("segmentation", [["colors"], ["masks", "colors"]])
@pytest.mark.parametrize("quantile", [0.005, 0.3])
def test_colors(driver, segmentation, quantile):
    world = worlds.pure(IMAGES)
    register(driver, world, "planted:vgg")
    job = driver.dissect("model", "world", ["4", "7"], segmentation=segmentation, grid=16, quantile=quantile)
    carriers = brute_force.carriers(world, 16, masks="masks" in segmentation, colors=True)
    for layer, found in driver.found(job).items():
        maps = brute_force.layer_maps(network("planted:vgg"), layer, brute_force.see(world, SIZE, **PLAIN))
        check(found, brute_force.dissect(maps, carriers, 16, "zero", quantile), list(carriers))


def test_classes_as_scenes_of_whole_images(driver):
    plain = worlds.noise(IMAGES)
    classes = [("beach", "abbey", None)[index % 3] for index in range(IMAGES)]
    plain.write(driver.settings.import_dir / "world")
    lines = [f"{index:03},{name}" for index, name in enumerate(classes) if name]
    (driver.settings.import_dir / "world" / "labels.csv").write_text("\n".join(["image,class", *lines]))
    driver.queue_dataset("world", scenes=True)
    driver.queue_model("model", "planted:vgg", input={"resize": list(SIZE), "crop": None, **PLAIN})
    driver.run()
    scenes = [np.full((48, 40), {"abbey": 1, "beach": 2, None: 0}[name]) for name in classes]
    concepts = [*plain.concepts, ("scene", "abbey"), ("scene", "beach")]
    world = worlds.World(plain.images, concepts, plain.masks | {"scene": scenes})
    carriers = brute_force.carriers(world, 12)
    maps = brute_force.layer_maps(network("planted:vgg"), "7", brute_force.see(world, SIZE, **PLAIN))
    found = driver.found(driver.dissect("model", "world", ["7"], grid=12))["7"]
    check(found, brute_force.dissect(maps, carriers, 12, "zero"), concepts)
    assert any(category == "scene" for _, (category, _) in found.pairs)


def test_the_summary_counts_what_the_rows_say(driver):
    world = worlds.noise(IMAGES)
    register(driver, world, "planted:vgg")
    job = driver.dissect("model", "world", ["7"], grid=8)
    (layer,), found = job.summary["layers"], driver.found(job)["7"]
    detected = [label for label, detector in zip(found.labels, found.detectors, strict=True) if detector]
    assert (layer["layer"], layer["units"], layer["dead_units"]) == ("7", 24, sum(p == 0 for p in found.peaks))
    assert layer["dead_units"] >= 1
    assert layer["detectors"] == len(detected) == sum(bar["units"] for bar in layer["chart"])
    assert {(bar["category"], bar["concept"]): bar["units"] for bar in layer["chart"]} == {
        label: detected.count(label) for label in detected
    }
    assert layer["mean_best_iou"] == pytest.approx(found.iou.max(1).mean(), abs=1e-6)


def test_a_part_of_the_images_is_spread_evenly(driver):
    world = worlds.noise(IMAGES)
    register(driver, world, "planted:vgg")
    job = driver.dissect("model", "world", ["4"], grid=16, max_images=10)
    part = worlds.World(world.images[::2], world.concepts, {name: masks[::2] for name, masks in world.masks.items()})
    carriers = brute_force.carriers(part, 16)
    maps = brute_force.layer_maps(network("planted:vgg"), "4", brute_force.see(part, SIZE, **PLAIN))
    oracle = brute_force.dissect(maps, carriers, 16, "zero")
    found = driver.found(job)["4"]
    np.testing.assert_allclose(found.thresholds, oracle.thresholds, rtol=1e-5)
    np.testing.assert_array_equal(found.areas[oracle.clear], oracle.areas[oracle.clear])
    assert job.summary["images"] == 10
