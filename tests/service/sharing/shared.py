"""One of everything that can be shared, in a team's hands, and what else the team has."""

import hashlib
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from service.access.queries import find_team
from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.catalog.queries import class_ids, concept_ids, write_dataset
from service.database import new_id, now
from service.jobs.queries import record_event
from service.painting.tables import Painting
from service.results.queries import LabelResult, UnitResult
from tests.service.results import planted
from tests.service.results.attacks import attacked
from tests.service.results.effects import removed

MARK = "zebra"
"""A part of every name that only the team's own people may read."""
MODEL, LAYER, OTHER = f"{MARK}-net", f"{MARK}.conv1", f"{MARK}.conv2"
NUMBERS = (0, 1, 2, 10, 11, 12, 20, 21, 25, 26, 30, 31, 35)


PAINTED = {"latent": {"seed": 1, "index": 0}, "strokes": [], "segmentation": ["colors"], "dissection": None}


class World(NamedTuple):
    """Where things are, by kind, and the digests of the pictures that belong to them."""

    addresses: dict[str, str]
    pictures: dict[str, set[str]]


def picture(number: int) -> str:
    return hashlib.sha256(_bytes(number)).hexdigest()


def _bytes(number: int) -> bytes:
    return f"picture {number}".encode()


def plant(session: Session, store: ArtifactStore, team_name: str) -> World:
    """One of everything that jobs find, in a team."""
    team = planted.plant_team(session, team_name)
    record_artifacts(session, team, [(store.put(_bytes(n)), len(_bytes(n)), "image/png") for n in NUMBERS])
    model = planted.plant_model(session, team, MODEL, [LAYER, OTHER])
    [concept] = concept_ids(session, team, [("object", f"{MARK} stripes")])
    jobs = []
    for number in range(2):
        job = planted.plant_job(session, team, model)
        layers = [{"layer": LAYER, "units": 3, "dead_units": 0, "detectors": 3, "mean_best_iou": 0.25, "distinct": {}}]
        layers[0]["chart"] = [{"category": "object", "concept": f"{MARK} stripes", "units": 3}]
        concepts = [{"category": "object", "name": f"{MARK} stripes"}]
        job.summary = {"layers": layers, "concepts": concepts, "iou_artifact": picture(30 + number)}
        planted.dissect(session, job, [LAYER], {LAYER: _units(concept, 10 * number)})
        record_event(session, job, "succeeded")
        jobs.append(job.id)
    ablation = planted.plant_job(session, team, model, "ablation")
    first = class_ids(session, model.id)[0]
    removed.ablate(session, ablation, LAYER, [removed.effect(first, unit, unit + 1) for unit in range(2)])
    attack = attacked.plant_job(session, team, model, layers=[LAYER])
    images = [attacked.image(0, *class_ids(session, model.id), original=picture(20), picture=picture(21))]
    attacked.attack(session, attack, class_ids(session, model.id)[1], images, name="forest")
    manifest = {
        "manifest": picture(35),
        "images": 1,
        "grid": 4,
        "classes": [],
        "concepts": [("object", f"{MARK} stripes")],
    }
    write_dataset(session, team, name=f"{MARK}-images", format="masks", location={}, **manifest)
    unit, units = f"/v1/models/{MODEL}/layers/{LAYER}/units", f"/v1/units?model={MODEL}&layer={LAYER}"
    addresses = {
        "unit": f"{unit}/1",
        "old unit": f"{unit}/1?job={jobs[0]}",
        "layer": units,
        "old layer": f"{units}&job={jobs[0]}",
        "job": f"/v1/jobs/{jobs[1]}",
        "attack": f"/v1/jobs/{attack.id}",
        "class": f"/v1/classes/beach/explanation?model={MODEL}&layer={LAYER}",
        "comparison": f"/v1/jobs/{jobs[0]}/diff/{jobs[1]}",
        "painting": f"/v1/paintings/{_paint(session, team, model.id)}",
        "dataset": f"/v1/datasets/{MARK}-images",
    }
    newest = {picture(10), picture(11), picture(12)}
    pictures = {
        "unit": {picture(11)},
        "old unit": {picture(1)},
        "layer": newest,
        "old layer": {picture(0), picture(1), picture(2)},
        "job": newest | {picture(31)},
        "attack": {picture(20), picture(21)},
        "class": {picture(10), picture(11)},
        "comparison": set(),
        "painting": {picture(25), picture(26)},
    }
    return World(addresses, pictures)


def _units(concept: int, first_picture: int) -> Sequence[UnitResult]:
    return [
        UnitResult(
            index=index,
            threshold=1.0,
            active=10,
            peak=5.0,
            labels=[LabelResult(concept, 1, 0.25, 25, 100)],
            top_images=[{"image": f"{MARK}.png", "digest": "c" * 64, "peak": 5.0}],
            picture=picture(first_picture + index),
        )
        for index in range(3)
    ]


def _paint(session: Session, team: uuid.UUID, model: uuid.UUID) -> uuid.UUID:
    time = now(session)
    painting = Painting(
        id=new_id(),
        team_id=team,
        model_id=model,
        document={**PAINTED, "layer": LAYER},
        warnings=[f"{MARK} crossing"],
        state="succeeded",
        result={"grid": 4, "concepts": [], "strokes": []},
        edited=picture(25),
        unedited=picture(26),
        created_at=time,
        deadline_at=time,
        started_at=time,
        finished_at=time,
    )
    session.add(painting)
    session.flush()
    return painting.id


def add_by_hand(client: FlaskClient, world: World) -> None:
    """What the team's people write themselves."""
    units = [{"model": MODEL, "layer": LAYER, "unit": unit, "note": f"{MARK} note"} for unit in (2, 0)]
    made = client.post("/v1/collections", json={"name": f"{MARK}s", "units": units})
    assert made.status_code == 201, made.json
    world.addresses["collection"] = made.headers["Location"]
    world.pictures["collection"] = {picture(10), picture(12)}
    noted = client.post(f"{world.addresses['unit']}/annotations", json={"note": f"{MARK}s, I think"})
    world.addresses["annotation"] = noted.headers["Location"]


def team_of(session: Session, name: str) -> uuid.UUID:
    team = find_team(session, name)
    assert team is not None
    return team.id
