"""Exports of interventions over HTTP: rows against what was written, and the report."""

import base64
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.catalog.queries import concept_ids
from service.database import Sessions
from service.jobs.tables import Job
from service.results.exporting import intervention_queries
from service.results.interventions.queries import ContextResult, MeasuredResult, PictureResult
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.exporting.ablated import SVG
from tests.service.results.exporting.reading import check_formats, get, read
from tests.service.results.interventions import changed

PNG = b"\x89PNGpicture"
LAYERS = ["layer2", "layer1"]
TOLD = {"change": -0.5, "change_low": -0.75, "change_high": -0.25}
SET: dict[str, Any] = {
    "order": "iou",
    "size": 2,
    "units": [1, 5],
    "target": {"concept": "tree", **TOLD, "random": {**TOLD, "change": 0.5}},
    "others": [{"concept": "sky", "change": 0.025, "change_low": None, "change_high": None}],
    "replaced_by": [{"category": "object", "concept": "sky", "pixels": 499}],
    "realism": {"distance": 2.5, "floor": 1.25, "features": 192, "pictures": 50},
}
CONTEXT = {"category": "object", "concept": "sky", "samples": 8, "pictures": 4, "sufficient": False, "pixels": 1.5}


@pytest.fixture
def store(app: Flask) -> ArtifactStore:
    made: ArtifactStore = app.extensions["unitatlas"].store
    return made


@pytest.fixture
def job(sessions: Sessions, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> uuid.UUID:
    """An intervention that is read in several batches, of which the last one is not full."""
    monkeypatch.setattr(intervention_queries, "ROWS_IN_BATCH", 2)
    return plant(sessions, store, "local")


def plant(sessions: Sessions, store: ArtifactStore, team_name: str) -> uuid.UUID:
    """An intervention on two layers of `churches`."""
    with sessions.begin() as session:
        team = planted.plant_team(session, team_name)
        model = changed.plant_generator(session, team)
        job = changed.plant_job(session, team, model, LAYERS)
        picture, drawing = store.put(PNG), store.put(SVG)
        record_artifacts(session, team, [(picture, len(PNG), "image/png"), (drawing, len(SVG), "image/svg+xml")])
        for layer in LAYERS:
            changed.intervene(session, job, layer, edited=changed.pictures(picture))
        job.summary = summary(drawing)
        return job.id


def summary(drawing: str) -> dict[str, Any]:
    searched = {"share": 0.5, "reached": True, "units": [1, 5], "removed": [0.25, 0.625]}
    shared = [{"size": 1, "units": 0, "chance": 0.5}]
    contexts = [CONTEXT | {"change": 0.25, "standard_error": None}]
    layer = {
        "cut": True,
        "reason": None,
        "units": [1, 5],
        "sets": [SET],
        "measured": [{"unit": 5, "place": 2, **TOLD, "rank": 1, "ranking_change": -0.5}],
        "agreement": {"candidates": 2, "spearman": -1.0, "p_value": 1.0, "shared": shared},
        "search": searched,
        "cells": [{"size": 2, "target_pixels": 6.0, "contexts": contexts}],
    }
    return {
        "action": "remove",
        "where": "everywhere",
        "latents": {"seed": 2, "first": 0, "count": 50},
        "target": {"category": "object", "name": "tree"},
        "layers": [{"layer": name, **layer} for name in LAYERS],
        "pictures": {"curves": drawing},
    }


def ids(sessions: Sessions) -> list[int]:
    with sessions() as session:
        team = planted.plant_team(session, "local")
        return concept_ids(session, team, changed.CONCEPTS)


def test_changes_are_what_was_written(client: FlaskClient, sessions: Sessions, job: uuid.UUID):
    rows = read(client, job, "json")
    concepts = dict(zip(ids(sessions), changed.CONCEPTS, strict=True))
    expected = []
    for layer in LAYERS:
        for change in changed.changes(list(concepts)):
            values = change._asdict()
            category, concept = concepts[values.pop("concept_id")]
            expected.append({"model": "churches", "layer": layer, "category": category, "concept": concept, **values})
    assert rows == expected


@pytest.mark.parametrize(
    ("rows", "fields", "written"),
    [
        ("units", MeasuredResult._fields, changed.MEASURED),
        ("pictures", PictureResult._fields, None),
        ("contexts", ContextResult._fields, None),
    ],
)
def test_other_rows_are_what_was_written(client: FlaskClient, job: uuid.UUID, rows: str, fields: Any, written: Any):
    found = read(client, job, "json", rows=rows, layer="layer1")
    assert {row["layer"] for row in found} == {"layer1"}
    assert len(found) == 2
    assert set(fields) - {"concept_id"} <= found[0].keys()
    if written:
        assert [tuple(row[name] for name in fields) for row in found] == [tuple(row) for row in written]
    if rows == "contexts":
        assert [(row["concept"], row["sufficient"], row["standard_error"]) for row in found] == [
            ("tree", False, None),
            ("sky", True, 0.5),
        ]


@pytest.mark.parametrize("rows", ["changes", "units", "contexts", "pictures"])
def test_all_formats_say_the_same(client: FlaskClient, job: uuid.UUID, rows: str):
    check_formats(client, job, rows=rows)


def test_the_report_shows_all_of_it(client: FlaskClient, job: uuid.UUID):
    reply = get(client, job, format="html")
    page = reply.get_data(as_text=True)
    assert reply.status_code == 200
    for text in ("-50.0", "[-75.0, -25.0]", "+50.0", "sky", "499", "2.5", "1.25", "seed 2 latent 000003", "few cells"):
        assert text in page, text
    assert page.count(base64.b64encode(PNG).decode()) == 2 * len(LAYERS)
    assert base64.b64encode(SVG).decode() in page


def test_what_is_not_there_is_refused(client: FlaskClient, client_of: MakeClient, job: uuid.UUID, sessions: Sessions):
    assert "changed no layer 'layer3'" in get(client, job, format="csv", layer="layer3").json["detail"]
    assert "has no rows 'images'" in get(client, job, format="csv", rows="images").json["detail"]
    with sessions.begin() as session:
        session.get_one(Job, job).state = "running"
    assert get(client, job, format="csv").status_code == 409
    assert get(client_of("others", "read"), job, format="csv").status_code == 404
