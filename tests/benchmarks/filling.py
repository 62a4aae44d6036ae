"""A database with the results of ten models: a million labels, and over a million effects of units on classes.

Ten models of thirteen layers of 512 units, sixteen labels a unit, 320 concepts of which some are much more frequent
than others and twenty share their name with one of another category. All models have the same 60 classes; of each layer
the effects are kept that an ablation keeps: each class's 50 most important units, each unit's 20 most affected classes.
Each model was attacked towards each class, on the same 500 images, one in fifty in vain; its last layer was watched.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.access.tables import LOCAL_TEAM, Team
from service.artifacts.queries import record_artifacts
from service.catalog.queries import class_ids, concept_ids, layer_ids, write_model
from service.catalog.tables import Model
from service.database import new_id, now
from service.jobs.tables import Job
from service.results.attacks.queries import AttackResult, ImageResult, ShiftResult, write_attack
from service.results.effects.queries import AblationResult, ClassResult, EffectResult, write_ablation
from service.results.effects.queries import UnitResult as AblatedUnit
from service.results.queries import LabelResult, LayerResult, UnitResult, write_dissection

MODELS, LAYERS, UNITS, LABELS = 10, 13, 512, 16
NAMES, SHARED_NAMES = 300, 20
CLASSES, UNITS_OF_CLASS, CLASSES_OF_UNIT = 60, 50, 20
ATTACKED, RESISTING = 500, 50
MATRIX = "0" * 64

rng = np.random.default_rng(0)
concepts = [("object", f"concept {i}") for i in range(NAMES)] + [
    ("material", f"concept {i}") for i in range(SHARED_NAMES)
]
# a few concepts are everywhere, most are rare
log_weights = -0.7 * np.log(1 + rng.permutation(len(concepts)))


class Shape:
    """A layer as the dry run of a registration would find it."""

    def __init__(self, index: int) -> None:
        self.name, self.units, self.height, self.width = f"features.{index}", UNITS, 14, 14


def fill(session: Session) -> None:
    """Write the models and what their dissections and ablations found."""
    team = session.scalar(sa.select(Team.id).where(Team.name == LOCAL_TEAM)) or add_team(session)
    record_artifacts(session, team, [(MATRIX, 1, "application/octet-stream")])
    ids = np.array(concept_ids(session, team, concepts))
    for number in range(MODELS):
        model = add_model(session, team, number)
        layers = layer_ids(session, model.id).values()
        dissection = add_job(session, team, model, "dissection")
        write_dissection(session, dissection, [layer_result(layer, ids) for layer in layers])
        classes = class_ids(session, model.id)
        for layer in layers:
            write_ablation(session, add_job(session, team, model, "ablation"), ablation_result(layer, classes))
        attack = add_job(session, team, model, "attack", method="pgd-linf", layer=[f"features.{LAYERS - 1}"])
        for target in classes:
            write_attack(session, attack, attack_result(target, classes, layer))


def add_team(session: Session) -> uuid.UUID:
    """The team that loopback addresses speak for."""
    team = Team(name=LOCAL_TEAM, created_at=now(session))
    session.add(team)
    session.flush()
    return team.id


def add_model(session: Session, team: uuid.UUID, number: int) -> Model:
    """A registered classifier."""
    return write_model(
        session,
        team,
        name=f"model-{number}",
        kind="classifier",
        source="torchvision:vgg16",
        weights={"seed": number},
        input={},
        digest=f"{number:064x}",
        forward_seconds=0.1,
        layers=[Shape(index) for index in range(LAYERS)],
        classes=[f"class {i}" for i in range(CLASSES)],
    )


def add_job(session: Session, team: uuid.UUID, model: Model, kind: str, **params: Any) -> Job:
    """A succeeded job."""
    job = Job(
        id=new_id(),
        team_id=team,
        kind=kind,
        state="succeeded",
        model_id=model.id,
        params={"cutoff": 0.04, **params},
        labels={},
        fingerprint=uuid.uuid4().hex,
        shared=True,
        created_at=now(session),
    )
    session.add(job)
    session.flush()
    return job


def layer_result(layer_id: int, ids: np.ndarray) -> LayerResult:
    """A layer whose labels are drawn at random, frequent concepts more often."""
    scores = log_weights + rng.gumbel(size=(UNITS, len(ids)))
    chosen = ids[np.argsort(-scores, axis=1)[:, :LABELS]]
    ious = -np.sort(-rng.beta(1, 20, size=(UNITS, LABELS)), axis=1)
    units = [
        UnitResult(
            index=unit,
            threshold=float(rng.uniform(1, 20)),
            active=31360,
            peak=30.0,
            labels=[
                LabelResult(int(concept), rank, float(iou), int(iou * 1e6), 10**6)
                for rank, (concept, iou) in enumerate(zip(chosen[unit], ious[unit], strict=True), 1)
            ],
        )
        for unit in range(UNITS)
    ]
    return LayerResult(layer_id=layer_id, grid=56, samples=3_136_000, iou_artifact=MATRIX, units=units)


def ablation_result(layer_id: int, classes: list[int]) -> AblationResult:
    """An ablated layer whose units affect classes at random."""
    figures = {"recall": 0.5, "true_negative_rate": 0.9, "balanced_accuracy": 0.7, "auroc": 0.9}
    return AblationResult(
        layer_id=layer_id,
        units=[AblatedUnit(unit, 4, -0.01, -0.02, 0.0) for unit in range(UNITS)],
        classes=[ClassResult(id, 100, *figures.values(), important_units=9, curves=None) for id in classes],
        effects=effect_results(classes),
    )


def effect_results(classes: list[int]) -> Iterator[EffectResult]:
    """The pairs of unit and class that an ablation keeps, with every figure."""
    changes = rng.normal(-0.01, 0.03, size=(UNITS, CLASSES))
    ranks = 1 + changes.argsort(axis=0).argsort(axis=0)  # of the units of each class
    class_ranks = 1 + changes.argsort(axis=1).argsort(axis=1)
    for unit, place in np.argwhere((ranks <= UNITS_OF_CLASS) | (class_ranks <= CLASSES_OF_UNIT)).tolist():
        change = float(changes[unit, place])
        interval = (change, change - 0.02, change + 0.02)
        yield EffectResult(
            classes[place],
            unit,
            int(ranks[unit, place]),
            int(class_ranks[unit, place]),
            change,
            change,
            *interval,
            *interval,
            *interval,
            abs(change) < 0.02,
            change,
            p_value=0.01,
            p_value_corrected=0.04,
            coactivation=0.5,
        )


def attack_result(target: int, classes: list[int], layer_id: int) -> AttackResult:
    """An attack towards a class on images of all others, which moved the units of a layer at random."""
    sources = [id for id in classes if id != target]
    images = [attacked_image(position, sources[position % len(sources)], target) for position in range(ATTACKED)]
    moved = rng.normal(0, 1, size=UNITS)
    ranks = 1 + (-abs(moved)).argsort().argsort()
    shifts = [
        ShiftResult(layer_id, unit, change, change - 0.1, change + 0.1, int(ranks[unit]))
        for unit, change in enumerate(moved.tolist())
    ]
    figures = {"target": "its name", "layers": []}
    return AttackResult(target_class_id=target, figures=figures, images=images, shifts=shifts)


def attacked_image(position: int, source: int, target: int) -> ImageResult:
    """One image of an attack."""
    name, digest, resists = f"{position:06}.png", f"{position:064x}", rng.integers(RESISTING) == 0
    artifacts = (None, None, None)
    if resists:
        nothing = (None, None, None, None)
        return ImageResult(position, name, digest, source, source, target, source, "failed", *nothing, *artifacts)
    distances = (float(rng.uniform(0.1, 2)), float(rng.uniform(0, 0.1)))
    after = (target, "succeeded", *distances, {"features.12": 4}, {})
    return ImageResult(position, name, digest, source, source, target, *after, *artifacts)
