"""Exports over HTTP: the rows of every format against the database and the API, on both databases."""

import base64
import hashlib
import io
import math
import re
import uuid
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.catalog.queries import concept_ids, layer_ids
from service.catalog.tables import Model
from service.database import Sessions
from service.jobs.tables import Job
from service.results.exporting import queries
from service.results.exporting.chart import HEIGHT, draw
from service.results.queries import LabelResult, LayerResult, UnitResult, write_dissection
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.exporting.reading import Page, check_formats, get, read

CONCEPTS = [("object", "<script>alert(1)</script>"), ("part", 'a "quoted", bark'), ("material", "grün\u2028glas")]
IOUS = {"conv1": np.float32([[0.3, 0.02, 0.0], [0.0, 0.0, 0.0], [0.05, 0.0, 0.04]]), "conv2": np.float32([[0, 0.5, 0]])}
SCORES = {"iou_low": 0.2, "iou_high": 0.4, "auroc": 1 / 3, "p_value": 0.005}
JPEG = b"\xff\xd8picture"


@pytest.fixture
def store(app: Flask) -> ArtifactStore:
    made: ArtifactStore = app.extensions["unitatlas"].store
    return made


@pytest.fixture
def job(sessions: Sessions, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> uuid.UUID:
    """A dissection of two layers, read in several batches."""
    monkeypatch.setattr(queries, "UNITS_IN_BATCH", 2)
    return plant(sessions, store, "local")


def plant(sessions: Sessions, store: ArtifactStore, team_name: str) -> uuid.UUID:
    with sessions.begin() as session:
        team = planted.plant_team(session, team_name)
        ids = concept_ids(session, team, CONCEPTS)
        model = planted.plant_model(session, team, "alpha", ["conv1", "conv2"])
        job = planted.plant_job(session, team, model)
        files = {name: matrix_file(store, ious) for name, ious in IOUS.items()}
        picture = store.put(JPEG)
        record_artifacts(session, team, [(digest, 1, "application/x-npy") for digest in files.values()])
        record_artifacts(session, team, [(picture, len(JPEG), "image/jpeg")])
        layers = [
            LayerResult(layer_id=id, grid=4, samples=160, iou_artifact=files[name], units=units_of(name, ids, picture))
            for name, id in layer_ids(session, model.id).items()
        ]
        write_dissection(session, job, layers)
        job.summary = {
            "images": 10,
            "concepts": [{"category": category, "name": name} for category, name in CONCEPTS],
            "layers": [summary_of(name) for name in IOUS],
        }
        job.labels = {"who": "<b>me</b>"}
        return job.id


def matrix_file(store: ArtifactStore, ious: np.ndarray) -> str:
    buffer = io.BytesIO()
    np.save(buffer, ious)
    return store.put(buffer.getvalue())


def units_of(layer: str, ids: list[int], picture: str) -> list[UnitResult]:
    units = []
    for index, ious in enumerate(IOUS[layer].tolist()):
        ranked = sorted((place for place in range(len(ids)) if ious[place] > 0), key=lambda place: -ious[place])
        labels = [
            LabelResult(ids[place], rank, ious[place], 7 * rank, 100, **(SCORES if rank == 1 else {}))
            for rank, place in enumerate(ranked, start=1)
        ]
        more = {"histogram": {"edges": [0.0, 1.0], "with": [1], "without": [2]}, "picture": picture} if labels else {}
        top = [{"image": "ä, b.png", "digest": "c" * 64, "peak": 5.0}]
        units.append(UnitResult(index=index, threshold=0.1, active=21, peak=5.0, labels=labels, top_images=top, **more))
    return units


def summary_of(layer: str) -> dict[str, Any]:
    category, concept = CONCEPTS[int(IOUS[layer][0].argmax())]
    figures = {"units": len(IOUS[layer]), "detectors": 1, "mean_best_iou": 0.125, "distinct": {category: 1}}
    chart = [{"category": category, "concept": concept, "units": 1}]
    controls = {"permutation": {"detectors": 0.25, "significant": 3}, "untrained": {**figures, "distinct": {}}}
    return {"layer": layer, **figures, "chart": chart, "controls": controls if layer == "conv1" else {}}


@pytest.mark.parametrize("rows", ["labels", "units", "matrix"])
def test_all_formats_have_the_same_rows(client: FlaskClient, job: uuid.UUID, rows: str) -> None:
    check_formats(client, job, rows)


def test_rows_of_labels_are_those_of_the_api(client: FlaskClient, job: uuid.UUID) -> None:
    rows = read(client, job, "json")
    expected = []
    for layer, ious in IOUS.items():
        for unit in range(len(ious)):
            detail = client.get(f"/v1/models/alpha/layers/{layer}/units/{unit}").json
            known = {"model": "alpha", "layer": layer, "unit": unit} | {k: detail[k] for k in ("threshold", "active")}
            for label in detail["labels"]:
                detector = label["rank"] == 1 and detail["label"]["detector"]
                expected.append({**known, **label, "detector": detector})
    assert rows == expected
    assert len(rows) == np.count_nonzero(IOUS["conv1"]) + np.count_nonzero(IOUS["conv2"])


def test_rows_of_units_are_those_of_the_api(client: FlaskClient, job: uuid.UUID) -> None:
    rows = read(client, job, "json", rows="units")
    assert [(row["layer"], row["unit"]) for row in rows] == [("conv1", 0), ("conv1", 1), ("conv1", 2), ("conv2", 0)]
    for row in rows:
        detail = client.get(f"/v1/models/alpha/layers/{row['layer']}/units/{row['unit']}").json
        assert all(row[name] == detail[name] for name in ("threshold", "active", "peak", "histogram", "top_images"))
        nothing = dict.fromkeys(row) | {"iou": 0.0, "detector": False}
        best = detail["labels"][0] if detail["labels"] else nothing
        label = detail["label"] or nothing
        assert all(row[name] == best[name] for name in ("concept", "intersection", "auroc", "activated_share"))
        assert all(row[name] == label[name] for name in ("category", "concept", "iou", "detector"))
        assert row["picture"] == (hashlib.sha256(JPEG).hexdigest() if detail["label"] else None)


def test_the_matrix_is_the_artifacts(client: FlaskClient, job: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.results.exporting.rows.CELLS_IN_BATCH", 6)
    rows = read(client, job, "json", rows="matrix")
    for layer, ious in IOUS.items():
        found = [row for row in rows if row["layer"] == layer]
        assert [(row["category"], row["concept"]) for row in found[:3]] == CONCEPTS
        assert [row["unit"] for row in found] == [unit for unit in range(len(ious)) for _ in CONCEPTS]
        assert np.array_equal(np.float32([row["iou"] for row in found]).reshape(ious.shape), ious)
    assert rows[0].keys() == {"model", "layer", "unit", "category", "concept", "iou"}


def test_one_layer_alone(client: FlaskClient, job: uuid.UUID) -> None:
    for rows in ("labels", "units", "matrix"):
        both, one = (read(client, job, "json", rows=rows, **given) for given in ({}, {"layer": "conv2"}))
        assert one == [row for row in both if row["layer"] == "conv2"]
    page = get(client, job, format="html", layer="conv2").text
    assert "<h2>conv2</h2>" in page
    assert "<h2>conv1</h2>" not in page


@pytest.mark.parametrize(
    ("format", "media_type"),
    [
        ("json", "application/json"),
        ("csv", "text/csv; charset=utf-8"),
        ("parquet", "application/vnd.apache.parquet"),
        ("html", "text/html; charset=utf-8"),
    ],
)
def test_a_file_says_what_it_is(client: FlaskClient, job: uuid.UUID, format: str, media_type: str) -> None:
    reply = get(client, job, format=format)
    rows = "" if format == "html" else "-labels"
    assert reply.headers["Content-Type"] == media_type
    assert reply.headers["Content-Disposition"] == f'attachment; filename="dissection-{job}{rows}.{format}"'
    again = client.get(reply.request.url, headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.head(reply.request.url).headers["Content-Type"] == media_type


def test_a_dissection_that_found_nothing_is_exported(client: FlaskClient, job: uuid.UUID, sessions: Sessions) -> None:
    with sessions.begin() as session:
        old = session.get_one(Job, job)
        empty = planted.plant_job(session, old.team_id, session.get_one(Model, old.model_id))
        empty.summary = {"images": 0, "concepts": [], "layers": []}
        id = empty.id
    assert read(client, id, "json") == read(client, id, "csv") == read(client, id, "parquet") == []
    assert get(client, id, format="html").text.rstrip().endswith("</html>")


def test_a_report_shows_every_unit_best_first(client: FlaskClient, job: uuid.UUID) -> None:
    page = Page(get(client, job, format="html").text)
    texts = [card["data-text"] for card in page.all("article")]
    assert [re.match(r"conv\d unit \d", text)[0] for text in texts] == [
        "conv1 unit 0",
        "conv1 unit 2",
        "conv1 unit 1",
        "conv2 unit 0",
    ]
    assert ["data-detector" in card for card in page.all("article")] == [True, True, False, True]
    picture = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    assert [image["src"] for image in page.all("img")] == [picture] * 3
    assert len(page.all("rect")) == 2
    assert page.texts["h2"] == ["conv1", "conv2"]
    figures = [text for tag in ("th", "td") for text in page.texts[tag]]
    for figure in ("this layer", "permutation", "untrained", "mean best IoU", "0.125", "0.25", "object 1", "none"):
        assert figure in figures
    text = get(client, job, format="html").text
    assert "[0.200, 0.400]" in text
    assert "<dt>AUROC</dt><dd>0.3333</dd>" in text


def test_a_report_runs_its_own_script_only_and_loads_nothing(client: FlaskClient, job: uuid.UUID) -> None:
    text = get(client, job, format="html").text
    page = Page(text)
    # html.parser reads scripts as browsers do: to the first end tag
    (script,) = page.texts["script"]
    assert len(page.all("script")) == 1
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    exact = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    assert exact.strip() == script
    assert f"'sha256-{base64.b64encode(hashlib.sha256(exact.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not page.all("b")[3:] and "<b>me</b>" not in text
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    assert not re.search(r"""(src|href|url\()=?["']?(https?:)?//""", text)


def test_a_picture_that_is_gone_is_left_out(client: FlaskClient, job: uuid.UUID, store: ArtifactStore) -> None:
    store.path(hashlib.sha256(JPEG).hexdigest()).unlink()
    page = Page(get(client, job, format="html").text)
    assert len(page.all("article")) == 4
    assert page.all("img") == []


BAD_QUERIES = {
    "": "query:format",
    "format=xlsx": "query:format",
    "format=csv&rows=images": "query:rows",
    "format=html&rows=labels": "query:rows",
    "format=csv&layer=conv3": "query:layer",
    "format=csv&rows=effects": "query:rows",
    "format=safetensors&class=beach&n=1": "query:format",
    "format=csv&limit=3": "query:limit",
}


def test_a_bad_query_is_pointed_out(client: FlaskClient, job: uuid.UUID, subtests: pytest.Subtests) -> None:
    for query, pointer in BAD_QUERIES.items():
        with subtests.test(query):
            reply = client.get(f"/v1/jobs/{job}/export?{query}")
            assert (reply.status_code, reply.mimetype) == (422, "application/problem+json")
            assert [error["pointer"] for error in reply.json["errors"]] == [pointer]


def test_only_a_succeeded_dissection_of_the_team_is_exported(
    client_of: MakeClient, sessions: Sessions, store: ArtifactStore
) -> None:
    owner, stranger, writer = client_of("ours", "read"), client_of("theirs", "read"), client_of("ours", "run")
    job = plant(sessions, store, "ours")
    assert get(owner, job, format="csv").status_code == 200
    assert get(stranger, job, format="csv").status_code == 404
    assert get(writer, job, format="csv").status_code == 403
    with sessions.begin() as session:
        session.get_one(Job, job).state = "running"
    assert get(owner, job, format="csv").status_code == 409
    with sessions.begin() as session:
        session.get_one(Job, job).kind = "import"
    assert get(owner, job, format="csv").status_code == 422


def test_the_bars_of_a_chart_are_as_tall_as_their_counts() -> None:
    counts = [{"category": "object", "concept": f"c{n}", "units": n} for n in (4, 2, 1)]
    chart = draw(counts)
    assert [bar.height / HEIGHT for bar in chart.bars] == [1, 0.5, 0.25]
    assert all(math.isclose(bar.y + bar.height, chart.base) for bar in chart.bars)
    assert chart.bars[-1].x < chart.width
    assert draw([]).bars == []
