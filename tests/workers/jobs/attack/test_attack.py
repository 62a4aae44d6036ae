"""Whole attacks against the brute force: which images, what became of them, which units moved, who else is fooled."""

import json

import numpy as np
import pytest
import sqlalchemy as sa
import torch

from service.catalog.tables import Class, Concept, Layer
from service.results.effects.tables import LayerAblation, UnitEffect
from service.results.tables import LayerDissection, Unit
from tests.workers.jobs import worlds
from tests.workers.jobs.attack.brute_force import Reference, by_distance
from tests.workers.jobs.attack.conftest import CW, INPUT, OUTPUTS, prepare

ALL = 10_000
PGD = {"epsilon": 0.05, "step_size": 0.02, "steps": 6}
REVERSED = OUTPUTS[::-1]


@pytest.fixture
def reference(zoo):
    return Reference(zoo.settings.import_dir / "animals", "classifier", OUTPUTS)


def check_images(found, reference, target, places):
    """Hold every row against the network, on the stored images; return the places of those that were fooled."""
    assert [row.image for row in found.images] == [reference.names[place] for place in places]
    assert [row.position for row in found.images] == list(range(len(places)))
    wanted, fooled = reference.wanted(target), []
    for row, classes, place in zip(found.images, found.classes, places, strict=True):
        true, source = reference.true[place], reference.predicted[place]
        assert (classes["true"], classes["source"], classes["target"]) == (true, source, wanted[place])
        assert row.outcome == expected_outcome(row, source, wanted[place], true)
        if row.outcome == "succeeded":
            fooled.append(place)
            check_fooled(found, reference, row, classes, place)
        else:
            assert classes["result"] == source
            kept = (row.l2, row.linf, row.restored_by, row.transfers, row.original, row.adversarial, row.picture)
            assert kept == (None,) * 7
    return fooled


def expected_outcome(row, source, wanted, true):
    if wanted is not None and source == wanted:
        return "already_target"
    if wanted is None and source != true:
        return "misclassified"
    return "succeeded" if row.l2 is not None else "failed"


def check_fooled(found, reference, row, classes, place):
    adversarial = found.adversarials[row.position]
    assert (adversarial.dtype, adversarial.shape) == (np.float32, (3, 24, 24))
    assert 0 <= adversarial.min() <= adversarial.max() <= 1
    np.testing.assert_array_equal(found.originals[row.position], reference.bytes[place])
    assert reference.classify(torch.from_numpy(adversarial)) == classes["result"] != classes["source"]
    assert classes["target"] in (None, classes["result"])
    change = adversarial.astype(np.float64) - reference.pixels[place].numpy().astype(np.float64)
    assert row.l2 == pytest.approx(np.sqrt((change**2).sum()), rel=1e-9)
    assert row.linf == pytest.approx(np.abs(change).max(), rel=1e-9)


def check_robustness(found, reference, places):
    """Count what is left right within each budget."""
    figures, rows = found.figures, found.images
    for outcome, number in figures["outcomes"].items():
        assert number == sum(row.outcome == outcome for row in rows)
    fooled = [row for row in rows if row.outcome == "succeeded"]
    tried = [row for row in rows if row.outcome in ("succeeded", "failed")]
    assert figures["images"] == len(rows)
    assert figures["success_rate"] == (len(fooled) / len(tried) if tried else None)
    for norm in ("l2", "linf"):
        distances = [getattr(row, norm) for row in fooled]
        assert figures[norm]["mean"] == (pytest.approx(sum(distances) / len(distances)) if fooled else None)
        assert figures[norm]["median"] == (pytest.approx(np.median(distances)) if fooled else None)
    curve = figures["accuracy"]
    right = [reference.predicted[place] == reference.true[place] for place in places]
    for budget, share in zip(curve["budgets"], curve["share"], strict=True):
        within = [row.outcome == "succeeded" and getattr(row, curve["norm"]) <= budget for row in rows]
        left = sum(is_right and not lost for is_right, lost in zip(right, within, strict=True))
        assert share == pytest.approx(left / len(rows))


def check_units(found, reference, layer, places, fooled):
    """Hold the units' shifts and what silencing does against loops; return the changes (n, U)."""
    position = {place: row.position for place, row in zip(places, found.images, strict=True)}
    adversarials = [torch.from_numpy(found.adversarials[position[place]]) for place in fooled]
    before = np.array([reference.peaks(layer, reference.pixels[place]) for place in fooled])
    after = np.array([reference.peaks(layer, adversarial) for adversarial in adversarials])
    changes = after - before
    check_shifts(found, layer, changes)
    figures = next(part for part in found.figures["layers"] if part["layer"] == layer)
    assert figures["images"] == len(fooled)
    restored = {size: [] for size in figures["silencing"]["sizes"]}
    at_random = {size: [] for size in restored}
    for place, adversarial, change in zip(fooled, adversarials, changes, strict=True):
        source, order = reference.predicted[place], by_distance(change)
        for size, results in restored.items():
            results.append(reference.without(layer, order[:size], adversarial) == source)
        random = np.random.default_rng(place)
        draws = [random.permutation(len(order)).tolist() for _ in range(5)]
        for size, results in at_random.items():
            results += [reference.without(layer, draw[:size], adversarial) == source for draw in draws]
        fewest = min((size for size, results in restored.items() if results[-1]), default=None)
        assert found.images[position[place]].restored_by[layer] == fewest
    assert figures["silencing"]["most_moved"] == pytest.approx([np.mean(r) for r in restored.values()])
    assert figures["silencing"]["random"] == pytest.approx([np.mean(r) for r in at_random.values()])
    return changes, figures


def check_shifts(found, layer, changes):
    means = changes.mean(axis=0)
    ranked = by_distance(means)
    for unit, mean in enumerate(means):
        row = found.shifts[layer, unit]
        assert row.mean_peak_change == pytest.approx(mean, abs=1e-6)
        assert row.mean_peak_change_low <= row.mean_peak_change <= row.mean_peak_change_high
        assert abs(means[ranked[row.rank - 1]]) == pytest.approx(abs(mean), abs=1e-6)
    assert sorted(found.shifts[layer, unit].rank for unit in range(len(means))) == list(range(1, len(means) + 1))


def check_groups(figures, found, fooled_rows, changes, important):
    """Average units by group in each image, then over images; count the important among the 10 moved most."""
    (groups, sizes), shares, chances = ({"target": [], "source": [], "others": []} for _ in range(2)), [], []
    for row, change in zip(fooled_rows, changes, strict=True):
        target, source = important.get(row["result"], []), important.get(row["source"], [])
        if not target or not source:
            continue
        others = [unit for unit in range(len(change)) if unit not in (*target, *source)]
        for name, members in (("target", target), ("source", source), ("others", others)):
            groups[name].append(np.mean([change[unit] for unit in members]))
            sizes[name].append(np.mean([abs(change[unit]) for unit in members]))
        matter = {*target, *source}
        shares.append(np.mean([unit in matter for unit in by_distance(change)[:10]]))
        chances.append(len(matter) / len(change))
    for name, values in groups.items():
        check_mean(figures["groups"][name], values)
        absolute = {end: figures["groups"][name][f"absolute_{end}"] for end in ("mean", "low", "high")}
        check_mean({"images": len(values), **absolute}, sizes[name])
    check_mean(figures["most_moved"], shares)
    assert figures["most_moved"]["chance"] == pytest.approx(np.mean(chances))


def check_mean(found, values):
    assert found["images"] == len(values)
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert found["low"] <= found["mean"] <= found["high"]


def check_concepts(figures, changes, labels):
    expected = {}
    for concept in {label[:2] for label in labels if label[1]}:
        mine = [(unit, iou) for unit, (*named, iou) in enumerate(labels) if tuple(named) == concept]
        total = sum(iou for _, iou in mine)
        expected[concept] = [sum(change[unit] * iou for unit, iou in mine) / total for change in changes]
    assert {(row["category"], row["concept"]) for row in figures["concepts"]} == expected.keys()
    for row in figures["concepts"]:
        check_mean(row, expected[row["category"], row["concept"]])
    means = [row["mean"] for row in figures["concepts"]]
    assert means == sorted(means, reverse=True)


def important_of(zoo, job, layer):
    with zoo.sessions() as session:
        rows = session.execute(
            sa.select(Class.name, UnitEffect.unit)
            .join(Class, Class.id == UnitEffect.class_id)
            .join(LayerAblation, LayerAblation.id == UnitEffect.ablation_id)
            .where(LayerAblation.job_id == job.id, UnitEffect.rank <= 4)
        ).all()
    return {name: [unit for other, unit in rows if other == name] for name, _ in rows}


def labels_of(zoo, job, layer):
    with zoo.sessions() as session:
        rows = session.execute(
            sa.select(Unit.concept_id, Unit.iou, Unit.index)
            .join(LayerDissection, LayerDissection.id == Unit.dissection_id)
            .join(Layer, Layer.id == LayerDissection.layer_id)
            .where(LayerDissection.job_id == job.id, Layer.name == layer)
            .order_by(Unit.index)
        ).all()
        names = {row.id: (row.category, row.name) for row in session.scalars(sa.select(Concept))}
    return [(*names.get(concept, (None, None)), iou) for concept, iou, _ in rows]


def test_every_figure_of_an_attack_equals_the_brute_force(zoo, read, reference):
    worlds.noise(6).write(zoo.settings.import_dir / "noise")
    zoo.queue_dataset("noise")
    zoo.done(zoo.queue_model("other", "planted:classifier", input=INPUT, classes=REVERSED, weights={"seed": 3}))
    dissection = zoo.dissect("model", "noise", ["5"])
    ablation = zoo.ablate("model", "animals", "5", sizes=[1])
    targets = ["ant", "dog"]
    job = zoo.attack(
        "model",
        "animals",
        layer=["2", "5"],
        settings=CW,
        target=targets,
        images="all",
        keep=ALL,
        transfer=["other", "model"],
    )
    attacks = read(zoo, job)
    assert list(attacks) == targets
    assert job.summary["targets"] == [found.figures for found in attacks.values()]
    others = {
        "other": Reference(zoo.settings.import_dir / "animals", "classifier", REVERSED, seed=3),
        "model": reference,
    }
    places = reference.chosen("", "all")
    for target, found in attacks.items():
        fooled = check_images(found, reference, target, places)
        assert len(fooled) > 2
        check_robustness(found, reference, places)
        rows = [c for row, c in zip(found.images, found.classes, strict=True) if row.outcome == "succeeded"]
        plain, studied = (check_units(found, reference, layer, places, fooled) for layer in ("2", "5"))
        assert (plain[1]["groups"], plain[1]["most_moved"], plain[1]["concepts"]) == (None, None, [])
        assert (plain[1]["ablation"], plain[1]["dissection"]) == (None, None)
        changes, figures = studied
        assert (figures["ablation"], figures["dissection"]) == (str(ablation.id), str(dissection.id))
        check_groups(figures, found, rows, changes, important_of(zoo, ablation, "5"))
        check_concepts(figures, changes, labels_of(zoo, dissection, "5"))
        check_transfers(found, others, places, fooled, target)
        assert found.figures["transfers"][1]["fooled"] == 1
        for position, picture in found.pictures.items():
            assert picture.shape[1] > found.originals[position].shape[1] * 5 * 7  # 5 times as large; 4 masks beside


def check_transfers(found, others, places, fooled, target):
    pairs = {name: [] for name in others}
    for row, place in zip(found.images, places, strict=True):
        if place in fooled:
            adversarial = torch.from_numpy(found.adversarials[row.position])
            for name, other in others.items():
                pairs[name].append([other.predicted[place], other.classify(adversarial)])
            assert row.transfers == {name: known[-1] for name, known in pairs.items()}
    assert found.figures["transfers"] == [
        {
            "model": name,
            "images": len(fooled),
            "fooled": pytest.approx(np.mean([before != after for before, after in known])),
            "to_target": pytest.approx(np.mean([after == target for _, after in known])),
        }
        for name, known in pairs.items()
    ]


CASES = [
    ("carlini-wagner-l2", CW, None, "eligible", None),
    ("carlini-wagner-l2", CW, None, "all", None),
    ("carlini-wagner-l2", CW, "bee", "eligible", 3),
    ("pgd-linf", PGD | {"random_starts": 2}, "dog", "eligible", 2),
    ("pgd-linf", PGD | {"random_starts": 0}, "least-likely", "eligible", 4),
    ("pgd-l2", PGD | {"epsilon": 1.0, "step_size": 0.4}, None, "all", None),
    ("fgsm", {"epsilon": 0.04}, None, "eligible", None),
    ("fgsm", {"epsilon": 0.04}, "ant", "all", 13),
    ("fgsm", {"epsilon": 0.04}, "ant", "eligible", None),
    ("deepfool-l2", {}, None, "eligible", None),
    ("deepfool-l2", {}, None, "all", 9),
]


def test_methods_targets_and_choices_of_images(zoo, read, reference):
    succeeded = set()
    for method, settings, target, images, most in CASES:
        given = {"method": method, "settings": settings, "target": target, "images": images, "max_images": most}
        job = zoo.attack("model", "animals", layer="5", keep=ALL, **given)
        [found] = read(zoo, job).values()
        places = reference.chosen(target, images, most)
        assert places
        fooled = check_images(found, reference, target, places)
        check_robustness(found, reference, places)
        assert found.figures["accuracy"]["norm"] == ("linf" if method in ("fgsm", "pgd-linf") else "l2")
        if len(fooled) > 1:
            check_units(found, reference, "5", places, fooled)
            succeeded.add(method)
        assert json.loads(json.dumps(job.summary, allow_nan=False)) == job.summary
    assert succeeded == {method for method, *_ in CASES}


def test_figures_are_drawn(driver):
    prepare(driver)
    driver.ablate("model", "animals", "5", sizes=[1])
    job = driver.attack("model", "animals", method="fgsm", settings={"epsilon": 0.04}, layer="5", target="ant")
    assert list(job.summary["pictures"]) == ["accuracy", "groups", "silencing"]
    for digest in job.summary["pictures"].values():
        assert driver.store.path(digest).read_bytes().startswith(b"<?xml")
