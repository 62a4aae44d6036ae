"""A classifier whose units are exact detectors: what each is for is known by hand."""

import pytest

from tests.workers.jobs import worlds
from tests.workers.jobs.planted import BLACK, BLUE, GREEN, RED, WHITE, YELLOW

COLORS = {"blue": [BLUE], "green": [GREEN], "other": [YELLOW, BLACK], "red": [RED], "white": [WHITE]}
OUTPUTS = ["red", "green", "blue", "white", "other"]
UNIT_OF = {"red": 0, "green": 1, "blue": 2, "white": 4}


@pytest.fixture
def job(driver):
    worlds.write_pure(driver.settings.import_dir / "pure", COLORS, 12)
    driver.done(driver.queue_dataset("pure", format="folder"))
    driver.done(driver.queue_model("readers", "planted:readers", input={"resize": [8, 8]}, classes=OUTPUTS))
    return driver.ablate("readers", "pure", "1", sizes=[1, 2, 6])


def test_a_class_that_reads_one_unit_drops_to_chance(driver, job, read):
    found = read(driver, job)
    assert job.summary["evaluation"] == {"images": 30, "all_class_accuracy": 1.0, "balanced_accuracy": 1.0}
    for name in ("green", "blue", "white"):
        effect = found.effects[UNIT_OF[name], name]
        assert effect.rank == 1
        assert (effect.recall_change, effect.true_negative_rate_change, effect.accuracy_change) == (-1, 0, -0.5)
        assert (effect.accuracy_change_low, effect.accuracy_change_high, effect.uncertain) == (-0.5, -0.5, False)
        assert found.classes[name].curves["most"][0]["balanced_accuracy"] == 0.5


def test_a_class_of_two_units_loses_half_its_images_to_each(driver, job, read):
    found = read(driver, job)
    for unit in (3, 5):
        assert found.effects[unit, "other"].recall_change == -0.5
    assert found.classes["other"].curves["most"][1]["balanced_accuracy"] == 0.5


def test_the_class_that_a_bias_favours_takes_what_others_lose_and_its_own_unit_is_not_missed(driver, job, read):
    found = read(driver, job)
    own = found.effects[UNIT_OF["red"], "red"]
    assert (own.accuracy_change, own.p_value, own.uncertain) == (0, 1, True)
    assert found.effects[UNIT_OF["green"], "red"].true_negative_rate_change == -0.25
    assert found.classes["red"].auroc == 1


def test_units_that_nothing_reads_change_nothing(driver, job, read):
    found = read(driver, job)
    for unit in (6, 7):
        assert found.units[unit].accuracy_change == 0
        assert all(row.accuracy_change == 0 for (u, _), row in found.effects.items() if u == unit)
        assert all(row.log_probability_change == 0 for (u, _), row in found.effects.items() if u == unit)


def test_removing_all_others_keeps_the_class(driver, job, read):
    curves = read(driver, job).classes["green"].curves
    assert curves["all_but"][0]["auroc"] == 1
    assert [point["balanced_accuracy"] for point in curves["least"]][:2] == [1, 1]
