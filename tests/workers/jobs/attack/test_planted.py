"""A classifier whose units are exact detectors, on images of pure colours: every pixel is exactly 0 or 1."""

from math import sqrt

import pytest

from tests.workers.jobs import worlds
from tests.workers.jobs.planted import BLUE, CONSTANT, GREEN, RED, WHITE

COLORS = {"blue": [BLUE], "green": [GREEN], "red": [RED], "white": [WHITE]}
OUTPUTS = ["red", "green", "blue", "white", "other"]
UNIT_OF = {"red": 0, "green": 1, "blue": 2, "white": 4}
PIXELS, BIAS = 63, 0.125
"""Of an image one pixel is grey; red is what an image is taken for in which nothing exceeds its bias."""
SEARCH = {
    "steps": 150,
    "binary_search_steps": 3,
    "learning_rate": 0.1,
    "initial_constant": 50.0,
    "abort_early": False,  # the way out of the flat ends of the tanh is long
}


IMAGES = 4
"""Of each colour."""


def test_what_is_known_by_hand_is_found(zoo, read):
    worlds.write_pure(zoo.settings.import_dir / "pure", COLORS, IMAGES)
    zoo.queue_dataset("pure", format="folder")
    zoo.done(zoo.queue_model("readers", "planted:readers", input={"resize": [8, 8]}, classes=OUTPUTS))
    zoo.ablate("readers", "pure", "1", sizes=[1])
    given = {"layer": "1", "settings": SEARCH, "images": "all", "keep": 0}
    [found] = read(zoo, zoo.attack("readers", "pure", target="red", **given)).values()
    check_distances(found)
    check_units(found)
    [found] = read(zoo, zoo.attack("readers", "pure", **given)).values()
    check_untargeted(found)


def check_distances(found):
    """From 1 down to the bias in every pixel, across a plane in RGB; where the grey pixel is, no image tells."""
    outcomes = {"succeeded": 3 * IMAGES, "failed": 0, "already_target": IMAGES, "misclassified": 0}
    assert found.figures["outcomes"] == outcomes
    least = (1 - BIAS) / sqrt(3) * sqrt(PIXELS)
    for name in ("blue", "green", "white"):
        distances = [row.l2 for row, c in zip(found.images, found.classes, strict=True) if c["true"] == name]
        assert least - 1e-4 < distances[0] < 1.25 * least
        assert distances == pytest.approx([distances[0]] * IMAGES, rel=1e-5)


def check_units(found):
    """The detector of the source goes down to where the target wins, and no other unit moves as far."""
    for name in ("blue", "green", "white"):
        change = found.shifts["1", UNIT_OF[name]].mean_peak_change
        assert -1 / 3 <= change < -(1 - BIAS) / 3  # a third of the images have it
    assert {found.shifts["1", UNIT_OF[name]].rank for name in ("blue", "green", "white")} == {1, 2, 3}
    assert found.shifts["1", CONSTANT].mean_peak_change == 0
    [layer] = found.figures["layers"]
    source, others = layer["groups"]["source"], layer["groups"]["others"]
    assert source["mean"] < -(1 - BIAS) / 4
    assert source["high"] < others["low"]
    assert layer["silencing"]["most_moved"] == [0, 0, 0]  # it is silent already


def check_untargeted(found):
    """Nothing leads away from the class that the bias favours, and everything else ends there."""
    for row, classes in zip(found.images, found.classes, strict=True):
        assert classes["result"] == "red"
        assert row.outcome == ("failed" if classes["true"] == "red" else "succeeded")
