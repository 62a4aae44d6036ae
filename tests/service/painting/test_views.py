"""Asking for paintings over HTTP: what is written, what is answered, what is refused."""

import base64
import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from service import create_app
from service.database import Sessions
from service.errors import Conflict
from service.painting import queries
from service.painting.tables import Painting
from service.settings import Settings
from tests.service.conftest import MakeClient
from tests.service.painting.conftest import (
    HEIGHT,
    LATENT,
    RESULT,
    THRESHOLDS,
    WIDTH,
    Impatient,
    Planted,
    StandIn,
    body,
    corner,
    faces,
    plant_dissection,
    plant_generator,
    png,
)

URL = "/v1/models/faces/paintings"


def stroke(**given: Any) -> dict[str, Any]:
    return {"action": "draw", "mask": corner(), **given}


def paint(client: FlaskClient, *strokes: dict[str, Any], **given: Any) -> Any:
    return client.post(URL, json=body(strokes=list(strokes), **given))


def test_a_painting_is_answered_with_its_pictures_and_what_it_changed(
    client: FlaskClient, planted: Planted, worker: StandIn
) -> None:
    reply = client.post(URL, json=body())
    assert reply.status_code == 201
    painting = reply.json
    assert (painting["model"], painting["state"], painting["error"], painting["result"]) == (
        "faces",
        "succeeded",
        None,
        RESULT,
    )
    assert painting["document"] == {
        "latent": {"seed": 1, "index": 12},
        "layer": "layer",
        "strokes": [
            {
                "concept": {"category": "object", "name": "tree"},
                "units": [0, 2],
                "values": [THRESHOLDS[0], THRESHOLDS[2]],
                "action": "draw",
                "mask": corner(),
                "strength": 1.0,
            }
        ],
        "segmentation": ["model:seg", "colors"],
        "dissection": planted.dissection,
    }
    assert painting["warnings"] == [] and painting["pictures"] is None
    assert client.get(painting["links"]["edited"]).data == b"edited"
    assert client.get(painting["links"]["unedited"]).data == b"unedited"
    assert client.get(reply.headers["Location"]).json == painting


def test_pictures_come_along_when_asked_for(client: FlaskClient, planted: Planted, worker: StandIn) -> None:
    painting = client.post(URL + "?inline=true", json=body()).json
    expected = {
        name: "data:image/png;base64," + base64.b64encode(name.encode()).decode() for name in painting["pictures"]
    }
    assert painting["pictures"] == expected and len(expected) == 2
    again = client.get(painting["links"]["self"] + "?inline=true").json
    assert again["pictures"] == expected


def test_a_document_asks_for_itself(client: FlaskClient, planted: Planted, worker: StandIn) -> None:
    strokes = [
        stroke(concept="tree", strength=0.5),
        stroke(units=[5, 1], action="erase"),
        stroke(concept="ship", mask=png(np.eye(3) * 255)),
    ]
    first = paint(client, *strokes, latent={"vector": [0.5] * 6}).json
    second = client.post(URL, json=first["document"]).json
    assert second["document"] == first["document"] and second["id"] != first["id"]


UNITS: list[tuple[dict[str, Any], list[int], list[float] | None]] = [
    ({"concept": {"category": "object", "name": "tree"}}, [0, 2, 4, 3], [0.5, 1.5, 2.5, 2.0]),
    ({"concept": "tree", "top": 3}, [0, 2, 4], [0.5, 1.5, 2.5]),
    ({"concept": "tree", "top": 1, "action": "erase"}, [0], None),
    ({"concept": {"category": "material", "name": "glass"}}, [5], [3.0]),
    ({"units": [4, 1]}, [4, 1], [2.5, 1.0]),
    ({"units": [4, 1], "values": [7, -0.25]}, [4, 1], [7.0, -0.25]),
    ({"units": [3], "concept": "tree", "values": None}, [3], [2.0]),
]


def test_units_are_the_best_of_the_concept_or_those_named(
    client: FlaskClient, planted: Planted, worker: StandIn
) -> None:
    found = paint(client, *(stroke(**given) for given, _, _ in UNITS)).json["document"]["strokes"]
    assert [(stroke["units"], stroke["values"]) for stroke in found] == [(units, values) for _, units, values in UNITS]


def test_the_worker_finds_the_levels_where_the_dissection_has_another_quantile_or_there_is_none(
    client: FlaskClient, planted: Planted, worker: StandIn, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        other = plant_generator(session, planted.team, "other")
        plant_dissection(session, planted.team, other, quantile=0.005, segmentation=["masks"])
    for name, layer in (("other", "layer"), ("faces", "unseen")):
        reply = client.post(f"/v1/models/{name}/paintings", json=body(layer=layer, strokes=[stroke(units=[1])]))
        document = reply.json["document"]
        assert document["strokes"][0]["values"] is None
        assert document["segmentation"] == ["colors"]


def test_a_dissection_that_is_named_is_asked_instead_of_the_newest(
    client: FlaskClient, planted: Planted, worker: StandIn, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        newest = plant_dissection(session, planted.team, faces(session), quantile=0.02)
        newest_id = str(newest.id)
    assert paint(client, stroke(concept="tree")).json["document"]["dissection"] == newest_id
    named = paint(client, stroke(concept="tree"), dissection=planted.dissection).json["document"]
    assert named["dissection"] == planted.dissection and named["strokes"][0]["values"] is not None


def test_a_mask_of_another_size_is_scaled_to_the_picture(
    client: FlaskClient, planted: Planted, worker: StandIn
) -> None:
    half = np.zeros((4, 6))
    half[:2] = 255
    found = paint(client, stroke(units=[0], mask=png(half))).json["document"]["strokes"][0]["mask"]
    assert found == {"size": [HEIGHT, WIDTH], "runs": [0, 48, 48]}


WARNINGS: list[tuple[dict[str, Any], list[str]]] = [
    ({"concept": {"category": "object", "name": "glass"}}, ["/strokes/0: none of its units detects the object"]),
    ({"concept": "ship"}, ["/strokes/0: no unit is known to fit the object 'ship', so that it changes nothing"]),
    ({"concept": "tree", "units": [3]}, ["/strokes/0: none of its units detects"]),
    ({"units": []}, ["/strokes/0: it names no units, so that it changes nothing"]),
    ({"units": [0], "mask": {"size": [1, 1], "runs": [1]}}, ["/strokes/0: its mask touches nothing"]),
    ({"concept": "tree"}, []),
]


def test_strokes_that_may_do_nothing_are_told(client: FlaskClient, planted: Planted, worker: StandIn) -> None:
    for given, warnings in WARNINGS:
        reply = paint(client, stroke(**given))
        assert reply.status_code == 201
        found = reply.json["warnings"]
        assert len(found) == len(warnings)
        assert all(text.startswith(start) for text, start in zip(found, warnings, strict=True))


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"latent": {"vector": [0.0] * 5}}, "/latent/vector", "5 numbers are given; a latent has 6"),
    ({"latent": {"seed": 1, "index": 50}}, "/latent/index", "latents of 6 numbers go from 0 to 49"),
    ({"latent": {"seed": 1}}, "/latent", "give"),
    ({"latent": {"seed": 1, "index": 1, "vector": [1]}}, "/latent", "give"),
    ({"latent": {"seed": -1, "index": 0}}, "/latent/seed", ""),
    ({"latent": {"vector": ["1"] * 6}}, "/latent/vector/0", ""),
    ({"layer": "nowhere"}, "/layer", "no layer 'nowhere'"),
    ({"strokes": [stroke(concept="tee")]}, "/strokes/0/concept", "did you mean 'tree'"),
    ({"strokes": [stroke(concept={"category": "sky", "name": "tree"})]}, "/strokes/0/concept", "category 'sky'"),
    ({"strokes": [stroke(concept="glass")]}, "/strokes/0/concept", "material, object; name its category"),
    ({"strokes": [stroke(concept=[])]}, "/strokes/0/concept", "neither"),
    ({"strokes": [stroke()]}, "/strokes/0", "name a concept or units"),
    ({"strokes": [stroke(units=[0, 0])]}, "/strokes/0/units/1", "twice"),
    ({"strokes": [stroke(units=[0]), stroke(units=[5, 6])]}, "/strokes/1/units/1", "units 0 to 5, no 6"),
    ({"strokes": [stroke(units=[0], top=3)]}, "/strokes/0/top", "named"),
    ({"strokes": [stroke(units=[0], values=[1, 2])]}, "/strokes/0/values", "one value"),
    ({"strokes": [stroke(units=[0], values=[1], action="erase")]}, "/strokes/0/values", "none to erase"),
    ({"strokes": [stroke(units=[0], strength=1.5)]}, "/strokes/0/strength", ""),
    ({"strokes": [stroke(units=[0], action="smudge")]}, "/strokes/0/action", ""),
    ({"strokes": [stroke(units=[0], mask="aGVsbG8=")]}, "/strokes/0/mask", "not a PNG in base64"),
    ({"strokes": [{"units": [0], "action": "draw"}]}, "/strokes/0/mask", ""),
    ({"segmentation": "masks"}, "/segmentation", ""),
    ({"segmentation": "model:nobody"}, "/segmentation", "no segmenter"),
    ({"dissection": str(uuid.UUID(int=1))}, "/dissection", "no dissection"),
    ({"layer": "unseen"}, "/strokes/0/concept", "was not dissected"),
]


def test_what_cannot_be_painted_is_refused_and_changes_nothing(
    client: FlaskClient, planted: Planted, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.painting.resolving.MAX_DRAWN", 300)
    for given, pointer, problem in REFUSED:
        reply = client.post(URL, json=body(**given))
        assert reply.status_code == 422, (given, reply.json)
        assert pointer in [error["pointer"] for error in reply.json["errors"]], given
        assert problem in reply.json["detail"], given
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Painting)) == 0


def test_a_classifier_does_not_paint_and_an_unknown_model_is_not_found(client: FlaskClient, planted: Planted) -> None:
    reply = client.post("/v1/models/vgg/paintings", json=body())
    assert reply.status_code == 422 and "'vgg' is a classifier" in reply.json["detail"]
    assert client.post("/v1/models/fases/paintings", json=body()).status_code == 404


def test_without_a_worker_the_painting_expires_and_is_not_worked_on(
    impatient: Impatient, planted: Planted, sessions: Sessions
) -> None:
    client = impatient(0.1)
    reply = client.post(URL, json=body())
    assert reply.status_code == 503 and reply.headers["Retry-After"] == "5"
    assert "no worker was free" in reply.json["detail"]
    (painting,) = client.get("/v1/paintings").json["data"]
    assert (painting["state"], painting["error"]["type"]) == ("expired", "/problems/deadline-passed")
    with sessions.begin() as session:
        assert queries.claim(session, uuid.UUID(painting["id"]), "late") is None


def test_a_worker_that_is_too_late_writes_nothing(
    impatient: Impatient, planted: Planted, worker: StandIn, sessions: Sessions
) -> None:
    seen: list[uuid.UUID] = []
    worker.end = lambda session, painting: seen.append(painting.id)
    client = impatient(1.0)
    reply = client.post(URL, json=body())
    assert reply.status_code == 503 and "was not done within 1 s" in reply.json["detail"]
    with sessions.begin() as session:
        assert not queries.finish(session, seen[0], "succeeded", result=RESULT)
    assert client.get(f"/v1/paintings/{seen[0]}").json["result"] is None


def test_the_problem_that_a_worker_met_is_the_answer(client: FlaskClient, planted: Planted, worker: StandIn) -> None:
    problem = Conflict("the model does not load").problem()
    worker.end = lambda session, painting: queries.finish(session, painting.id, "failed", error=problem)
    reply = client.post(URL, json=body())
    assert reply.status_code == 409 and reply.json["detail"] == "the model does not load"
    (painting,) = client.get("/v1/paintings").json["data"]
    assert (painting["state"], painting["error"]) == ("failed", problem)


def test_paintings_are_listed_newest_first_and_by_model(
    client: FlaskClient, planted: Planted, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        other = plant_generator(session, planted.team, "other")
        models = [faces(session), other, faces(session)]
        made = [queries.add_painting(session, planted.team, model, {}, [], 60.0) for model in models]
    ids = [str(painting.id) for painting in reversed(made)]
    pages, cursor = [], None
    while cursor is not None or not pages:
        page = client.get("/v1/paintings", query_string={"limit": 2} | ({"cursor": cursor} if cursor else {})).json
        cursor = page["next_cursor"]
        pages.append([painting["id"] for painting in page["data"]])
    assert pages == [ids[:2], ids[2:]]
    assert [painting["id"] for painting in client.get("/v1/paintings?model=other").json["data"]] == [ids[1]]
    assert client.get("/v1/paintings?model=nobody").status_code == 422


def test_paintings_stay_within_their_team_and_scope(
    client: FlaskClient, client_of: MakeClient, planted: Planted, worker: StandIn
) -> None:
    link = client.post(URL, json=body()).json["links"]["self"]
    foreign, reader = client_of("others", "read", "run"), client_of("local", "read")
    assert foreign.get(link).status_code == 404
    assert foreign.get("/v1/paintings").json["data"] == []
    assert foreign.post(URL, json=body()).status_code == 404
    assert reader.get(link).status_code == 200
    assert reader.post(URL, json=body()).status_code == 403


def test_a_broker_that_is_away_is_told_at_once(settings: Settings, planted: Planted) -> None:
    client = create_app(replace(settings, broker_url="redis://127.0.0.1:1/0")).test_client()
    reply = client.post(URL, json=body())
    assert reply.status_code == 503 and "broker is away" in reply.json["detail"]


def test_latents_have_the_length_that_the_model_takes(client: FlaskClient, planted: Planted, worker: StandIn) -> None:
    vector = [0.25] * LATENT[0]
    assert paint(client, latent={"vector": vector}).json["document"]["latent"] == {"vector": vector}
