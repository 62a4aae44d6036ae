"""A generator whose layer was dissected and changed, and a painting."""

import uuid
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.catalog.tables import Model
from service.database import new_id, now
from service.painting.tables import Painting
from tests.service.results import planted
from tests.service.results.interventions import changed

MODEL, LAYER = "churches", changed.LAYERS[0]
PNG, SVG = b"\x89PNGpicture", b"<svg/>"
HEIGHT, WIDTH = changed.INPUT["size"]
TOLD = {"change": -0.5, "change_low": -0.75, "change_high": -0.25}
MASK = {"size": [HEIGHT, WIDTH], "runs": [0, 7, HEIGHT * WIDTH - 7]}
"""Seven pixels of the first row, of cells four pixels high and six wide: the first two."""
COUNTS = {"inside": {"before": 2, "after": 7}, "outside": {"before": 40, "after": 30}}


class Drawn(NamedTuple):
    """What is there of the generator."""

    dissection: uuid.UUID
    intervention: uuid.UUID
    painting: uuid.UUID


def draw(session: Session, store: ArtifactStore, team_name: str) -> Drawn:
    """Plant the generator in a team."""
    team = planted.plant_team(session, team_name)
    record_artifacts(session, team, [(store.put(PNG), len(PNG), "image/png"), (store.put(SVG), 6, "image/svg+xml")])
    planted.plant_segmenter(session, team, "painter", [*changed.CONCEPTS])  # what pictures were searched by
    model = changed.plant_generator(session, team)
    dissection = changed.dissect(session, team, model)
    job = changed.plant_job(session, team, model)
    changed.intervene(session, job, edited=changed.pictures(store.put(PNG), store.put(PNG)))
    job.summary = _summary(store.put(SVG), str(dissection.id))
    return Drawn(dissection.id, job.id, _paint(session, team, model, store.put(PNG), str(dissection.id)))


def _summary(drawing: str, dissection: str) -> dict[str, Any]:
    tree, sky = {"category": "object", "concept": "tree"}, {"category": "object", "concept": "sky"}
    one = {
        "order": "iou",
        "size": 2,
        "units": [1, 5],
        "target": {**tree, **TOLD, "random": {**TOLD, "change": 0.5}},
        "others": [{**sky, "change": 0.025, "change_low": None, "change_high": None}],
        "replaced_by": [{**sky, "pixels": 499}],
        "realism": {"distance": 2.5, "floor": 1.25, "features": 192, "pictures": 50},
    }
    context = {**sky, "samples": 8, "pictures": 4, "sufficient": False, "pixels": 1.5, "change": 0.25}
    layer = {
        "layer": LAYER,
        "dissection": dissection,
        "sets": [one],
        "measured": [{"unit": 5, "place": 2, **TOLD, "rank": 1}],
        "agreement": {"spearman": -1.0, "shared": [{"size": 1, "units": 0, "chance": 0.5}]},
        "search": {"share": 0.5, "reached": True, "units": [1, 5]},
        "cells": [{"order": "iou", "size": 2, "target_pixels": 6.0, "contexts": [{**context, "standard_error": None}]}],
    }
    return {
        "action": "remove",
        "where": "everywhere",
        "latents": {"seed": 2, "first": 0, "count": 50},
        "target": {"category": "object", "name": "tree"},
        "layers": [layer],
        "pictures": {"curves": drawing},
    }


def _paint(session: Session, team: uuid.UUID, model: Model, picture: str, dissection: str) -> uuid.UUID:
    stroke = {
        "concept": {"category": "object", "name": "tree"},
        "units": [1, 5],
        "values": [1.0, 1.0],
        "action": "draw",
        "mask": MASK,
        "strength": 0.5,
    }
    result = {
        "grid": 16,
        "concepts": [{"category": "object", "name": "tree", **COUNTS}],
        "strokes": [{"units": 2, "cells": 2, "of": 16}],
    }
    document = {"latent": {"seed": 1, "index": 12}, "layer": LAYER, "strokes": [stroke], "segmentation": ["colors"]}
    time = now(session)
    painting = Painting(
        id=new_id(),
        team_id=team,
        model_id=model.id,
        document={**document, "dissection": dissection},
        warnings=["/strokes/0: <i>hostile</i>"],
        state="succeeded",
        result=result,
        edited=picture,
        unedited=picture,
        created_at=time,
        deadline_at=time,
        finished_at=time,
    )
    session.add(painting)
    session.flush()
    return painting.id
