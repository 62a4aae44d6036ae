"""Whole ablations against the brute force, over layers, modes and networks that can be cut and that cannot."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.workers.jobs.ablation import brute_force
from tests.workers.jobs.ablation.conftest import BOTH, CLASSES, EVALUATED, RANKED
from tests.workers.jobs.planted import NETWORKS
from workers.analysis.ablation.importance import random_sets

SIZES = [1, 3, 5]
INPUT = {"resize": [24, 24]}


class Reference:
    """The same images, the same network, and nothing else of the service."""

    def __init__(self, driver, network, layer, mode="zero"):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.module = NETWORKS[network]().eval()
        self.layer = layer
        self.images, self.classes, self.known, self.judged = {}, {}, {}, {}
        for name, counts in (("ranked", RANKED), ("evaluated", EVALUATED)):
            paths = sorted((driver.settings.import_dir / name).rglob("*.png"))
            self.images[name] = torch.stack([_pixels(path) for path in paths])
            self.classes[name] = [CLASSES.index(c) for c, count in sorted(counts.items()) for _ in range(count)]
        self.means = self._means() if mode == "mean" else None

    def _means(self):
        kept = []
        hook = self.module.get_submodule(self.layer).register_forward_hook(lambda *given: kept.append(given[2].clone()))
        with torch.no_grad():
            self.module(self.images["ranked"])
        hook.remove()
        return kept[0].double().mean((0, 2, 3)).tolist()

    def logits(self, name, units):
        key = name, tuple(sorted(units))
        if key not in self.known:
            values = self.means and [self.means[unit] for unit in key[1]]
            images = self.images[name]
            self.known[key] = brute_force.logits_without(self.module, self.layer, images, key[1], values)
        return self.known[key]

    def judge(self, name, units, wanted):
        key = name, tuple(sorted(units)), wanted
        if key not in self.judged:
            logits = self.logits(name, units)
            self.judged[key] = brute_force.judge(logits, self.classes[name], CLASSES.index(wanted))
        return self.judged[key]

    def rechosen(self, units, wanted):
        """Balanced accuracies at all cuts that are the best on the ranking images."""
        position = CLASSES.index(wanted)
        scores = {name: brute_force.margin(self.logits(name, units), position) for name in self.images}
        is_class = {name: [c == position for c in classes] for name, classes in self.classes.items()}
        best = brute_force.best_balanced(scores["ranked"], is_class["ranked"])
        ends = sorted({*scores["ranked"]})
        middles = [(a + b) / 2 for a, b in pairwise(ends)]
        reached = [
            brute_force.balanced_at(scores["evaluated"], is_class["evaluated"], cut)
            for cut in [ends[0] - 1e-6, *middles, ends[-1]]
            if brute_force.balanced_at(scores["ranked"], is_class["ranked"], cut) == pytest.approx(best, abs=1e-12)
        ]
        return reached, brute_force.auroc(scores["evaluated"], is_class["evaluated"])


def _pixels(path):
    from PIL import Image

    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32).transpose(2, 0, 1) / np.float32(255)
    return torch.from_numpy(pixels.copy())


@pytest.fixture
def ablate(zoo):
    def run(network, layer, **params):
        zoo.done(zoo.queue_model(network, f"planted:{network}", input=INPUT, classes=CLASSES))
        given = {"ranking_dataset": "ranked", "sizes": SIZES} | params
        return zoo.ablate(network, "evaluated", layer, **given)

    return run


CASES = [
    ("classifier", "2", {}),
    ("classifier", "0", {"mode": "mean"}),
    ("classifier", "3", {"rank_by": "log_probability"}),
    ("classifier", "5", {"mode": "mean", "sizes": "all", "units": [0, 2, 3, 7, 11]}),
    ("choosy", "first", {}),
]


@pytest.mark.parametrize(("network", "layer", "params"), CASES)
def test_every_figure_equals_the_brute_force(zoo, ablate, read, network, layer, params):
    job = ablate(network, layer, **params)
    found, reference = read(zoo, job), Reference(zoo, network, layer, params.get("mode", "zero"))
    assert job.summary["cut"] is (network != "choosy")
    assert job.summary["classes"] == BOTH
    _check_single_units(found, reference, job)
    order = _check_ranks(found, reference, params.get("rank_by"))
    _check_importance(found, job, order)
    for name in BOTH:
        _check_curves(found.classes[name].curves, reference, name, order[name])


def _check_single_units(found, reference, job):
    for column, name in enumerate(BOTH):
        for at, where in (("ranking", "ranked"), ("evaluation", "evaluated")):
            before = reference.judge(where, [], name)
            for place, unit in enumerate(job.summary["units"]):
                after = reference.judge(where, [unit], name)
                expected = {
                    "recall": after.recall - before.recall,
                    "true_negative_rate": after.rejection - before.rejection,
                    "balanced_accuracy": after.balanced - before.balanced,
                    "log_probability": after.log_probability - before.log_probability,
                }
                for figure, value in expected.items():
                    assert found.matrices[at][figure][place, column] == pytest.approx(value, abs=2e-5), (figure, unit)
    whole = reference.judge("evaluated", [], "ant").all_class
    for unit, row in found.units.items():
        after = reference.judge("evaluated", [unit], "ant").all_class
        assert row.accuracy_change == pytest.approx(after - whole, abs=1e-9)
        assert row.accuracy_change_low <= row.accuracy_change + 1e-9
        assert row.accuracy_change <= row.accuracy_change_high + 1e-9


def _check_ranks(found, reference, rank_by):
    orders = {}
    units = sorted(found.units)
    for name in BOTH:
        left = {unit: reference.judge("ranked", [unit], name) for unit in units}

        def key(unit, left=left):
            likely = round(left[unit].log_probability, 5), unit
            return likely if rank_by == "log_probability" else (round(left[unit].balanced, 9), *likely)

        orders[name] = sorted(units, key=key)
        ranks = {found.effects[unit, name].rank: unit for unit in units}
        assert [ranks[place + 1] for place in range(len(units))] == orders[name]
    return orders


def _check_importance(found, job, order):
    for unit, row in found.units.items():
        assert row.importance == sum(unit in order[name][:4] for name in BOTH)
    assert job.summary["importance"]["counts"] == [found.units[unit].importance for unit in sorted(found.units)]


def _check_curves(curves, reference, name, order):
    before = reference.judge("evaluated", [], name)
    assert curves["untouched"]["balanced_accuracy"] == pytest.approx(before.balanced)
    assert curves["untouched"]["all_class_accuracy"] == pytest.approx(before.all_class)
    for point in range(len(curves["most"])):
        size = curves["most"][point]["size"]
        sets = {"most": order[:size], "least": order[len(order) - size :], "all_but": order[size:]}
        for kind, units in sets.items():
            _check_point(curves[kind][point], reference, name, units, before)
    draws = random_sets(sorted(order), [point["size"] for point in curves["random"]])
    for place, point in enumerate(curves["random"]):
        judged = [reference.judge("evaluated", units, name) for units in draws[place]]
        values = [one.balanced for one in judged]
        assert point["balanced_accuracy"]["mean"] == pytest.approx(np.mean(values))
        assert point["balanced_accuracy"]["low"] == pytest.approx(np.quantile(values, 0.05))
        assert point["balanced_accuracy"]["high"] == pytest.approx(np.quantile(values, 0.95))
        assert point["all_class_accuracy"]["mean"] == pytest.approx(np.mean([one.all_class for one in judged]))


def _check_point(point, reference, name, units, before):
    after = reference.judge("evaluated", units, name)
    assert point["balanced_accuracy"] == pytest.approx(after.balanced)
    assert point["change"] == pytest.approx(after.balanced - before.balanced)
    assert point["change_low"] <= point["change"] + 1e-9 <= point["change_high"] + 2e-9
    assert point["all_class_accuracy"] == pytest.approx(after.all_class)
    reached, area = reference.rechosen(units, name)
    assert any(point["rechosen_balanced_accuracy"] == pytest.approx(value) for value in reached)
    assert point["auroc"] == pytest.approx(area, abs=1e-9)


def test_rows_are_kept_for_the_most_important_pairs(zoo, ablate, read, monkeypatch):
    from workers.jobs.ablation import merging

    monkeypatch.setattr(merging, "UNITS_OF_CLASS", 2)
    monkeypatch.setattr(merging, "CLASSES_OF_UNIT", 1)
    found = read(zoo, ablate("classifier", "5"))
    for name in BOTH:
        assert {1, 2} <= {row.rank for (_, c), row in found.effects.items() if c == name}
    for unit in range(12):
        assert 1 in {row.class_rank for (u, _), row in found.effects.items() if u == unit}
    assert all(row.rank <= 2 or row.class_rank == 1 for row in found.effects.values())
    assert found.ablation.current


def test_named_units_and_classes_alone_are_removed(zoo, ablate, read):
    job = ablate("classifier", "5", units=[3, 1, 8, 10], classes=["dog", "ant"], sizes=None)
    found = read(zoo, job)
    assert job.summary["units"] == [1, 3, 8, 10]
    assert job.summary["curves"]["sizes"] == [1, 2, 3]
    assert {name for name, row in found.classes.items() if row.curves} == {"ant", "dog"}
    assert {unit for unit, _ in found.effects} == {1, 3, 8, 10}
    assert found.matrices["evaluation"]["recall"].shape == (4, len(BOTH))


def test_coactivation_is_a_correlation_over_images(zoo, ablate, read):
    job = ablate("classifier", "5")
    found, reference = read(zoo, job), Reference(zoo, "classifier", "5")
    with torch.no_grad():
        peaks = reference.module[:6](reference.images["evaluated"]).amax((2, 3)).double().numpy()
        likely = reference.module(reference.images["evaluated"]).double().softmax(1).numpy()
    for (unit, name), row in found.effects.items():
        varies = np.ptp(peaks[:, unit]) > 0
        expected = np.corrcoef(peaks[:, unit], likely[:, CLASSES.index(name)])[0, 1] if varies else None
        assert row.coactivation == (expected if expected is None else pytest.approx(expected, abs=1e-4))
