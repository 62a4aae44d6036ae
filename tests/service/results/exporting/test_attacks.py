"""Exports of attacks over HTTP: rows against what was written, and the report."""

import base64
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.catalog.queries import class_ids
from service.database import Sessions
from service.jobs.tables import Job
from service.results.attacks.tables import OUTCOMES
from service.results.exporting import attack_queries, attack_report
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.attacks import attacked
from tests.service.results.attacks.attacked import METHOD
from tests.service.results.exporting import reading
from tests.service.results.exporting.ablated import SVG
from tests.service.results.exporting.reading import Page, check_formats, get, read

PNG = b"\x89PNGpicture"
KEPT = ("original", "adversarial", "picture")
MOVES = {"beach": [0.25, -1.5, 0.125], None: [-2.0, 1.0, 0.0]}


@pytest.fixture
def store(app: Flask) -> ArtifactStore:
    made: ArtifactStore = app.extensions["unitatlas"].store
    return made


@pytest.fixture
def job(sessions: Sessions, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> uuid.UUID:
    """An attack that is read in several batches, of which the last one is full."""
    monkeypatch.setattr(attack_queries, "IMAGES_IN_BATCH", 2)
    monkeypatch.setattr(reading, "JSON_COLUMNS", ("restored_by", "transfers"))
    return plant(sessions, store, "local")


def plant(sessions: Sessions, store: ArtifactStore, team_name: str) -> uuid.UUID:
    """An attack on `alpha` with the targets beach, any other class, and forest, of which no image was tried."""
    with sessions.begin() as session:
        team = planted.plant_team(session, team_name)
        model = planted.plant_model(session, team, "alpha")
        beach, forest = class_ids(session, model.id)
        job = attacked.plant_job(session, team, model, layers=["conv2", "conv1"])
        picture, drawing = store.put(PNG), store.put(SVG)
        record_artifacts(session, team, [(picture, len(PNG), "image/png"), (drawing, len(SVG), "image/svg+xml")])
        images = {beach: images_towards(beach, forest, picture), None: images_away(beach, forest, picture), forest: []}
        names = {beach: "beach", forest: "forest", None: None}
        targets = []
        for target, those in images.items():
            name = names[target]
            layers = ["conv2", "conv1"] if those else []
            moves = [move for y in layers for move in attacked.shifts(session, model.id, y, MOVES[name])]
            attacked.attack(session, job, target, those, moves, name=name)
            targets.append(figures(name, layers))
        pictures = {"accuracy": drawing, "groups": drawing, "silencing": "a" * 64}
        job.summary = {"method": METHOD, "settings": {}, "layers": ["conv2", "conv1"], "targets": targets}
        job.summary |= {"pictures": pictures}
        job.labels = {"who": "<b>me</b>"}
        return job.id


def images_towards(beach: int, forest: int, picture: str) -> list[Any]:
    more = {
        "picture": picture,
        "transfers": {"beta": ["<i>sea</i>", "sky"]},
        "restored_by": {"conv1": 2, "conv2": None},
    }
    return [
        attacked.image(0, forest, beach, true=forest, **more),
        attacked.image(2, forest, beach, "failed"),
        attacked.image(3, beach, beach, "already_target", true=forest),
        attacked.image(7, forest, beach, **more),
    ]


def images_away(beach: int, forest: int, picture: str) -> list[Any]:
    return [attacked.image(0, beach, None, result=forest, picture=picture)]


def figures(name: str | None, layers: list[str]) -> dict[str, Any]:
    """The second layer of a target without an ablation, a target without images without anything."""
    known = attacked.figures(name, layers)
    for layer in known["layers"][:1]:
        layer |= {"groups": None, "most_moved": None, "concepts": []}
    for layer in known["layers"][1:]:
        layer["ablation"] = str(uuid.UUID(int=9))
    if layers:
        return known
    empty = {"median": None, "mean": None}
    nothing = {"success_rate": None, "l2": empty, "linf": empty}
    return known | nothing | {"images": 0, "outcomes": dict.fromkeys(OUTCOMES, 0), "accuracy": None, "transfers": []}


def test_rows_of_images_are_those_that_were_written(client: FlaskClient, job: uuid.UUID) -> None:
    found = check_formats(client, job, "images")
    assert read(client, job, "json") == found
    assert [(row["target"], row["position"]) for row in found] == [
        ("beach", 0),
        ("beach", 2),
        ("beach", 3),
        ("beach", 7),
        (None, 0),
    ]
    listed = {(row["target"], row["position"]): row for row in client.get(f"/v1/attacks?job={job}").json["data"]}
    assert len(listed) == len(found)
    for row in found:
        like = listed[row["wanted"], row["position"]]
        artifacts = {name: like["links"].get(name, "").removeprefix("/v1/artifacts/") or None for name in KEPT}
        same = {name: value for name, value in like.items() if name not in ("job", "method", "links", "target")}
        assert row == {**same, **artifacts, "target": row["target"], "wanted": like["target"]}


def test_rows_of_units_are_how_they_moved(client: FlaskClient, job: uuid.UUID) -> None:
    found = check_formats(client, job, "units")
    assert found == [
        {
            "model": "alpha",
            "layer": layer,
            "target": target,
            "unit": unit,
            "mean_peak_change": change,
            "mean_peak_change_low": change - 0.5,
            "mean_peak_change_high": change + 0.5,
            "rank": rank,
        }
        for target, ranks in (("beach", (2, 1, 3)), (None, (1, 2, 3)))
        for layer in ("conv2", "conv1")
        for unit, (change, rank) in enumerate(zip(MOVES[target], ranks, strict=True))
    ]
    assert read(client, job, "json", rows="units", layer="conv1") == [row for row in found if row["layer"] == "conv1"]


def test_rows_of_targets_and_groups(client: FlaskClient, job: uuid.UUID) -> None:
    known = dict.fromkeys(OUTCOMES, 1) | {"images": 4, "success_rate": 0.5}
    known |= {"l2_median": 0.25, "l2_mean": 0.375, "linf_median": 0.125, "linf_mean": 0.0625}
    nothing = dict.fromkeys(known) | dict.fromkeys(OUTCOMES, 0) | {"images": 0}
    head = {"model": "alpha", "method": METHOD}
    assert check_formats(client, job, "targets") == [
        {**head, "target": "beach", **known},
        {**head, "target": None, **known},
        {**head, "target": "forest", **nothing},
    ]
    ends = {"images": 3, "low": 1.0, "high": 2.0, "ablation": str(uuid.UUID(int=9))}
    ends |= {"absolute_mean": 3.0, "absolute_low": 2.75, "absolute_high": 3.25}
    assert check_formats(client, job, "groups") == [
        {"model": "alpha", "layer": "conv1", "target": target, "group": group, "mean": mean, **ends}
        for target in ("beach", None)
        for group, mean in (("target", 1.5), ("source", -2.5))
    ]
    assert read(client, job, "json", rows="groups", layer="conv2") == []


def test_a_report_holds_figures_drawings_and_images(client: FlaskClient, job: uuid.UUID) -> None:
    reply = get(client, job, format="html")
    assert reply.headers["Content-Disposition"] == f'attachment; filename="attack-{job}.html"'
    page = Page(reply.text)
    drawing = f"data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}"
    picture = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert [image["src"] for image in page.all("img")] == [drawing] * 2 + [picture] * 3
    assert all(image["alt"] for image in page.all("img"))
    cards = page.all("article")
    assert [card["data-text"] for card in cards] == [
        "images/0.png forest forest beach",
        "images/7.png forest forest beach",
        "images/0.png beach beach forest",
    ]
    assert [float(card["data-change"]) for card in cards] == [0.5, 7.5, 0.5]
    assert [table.get("id") for table in page.all("table") if "id" in table] == ["targets", "units", "transfers"]
    for words in (
        "any other class",
        "+1.5",
        "[+1, +2]",
        "-2.5",
        "tree",
        "2 units",
        "no number of units tried",
        "0.250",
    ):
        assert words in reply.text, words


def test_a_report_shows_some_images_of_each_target(
    client: FlaskClient, job: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attack_report, "MOST_IMAGES", 3)
    cards = Page(get(client, job, format="html").text).all("article")
    assert [card["data-text"].split()[0] for card in cards] == ["images/0.png", "images/0.png"]
    monkeypatch.setattr(attack_report, "MOST_IMAGES", 1)
    assert len(Page(get(client, job, format="html").text).all("article")) == 1


def test_a_report_lets_nothing_in(client: FlaskClient, job: uuid.UUID) -> None:
    text = get(client, job, format="html").text
    page = Page(text)
    assert len(page.all("script")) == 1
    assert not page.all("i")
    assert "<b>me</b>" not in text
    assert "&lt;i&gt;sea&lt;/i&gt;" in text


def test_a_report_of_an_attack_that_fooled_nothing(client: FlaskClient, job: uuid.UUID, sessions: Sessions) -> None:
    with sessions.begin() as session:
        row = session.get_one(Job, job)
        failed = {"images": 0, "groups": None, "most_moved": None, "concepts": [], "silencing": None}
        layers = [{"layer": layer, "ablation": None, "dissection": None, **failed} for layer in ("conv2", "conv1")]
        targets = [figures("beach", []) | {"layers": layers}, figures("forest", [])]
        row.summary = {**row.summary, "targets": targets, "pictures": {}}
    page = Page(get(client, job, format="html").text)
    assert page.texts["h2"] == ["Images"]
    assert [table.get("id") for table in page.all("table") if "id" in table] == ["targets"]


BAD_QUERIES = {
    "format=csv&rows=labels": ("query:rows", "it has images, units, targets, groups"),
    "format=csv&layer=conv3": ("query:layer", "did you mean 'conv2' or 'conv1'?"),
    "format=safetensors&class=beach&n=2": ("query:format", "ablations do"),
}


def test_a_bad_query_is_pointed_out(client: FlaskClient, job: uuid.UUID, subtests: pytest.Subtests) -> None:
    for query, (pointer, words) in BAD_QUERIES.items():
        with subtests.test(query):
            reply = client.get(f"/v1/jobs/{job}/export?{query}")
            assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, pointer)
            assert words in reply.json["detail"]


def test_only_the_teams_own(client_of: MakeClient, sessions: Sessions, store: ArtifactStore) -> None:
    job = plant(sessions, store, "ours")
    assert get(client_of("ours", "read"), job, format="csv").status_code == 200
    for format in ("csv", "html"):
        assert get(client_of("theirs", "read"), job, format=format).status_code == 404
