"""Small catalogs with random attacks, and what is known of them without asking the database."""

import random
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.catalog.queries import class_ids, layer_ids
from service.catalog.tables import Model
from service.jobs.tables import Job
from service.results.attacks.queries import AttackResult, ImageResult, ShiftResult, write_attack
from service.results.attacks.tables import OUTCOMES, Attack
from tests.service.results import planted

METHOD = "carlini-wagner-l2"
CLASSES = ["beach", "forest"]
ORIGINAL, ADVERSARIAL, PICTURE = "1" * 64, "2" * 64, "3" * 64


class Tried(NamedTuple):
    """An attacked image as it was written."""

    attack: int
    job: uuid.UUID
    model: str
    target: str | None
    source: str
    written: ImageResult


def plant_job(
    session: Session, team: uuid.UUID, model: Model, method: str = METHOD, layers: Sequence[str] = ("conv1",)
) -> Job:
    """An attack that has succeeded and watched these layers."""
    job = planted.plant_job(session, team, model, "attack")
    job.params = {"method": method, "layer": list(layers)}
    session.flush()
    return job


def image(
    position: int,
    source: int,
    target: int | None,
    outcome: str = "succeeded",
    *,
    true: int | None = None,
    result: int | None = None,
    digest: str | None = None,
    **more: Any,
) -> ImageResult:
    """An attacked image, by default one of an own digest that is taken for the target."""
    fooled = outcome == "succeeded"
    figures = {"l2": 0.5 + position, "linf": 0.01 * (position + 1), "restored_by": {"conv1": 2}, "transfers": {}}
    kept = dict.fromkeys(("original", "adversarial", "picture"))
    known = (figures if fooled else dict.fromkeys(figures)) | kept | more
    after = (target if result is None and fooled else result) or source
    return ImageResult(
        position=position,
        image=f"images/{position}.png",
        digest=digest or f"{position:064x}",
        true_class_id=true or source,
        source_class_id=source,
        target_class_id=target,
        result_class_id=after,
        outcome=outcome,
        **known,
    )


def figures(target: str | None, layers: Sequence[str] = ("conv1",), **more: Any) -> dict[str, Any]:
    """Figures of an attack as the job writes them; only those groups that are given."""
    share = {"images": 3, "mean": 1.5, "low": 1.0, "high": 2.0}
    group = share | {"absolute_mean": 3.0, "absolute_low": 2.75, "absolute_high": 3.25}
    groups = {"target": group, "source": group | {"mean": -2.5}, "others": None}
    known = {
        "target": target,
        "images": 4,
        "outcomes": dict.fromkeys(OUTCOMES, 1),
        "success_rate": 0.5,
        "l2": {"median": 0.25, "mean": 0.375},
        "linf": {"median": 0.125, "mean": 0.0625},
        "accuracy": {"norm": "l2", "budgets": [0.0, 1.0], "share": [1.0, 0.5]},
        "layers": [
            {
                "layer": layer,
                "ablation": None,
                "dissection": None,
                "images": 3,
                "groups": groups,
                "most_moved": share | {"chance": 0.25},
                "concepts": [{"category": "object", "concept": "tree", "units": 2, **share}],
                "silencing": {"sizes": [1, 2], "most_moved": [0.25, 0.5], "random": [0.0, 0.125]},
            }
            for layer in layers
        ],
        "transfers": [{"model": "beta", "images": 3, "fooled": 0.5, "to_target": None}],
    }
    return known | more


def attack(
    session: Session,
    job: Job,
    target: int | None,
    images: Sequence[ImageResult],
    shifts: Sequence[ShiftResult] = (),
    name: str | None = None,
    **more: Any,
) -> int:
    """Write an attack with one target, which goes by a name; returns its id."""
    record_artifacts(session, job.team_id, [(digest, 4, "image/png") for digest in (ORIGINAL, ADVERSARIAL, PICTURE)])
    found = AttackResult(target_class_id=target, figures=figures(name, **more), images=images, shifts=shifts)
    write_attack(session, job, found)
    return session.scalars(sa.select(sa.func.max(Attack.id)).where(Attack.job_id == job.id)).one()


def shifts(session: Session, model_id: Any, layer: str, changes: Sequence[float]) -> list[ShiftResult]:
    """How an attack moved the units of a layer, each by a change."""
    layer_id = layer_ids(session, model_id)[layer]
    order = sorted(range(len(changes)), key=lambda unit: -abs(changes[unit]))
    return [
        ShiftResult(layer_id, unit, change, change - 0.5, change + 0.5, order.index(unit) + 1)
        for unit, change in enumerate(changes)
    ]


def plant_attacks(session: Session, team: uuid.UUID, seed: int) -> list[Tried]:
    """Two models, each attacked one to three times, with a target or several; returns all images."""
    chance = random.Random(seed)
    known: list[Tried] = []
    for name in ("alpha", "beta"):
        model = planted.plant_model(session, team, name)
        ids = class_ids(session, model.id)
        for _ in range(chance.randint(1, 3)):
            job = plant_job(session, team, model, chance.choice([METHOD, "fgsm"]))
            for target in chance.sample([*ids, None], chance.randint(1, 3)):
                known += _attack_at_random(session, chance, job, name, ids, target)
    return known


def _attack_at_random(
    session: Session, chance: random.Random, job: Job, model: str, ids: Sequence[int], target: int | None
) -> list[Tried]:
    names: dict[int | None, str] = dict(zip(ids, CLASSES, strict=True))
    images = []
    for position in range(chance.randint(0, 7)):
        source, outcome = chance.choice(ids), chance.choice(OUTCOMES)
        wanted = target if target is not None else chance.choice([None, *ids])  # that of a least likely class
        images.append(image(position, source, wanted, outcome, true=chance.choice(ids), result=chance.choice(ids)))
    id = attack(session, job, target, images, name=names.get(target))
    return [Tried(id, job.id, model, names.get(i.target_class_id), names[i.source_class_id], i) for i in images]


def search(known: Sequence[Tried], wanted: dict[str, Any]) -> list[Tried]:
    """What a search must find, in order: every image against every filter."""
    given = {name: value for name, value in wanted.items() if value is not None}
    found = [row for row in known if all(_value(row, name) == value for name, value in given.items())]
    return sorted(found, key=lambda row: (-row.attack, row.written.position))


def _value(row: Tried, name: str) -> Any:
    return row.written.outcome if name == "outcome" else getattr(row, name)
