"""A network whose units are exact detectors: every figure is known by hand."""

import numpy as np
import pytest

from tests.workers.jobs import worlds
from tests.workers.jobs.planted import CONSTANT, DEAD, DETECTORS

# A unit fires on at most a quarter of the pixels, so that its threshold is 0 and its area what it fires on.
SHARE = 0.4


@pytest.fixture
def flags(driver):
    worlds.flags(12).write(driver.settings.import_dir / "flags")
    driver.done(driver.queue_dataset("flags"))
    driver.done(driver.queue_model("detectors", "planted:colors", input={"resize": [32, 32]}))
    return driver


@pytest.mark.parametrize(("grid", "mode"), [(32, "zero"), (32, "edge"), (16, "edge"), (8, "edge"), (4, "edge")])
def test_known_iou(flags, grid, mode):
    job = flags.dissect("detectors", "flags", ["1"], quantile=SHARE, grid=grid, upsampling=mode)
    found = flags.found(job)["1"]
    area = 12 * grid * grid
    share = dict(zip(DETECTORS, found.areas / area, strict=False))
    assert share == {"red": 1 / 8, "green": 1 / 4, "blue": 1 / 4, "yellow": 1 / 8, "white": 1 / 4, "black": 0}
    expected = {  # columns: sky, wall, tree
        "red": [0, 1 / 3, 0],
        "green": [0, 0, 1 / 2],
        "blue": [1, 0, 0],
        "yellow": [0, 0, 0],
        "white": [0, 2 / 3, 0],
        "black": [0, 0, 0],
    }
    for unit, name in enumerate(DETECTORS):
        np.testing.assert_allclose(found.iou[unit], expected[name], rtol=0, atol=1e-6)
    wall, tree, sky = ("object", "wall"), ("object", "tree"), ("object", "sky")
    assert found.labels == [wall, tree, sky, None, wall, None, None, None]
    assert found.detectors == [True, True, True, False, True, False, False, False]
    assert found.pairs[2, sky] == (1, area // 4, area // 4)
    assert found.pairs[4, wall] == (1, area // 4, area * 3 // 8)
    assert found.thresholds[:CONSTANT].tolist() == [0] * CONSTANT
    assert found.peaks.tolist() == [1, 1, 1, 1, 1, 0, 0, 1]


def test_colors_and_masks_together(flags):
    job = flags.dissect("detectors", "flags", ["1"], quantile=SHARE, grid=16, segmentation=["masks", "colors"])
    found = flags.found(job)["1"]
    colors = [("color", name) for name in ("red", "green")]
    # the sky, which is just as blue, comes first in the order of concepts
    assert found.labels[:5] == [*colors, ("object", "sky"), ("color", "yellow"), ("color", "white")]
    assert found.pairs[2, ("color", "blue")][0] == 2
    (layer,) = job.summary["layers"]
    assert layer["distinct"] == {"object": 1, "color": 4}
    assert (layer["units"], layer["dead_units"]) == (8, 3)


def test_units_that_say_nothing_have_neither_label_nor_picture(flags):
    found = flags.found(flags.dissect("detectors", "flags", ["1"], grid=32))["1"]
    for unit in (DEAD, CONSTANT):
        assert (found.labels[unit], found.detectors[unit], found.pictures[unit]) == (None, False, None)
        assert not any(pair[0] == unit for pair in found.pairs)
    assert np.isfinite(found.iou).all()


def test_a_plateau_is_not_above_itself(flags):
    found = flags.found(flags.dissect("detectors", "flags", ["1"], grid=32, upsampling="edge"))["1"]
    assert found.thresholds[:5].tolist() == [1] * 5
    assert found.areas[:5].tolist() == [0] * 5
    assert found.labels == [None] * 8


def test_the_layer_before_an_in_place_relu_keeps_its_negative_values(flags):
    job = flags.dissect("detectors", "flags", ["0", "1"], quantile=SHARE, grid=32)
    before = flags.found(job)["0"]
    assert before.peaks.tolist() == [1, 1, 1, 1, 1, 0, -1, 1]
    assert before.thresholds[0] < 0 < 1 == before.peaks[0]


def test_top_images_of_equal_peak_come_in_the_order_of_the_dataset(flags):
    found = flags.found(flags.dissect("detectors", "flags", ["1"], grid=32, top_images=3))["1"]
    assert found.top_images[0] == [("000", 1), ("001", 1), ("002", 1)]


def test_an_activation_that_is_no_number_fails_the_job_and_names_layer_and_unit(driver):
    worlds.flags(10).write(driver.settings.import_dir / "flags")
    driver.done(driver.queue_dataset("flags"))
    driver.done(driver.queue_model("broken", "planted:broken", input={"resize": [32, 32]}))
    problem = driver.failure(driver.queue_dissection("broken", "flags", ["0"], grid=8))
    assert problem["status"] == 422
    assert problem["detail"].startswith("layer '0', unit 0 has an activation that is infinite or not a number")
    assert problem["errors"][0]["pointer"] == "/layers"
