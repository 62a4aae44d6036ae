"""Scores and controls of a job against loops over all images, pixels, cuts, resamples and permutations."""

import itertools

import numpy as np
import pytest
import torch

from tests.workers.jobs import brute_force, planted, worlds
from tests.workers.jobs.test_dissection import PLAIN, SIZE, register
from workers.analysis.controls import random_rotation

IMAGES, GRID, LAYERS = 24, 12, ["4", "7"]
CONTROLS = ["permutation", "rotation", "untrained"]


def network(seed):
    torch.manual_seed(seed)
    return planted.NETWORKS["vgg"]().eval()


def half_shown(world):
    """Trees in some of the images only: else nothing is to be told apart."""
    for mask in world.masks["object"][::3]:
        mask[mask == 1] = 0
    return world


@pytest.fixture
def world():
    return half_shown(worlds.noise(IMAGES))


@pytest.fixture
def dissect(driver, world):
    def run(**params):
        register(driver, world, "planted:vgg")
        driver.queue_model("other", "planted:vgg", input={"resize": list(SIZE)}, weights={"seed": 1})
        driver.run()
        job = driver.dissect("other", "world", LAYERS, grid=GRID, **params)
        return job, driver.found(job)

    return run


@pytest.fixture
def carriers(world):
    return brute_force.carriers(world, GRID)


def maps_of(world, layer, seed=1):
    return brute_force.layer_maps(network(seed), layer, brute_force.see(world, SIZE, **PLAIN))


def pixels(maps, found, unit):
    """Where the unit is above the threshold that was found: (n, G, G)."""
    return brute_force.upsample(maps[:, [unit]], GRID, "zero").numpy().astype(np.float32)[:, 0] > found.thresholds[unit]


def precision_over_cuts(peaks, present):
    total, recall = 0.0, 0.0
    for cut in sorted(set(peaks.tolist()), reverse=True):
        taken = peaks >= cut
        reached = (taken & present).sum() / present.sum()
        total += (reached - recall) * (taken & present).sum() / taken.sum()
        recall = reached
    return total


def share_of_ordered_pairs(peaks, present):
    pairs = list(itertools.product(peaks[present], peaks[~present]))
    return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)


def errors_at(peaks, present, threshold):
    return (peaks[present] <= threshold).mean(), (peaks[~present] > threshold).mean()


def test_peaks_as_scores_for_presence(dissect, world, carriers):
    _, results = dissect()
    told, untold = 0, 0
    for layer, found in results.items():
        peaks = maps_of(world, layer).amax((2, 3)).numpy()
        for (unit, concept), scores in found.scores.items():
            mine, present = peaks[:, unit], carriers[concept].any((1, 2))
            if present.all():
                untold += 1
                assert scores["auroc"] is scores["average_precision"] is scores["balanced_accuracy"] is None
                continue
            told += 1
            assert scores["average_precision"] == pytest.approx(precision_over_cuts(mine, present), abs=1e-9)
            assert scores["auroc"] == pytest.approx(share_of_ordered_pairs(mine, present), abs=1e-9)
            missed, taken = errors_at(mine, present, scores["equal_error_threshold"])
            assert scores["balanced_accuracy"] == pytest.approx(1 - (missed + taken) / 2, abs=1e-9)
            cuts = [errors_at(mine, present, cut) for cut in mine]
            assert abs(missed - taken) <= min(abs(a - b) for a, b in cuts) + 1e-9
    assert told and untold


def test_histograms_count_every_image_once(dissect, world, carriers):
    _, results = dissect()
    for layer, found in results.items():
        peaks = maps_of(world, layer).amax((2, 3)).numpy()
        for unit, (label, histogram) in enumerate(zip(found.labels, found.histograms, strict=True)):
            assert (label is None) == (histogram is None)
            if label:
                present = carriers[label].any((1, 2))
                edges = np.array(histogram["edges"])
                assert (edges[0], edges[-1]) == pytest.approx((peaks[:, unit].min(), peaks[:, unit].max()), rel=1e-5)
                assert (sum(histogram["with"]), sum(histogram["without"])) == (present.sum(), (~present).sum())
                below = (peaks[present, unit] < edges[10]).sum()
                assert abs(sum(histogram["with"][:10]) - below) <= 1  # one may lie on the edge, within rounding


def test_intervals_are_quantiles_over_resampled_images(dissect, world, carriers):
    _, results = dissect()
    random = np.random.default_rng(0)
    draws = [random.integers(IMAGES, size=IMAGES) for _ in range(1000)]
    for layer, found in results.items():
        maps = maps_of(world, layer)
        for unit in (0, 3, 5):
            inside, shown = pixels(maps, found, unit), carriers[found.labels[unit]]
            ratios = [(inside[draw] & shown[draw]).sum() / max(1, (inside[draw] | shown[draw]).sum()) for draw in draws]
            scores = found.scores[unit, found.labels[unit]]
            assert (scores["iou_low"], scores["iou_high"]) == pytest.approx(
                np.quantile(ratios, [0.025, 0.975]), abs=1e-3
            )
            others = [s for (u, c), s in found.scores.items() if u == unit and c != found.labels[unit]]
            assert all(other["iou_low"] is None for other in others)


def test_p_values_count_permutations(dissect, world, carriers):
    job, results = dissect(controls=["permutation"])
    random = np.random.default_rng(0)
    orders = [random.permutation(IMAGES) for _ in range(200)]
    shown = np.stack(list(carriers.values()))  # (C, n, G, G)
    for position, (layer, found) in enumerate((layer, results[layer]) for layer in LAYERS):
        maps = maps_of(world, layer)
        shuffled = np.zeros((len(orders), maps.shape[1], len(carriers)))
        for unit in range(maps.shape[1]):
            inside = pixels(maps, found, unit)
            for number, order in enumerate(orders):
                dealt = shown[:, order]
                shuffled[number, unit] = (inside & dealt).sum((1, 2, 3)) / np.maximum(
                    1, (inside | dealt).sum((1, 2, 3))
                )
        highest = shuffled.max((1, 2))
        for (unit, concept), scores in found.scores.items():
            iou = found.iou[unit, list(carriers).index(concept)]
            alone = (shuffled[:, unit, list(carriers).index(concept)] >= iou - 1e-6).sum()
            among_all = (highest >= iou - 1e-6).sum()
            assert scores["p_value"] == pytest.approx((1 + alone) / 201, abs=2 / 201)  # ties within rounding
            assert scores["p_value_corrected"] == pytest.approx((1 + among_all) / 201, abs=2 / 201)
        control = job.summary["layers"][position]["controls"]["permutation"]
        assert control["permutations"] == 200
        assert control["mean_best_iou"] == pytest.approx(shuffled.max(2).mean(), abs=1e-4)
        assert control["detectors"] == pytest.approx((shuffled.max(2) > 0.04).sum(1).mean(), abs=0.1)


@pytest.mark.parametrize("control", ["rotation", "untrained"])
def test_controls_that_see_the_images_anew(dissect, world, carriers, control):
    job, _ = dissect(controls=[control])
    for summary in job.summary["layers"]:
        maps = maps_of(world, summary["layer"], seed=0 if control == "untrained" else 1)
        if control == "rotation":
            maps = torch.einsum("vu,nuhw->nvhw", random_rotation(maps.shape[1]), maps)
        oracle = brute_force.dissect(maps, carriers, GRID, "zero")
        best = np.where(oracle.alive, oracle.iou.max(1), 0)
        found = summary["controls"][control]
        assert set(summary["controls"]) == {control}
        assert found["mean_best_iou"] == pytest.approx(best.mean(), abs=1e-4)
        assert abs(found["detectors"] - (best > 0.04).sum()) <= 1
        assert found["dead_units"] == (~oracle.alive).sum()


def test_controls_leave_the_figures_as_they_are(dissect, driver):
    _, alone = dissect()
    job = driver.dissect("other", "world", LAYERS, grid=GRID, controls=CONTROLS)
    for layer, found in driver.found(job).items():
        np.testing.assert_array_equal(found.thresholds, alone[layer].thresholds)
        np.testing.assert_array_equal(found.iou, alone[layer].iou)
        assert found.pictures == alone[layer].pictures


def test_bfloat16_computes_otherwise_and_finds_nearly_the_same(dissect, driver):
    _, exact = dissect()
    job = driver.dissect("other", "world", LAYERS, grid=GRID, precision="bfloat16")
    for layer, found in driver.found(job).items():
        assert (found.thresholds != exact[layer].thresholds).any()
        np.testing.assert_allclose(found.thresholds, exact[layer].thresholds, rtol=0.03, atol=1e-3)
        assert np.mean([a == b for a, b in zip(found.labels, exact[layer].labels, strict=True)]) >= 0.75
