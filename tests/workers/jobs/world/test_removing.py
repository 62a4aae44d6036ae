"""What removing units of the built-in classifier does, against whole passes, loops and planted read-outs."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from tests.workers.jobs.ablation import brute_force
from tests.workers.jobs.world.planted import UNITS, pictures, read_out
from workers.jobs.world.dissecting import last_maps
from workers.jobs.world.removing import KEPT, SIZES, C, Peaks, judge, rank, remove
from workers.scenes.classifier import as_input, untrained
from workers.scenes.renderer import render

LAYER = "features.relu4_2"
REMOVED = [3, 50, 127]


@pytest.fixture(scope="module")
def network():
    """An untrained network whose read-out tells some pictures apart."""
    network = untrained(0)
    with torch.no_grad():
        network.classifier.weight.mul_(20)
    return network


@pytest.fixture(scope="module")
def images():
    return {seed: np.stack([render(seed, index).image for index in range(40)]) for seed in (1, 2)}


def peaks_of(network, images) -> Peaks:
    return Peaks(last_maps(network, images).amax((2, 3)), np.arange(len(images)) % C)


def test_without_some_units_all_figures_are_those_of_whole_passes(network, images) -> None:
    ranking, evaluation = (peaks_of(network, images[seed]) for seed in (1, 2))
    found = judge(network.classifier, ranking, evaluation, [[], REMOVED])
    for place, removed in enumerate([[], REMOVED]):
        ranked, logits = (
            brute_force.logits_without(network, LAYER, as_input(images[seed]), removed) for seed in (1, 2)
        )
        assert (found.predictions[place] == logits.argmax(1)).all()
        for c in range(C):
            expected = brute_force.judge(logits, evaluation.classes, c)
            own, scores = evaluation.classes == c, brute_force.margin(logits, c)
            assert found.balanced_accuracy[place, c] == pytest.approx(expected.balanced)
            assert found.all_class[place] == pytest.approx(expected.all_class)
            assert found.auroc[place, c] == pytest.approx(brute_force.auroc(scores, own))
            # a cut that calls no more right on the ranking pictures, and what it calls right on the others
            levels = np.sort(brute_force.margin(ranked, c))
            cuts = [levels[0] - 1, *(levels[1:] + levels[:-1]) / 2, levels[-1]]
            at = [brute_force.balanced_at(brute_force.margin(ranked, c), ranking.classes == c, cut) for cut in cuts]
            best = [cut for cut, accuracy in zip(cuts, at, strict=True) if accuracy > max(at) - 1e-9]
            cut = min(best, key=abs)
            assert found.rechosen[place, c] == pytest.approx(brute_force.balanced_at(scores, own, cut))
            assert (found.called[place, c] == (np.array(scores) > cut)).all()


def test_units_are_ranked_by_what_a_class_is_left_with_alone(network, images) -> None:
    peaks = peaks_of(network, images[1])
    order, alone = rank(network.classifier, peaks), network.classifier.weight.detach().numpy()
    logits = network.classifier(peaks.peaks).detach().numpy()
    for c in (0, 7):
        left = []
        for unit in range(128):
            judged = brute_force.judge(logits - np.outer(peaks.peaks[:, unit], alone[:, unit]), peaks.classes, c)
            left.append((round(judged.balanced, 9), judged.log_probability))
        accuracies = [left[unit] for unit in order[c]]
        assert [pair[0] for pair in accuracies] == sorted(pair[0] for pair in left)
        for one, other in pairwise(accuracies):
            assert one[0] < other[0] or one[1] <= other[1] + 1e-6


def test_the_one_unit_that_a_class_reads_is_all_that_counts() -> None:
    found = remove(read_out(), pictures(1), pictures(2))
    assert found.untouched == {"balanced_accuracy": 1, "rechosen": 1, "auroc": 1, "all_class": 1}
    assert (found.importance[:C] >= 1).all()
    for most in found.most:
        # recall 1 to 0, and no picture of another class is called this one
        assert (most.change.value, most.change.low, most.change.high) == (-0.5, -0.5, -0.5)
        assert most.all_class <= 1 - 1 / C
    assert found.most[0].others > -0.15
    # a draw takes each class's unit with the probability that it takes any
    for size, random in zip(SIZES, found.random, strict=True):
        assert random.change.value == pytest.approx(-size / UNITS / 2, abs=0.03)
        assert random.change.low <= random.change.value <= random.change.high
    assert found.kept.rechosen.value == 0
    assert found.kept_random.change.value == pytest.approx(-(UNITS - KEPT) / UNITS / 2, abs=0.05)


def test_a_unit_that_is_always_on_shifts_the_logit_and_costs_nothing_at_another_threshold() -> None:
    ranking, evaluation = pictures(1), pictures(2)
    shifted = read_out()
    with torch.no_grad():
        # each class owes a level that all others have for nothing to a unit that is on everywhere
        shifted.bias.fill_(5)
        shifted.bias[0] = 0
        shifted.weight[0, UNITS - 1] = 5
    for peaks in (ranking, evaluation):
        peaks.peaks[:, UNITS - 1] = 1
    before, after = (judge(shifted, ranking, evaluation, [units]) for units in ([], [UNITS - 1]))
    assert before.balanced_accuracy[0, 0] == 1
    assert after.balanced_accuracy[0, 0] == 0.5
    assert (after.rechosen[0, 0], after.auroc[0, 0]) == (1, 1)


def test_intervals_are_those_of_pictures_drawn_anew() -> None:
    evaluation = pictures(2, images=200, noise=1.2)
    found = remove(read_out(), pictures(1, images=200, noise=1.2), evaluation)
    order = rank(read_out(), pictures(1, images=200, noise=1.2))
    before = evaluation.logits(read_out()).argmax(1)
    after = [evaluation.logits(read_out(), row[:4].tolist()).argmax(1) for row in order]

    def mean_change(drawn: np.ndarray) -> float:
        changes = []
        for c in range(C):
            own = evaluation.classes[drawn] == c
            was, now = before[drawn] == c, after[c][drawn] == c
            changes.append((now[own].mean() - was[own].mean() - now[~own].mean() + was[~own].mean()) / 2)
        return float(np.mean(changes))

    random, of_class = np.random.default_rng(5), [np.flatnonzero(evaluation.classes == c) for c in range(C)]
    resamples = [mean_change(np.concatenate([random.choice(own, len(own)) for own in of_class])) for _ in range(1000)]
    change = found.most[0].change
    assert change.value == pytest.approx(mean_change(np.arange(200)))
    np.testing.assert_allclose((change.low, change.high), np.quantile(resamples, [0.025, 0.975]), atol=0.006)
    assert change.high - change.low > 0.02


def test_a_removed_unit_reads_as_silent() -> None:
    peaks = Peaks(torch.rand(3, 5), np.zeros(3, np.int64))
    linear = nn.Linear(5, 2)
    without = linear.weight.detach().numpy() @ np.diag([1, 0, 1, 0, 1])
    np.testing.assert_allclose(
        peaks.logits(linear, [1, 3]), peaks.peaks.numpy() @ without.T + linear.bias.detach().numpy(), rtol=1e-5
    )
