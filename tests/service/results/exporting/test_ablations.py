"""Exports of ablations over HTTP: rows against what was written, the report, and weights without some units."""

import base64
import uuid
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from safetensors.numpy import load

from service.artifacts.store import ArtifactStore
from service.database import Sessions
from service.jobs.tables import Job
from service.results.effects.queries import EffectResult
from service.results.exporting import ablation_queries, rows
from service.results.exporting.ablations import CURVE_FIGURES, MATRICES, SETS
from tests.service.conftest import MakeClient
from tests.service.results.exporting import ablated
from tests.service.results.exporting.ablated import CLASSES, ORDER, SIZES, SVG, UNITS, WEIGHTS
from tests.service.results.exporting.reading import Page, check_formats, get, read

PLACE = {"model": "alpha", "layer": "conv1"}


@pytest.fixture
def store(app: Flask) -> ArtifactStore:
    made: ArtifactStore = app.extensions["unitatlas"].store
    return made


@pytest.fixture
def job(sessions: Sessions, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> uuid.UUID:
    """An ablation that is read in several batches."""
    monkeypatch.setattr(ablation_queries, "CLASSES_IN_BATCH", 2)
    monkeypatch.setattr(rows, "CELLS_IN_BATCH", 8)
    with sessions.begin() as session:
        return ablated.plant(session, store, "local")


def test_rows_of_effects_are_those_that_were_written(client: FlaskClient, job: uuid.UUID) -> None:
    found = check_formats(client, job, "effects")
    assert [(row["class"], row["unit"]) for row in found] == [(name, unit) for name in CLASSES for unit in ORDER[name]]
    for row in found:
        written = ablated.effect(0, row["class"], row["unit"])._asdict()
        expected = {name: written[name] for name in EffectResult._fields if name not in ("class_id", "unit")}
        assert row == {**PLACE, "class": row["class"], "unit": row["unit"], **expected}
    assert read(client, job, "json") == found


def test_rows_of_units_and_classes(client: FlaskClient, job: uuid.UUID) -> None:
    ends = {"accuracy_change_low": None, "accuracy_change_high": None}
    assert check_formats(client, job, "units") == [
        {**PLACE, "unit": unit, "importance": unit % 3, "accuracy_change": -unit / 8, **ends} for unit in UNITS
    ]
    untouched = {"recall": 0.5, "true_negative_rate": 0.9, "balanced_accuracy": 0.7, "auroc": 0.8}
    assert check_formats(client, job, "classes") == [
        {**PLACE, "class": name, "images": 40 + place, **untouched, "important_units": place}
        for place, name in enumerate(CLASSES)
    ]


def test_rows_of_curves_leave_out_classes_without(client: FlaskClient, job: uuid.UUID) -> None:
    found = check_formats(client, job, "curves")
    orders = [("untouched", 0), *((order, n) for order in ("most", "least", "all_but", "random") for n in SIZES)]
    assert [(row["class"], row["order"], row["size"]) for row in found] == [
        (name, *order) for name in CLASSES[1:] for order in orders
    ]
    by = {(row["class"], row["order"], row["size"]): row for row in found}
    untouched = by["forest", "untouched", 0]
    assert [untouched[name] for name in CURVE_FIGURES] == [0.875, 0.875, 0.875, 0.875, 0]
    most = by["forest", "most", 3]
    left = 0.5 - 2 / 8
    assert [most[name] for name in CURVE_FIGURES] == [left + 3 / 64] * 4 + [left - 0.875]
    assert (most["change_low"], most["change_high"], most["auroc_low"]) == (-0.5, None, None)
    random = by["forest", "random", 1]
    assert [random[f"auroc{end}"] for end in ("", "_low", "_high")] == [0.75, 0.625, 0.875]
    assert random["change"] is None


def test_the_matrix_has_all_matrices_side_by_side(client: FlaskClient, job: uuid.UUID) -> None:
    found = check_formats(client, job, "matrix")
    assert [(row["unit"], row["class"]) for row in found] == [(unit, name) for unit in UNITS for name in CLASSES]
    columns = [f"{of}_{name}_change" for of in SETS for name in MATRICES] + ["coactivation"]
    assert list(found[0]) == ["model", "layer", "unit", "class", *columns]
    for number, column in enumerate(columns):
        values = np.float32([np.nan if row[column] is None else row[column] for row in found])
        np.testing.assert_array_equal(values.reshape(len(UNITS), len(CLASSES)), ablated.matrix(number))


def test_a_report_holds_curves_pictures_and_classes(client: FlaskClient, job: uuid.UUID) -> None:
    reply = get(client, job, format="html", layer="conv1")
    assert reply.headers["Content-Disposition"] == f'attachment; filename="ablation-{job}.html"'
    page = Page(reply.text)
    picture = f"data:image/svg+xml;base64,{base64.b64encode(SVG).decode()}"
    assert [image["src"] for image in page.all("img")] == [picture] * 2
    assert all(image["alt"] for image in page.all("img"))
    cards = page.all("article")
    assert [card["data-place"] for card in cards] == ["0", "1", "2"]
    assert [card["data-others"] for card in cards] == ["0", "-1", "-2"]
    assert cards[2]["data-text"] == "forest" + "".join(f" unit {unit}" for unit in ORDER["forest"])
    assert [float(card["data-change"]) for card in cards] == [
        ablated.effect(0, name, ORDER[name][0]).accuracy_change for name in CLASSES
    ]
    # a line for the untouched network and for each size and order, one of heads, and those of the classes' units
    assert len(page.all("tr")) >= 1 + len(SIZES) * 4 + len(CLASSES) * (1 + len(UNITS))
    text = reply.text
    for words in ("all but the n most important removed", "[-0.375, -0.125]", "-0.500", "(7)", "0.625", "chance 0.5"):
        assert words in text, words


def test_a_report_lets_nothing_in(client: FlaskClient, job: uuid.UUID) -> None:
    text = get(client, job, format="html").text
    page = Page(text)
    assert len(page.all("script")) == 1
    assert not page.all("i")
    assert "<b>me</b>" not in text
    assert "&lt;i&gt;beach&lt;/i&gt;" in text
    assert "it &lt;i&gt;chooses&lt;/i&gt;" in text
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "://" not in text.replace("http://www.w3.org", "")


def test_a_report_without_sets_or_pictures(
    client: FlaskClient, job: uuid.UUID, sessions: Sessions, store: ArtifactStore
) -> None:
    with sessions.begin() as session:
        row = session.get_one(Job, job)
        curves = row.summary["curves"] | {name: [] for name in ("sizes", "most", "least", "all_but", "random")}
        row.summary = {**row.summary, "curves": curves, "pictures": {"curves": "a" * 64}}
    page = Page(get(client, job, format="html").text)
    assert page.all("img") == []
    assert page.texts["h2"] == ["Classes"]


def weights_of(client: FlaskClient, job: uuid.UUID, class_name: str, n: int) -> Any:
    return get(client, job, format="safetensors", **{"class": class_name, "n": str(n)})


def test_weights_without_a_classs_most_important_units(client: FlaskClient, job: uuid.UUID) -> None:
    for name in CLASSES:
        reply = weights_of(client, job, name, 2)
        assert (reply.status_code, reply.mimetype) == (200, "application/octet-stream")
        assert reply.content_length == len(reply.data)
        found = load(reply.data)
        bias, head = WEIGHTS["conv.bias"].copy(), WEIGHTS["head.weight"].copy()
        for unit in ORDER[name][:2]:
            bias[unit] = 0
            head[:, 2 * unit : 2 * unit + 2] = 0
        np.testing.assert_array_equal(found["conv.bias"], bias)
        np.testing.assert_array_equal(found["head.weight"], head)


def test_a_file_of_weights_says_whose_they_are(client: FlaskClient, job: uuid.UUID) -> None:
    reply = weights_of(client, job, "grün / see", 3)
    assert reply.headers["Content-Disposition"] == f'attachment; filename="ablation-{job}-gr_n_see-3.safetensors"'
    head = client.head(reply.request.url)
    assert (head.content_length, head.data) == (len(reply.data), b"")
    again = client.get(reply.request.url, headers={"If-None-Match": reply.headers["ETag"]})
    assert again.status_code == 304


BAD_QUERIES = {
    "format=csv&rows=labels": ("query:rows", "it has effects, units, classes, curves, matrix"),
    "format=csv&layer=conv2": ("query:layer", "ablated layer 'conv1'"),
    "format=csv&class=forest": ("query:class", "only format=safetensors"),
    "format=html&n=2": ("query:n", "only format=safetensors"),
    "format=safetensors&class=forest": ("query:n", "say it"),
    "format=safetensors&n=2": ("query:class", "say it"),
    "format=safetensors&class=forest&n=51": ("query:n", "50"),
    "format=safetensors&class=forest&n=0": ("query:n", "1"),
    "format=safetensors&class=forest&n=5": ("query:n", "removed 4 units"),
    "format=safetensors&class=forests&n=2": ("query:class", "did you mean 'forest'?"),
    "format=safetensors&class=forest&n=2&rows=units": ("query:rows", "weights have no rows"),
}


def test_a_bad_query_is_pointed_out(client: FlaskClient, job: uuid.UUID, subtests: pytest.Subtests) -> None:
    for query, (pointer, words) in BAD_QUERIES.items():
        with subtests.test(query):
            reply = client.get(f"/v1/jobs/{job}/export?{query}")
            assert (reply.status_code, reply.mimetype) == (422, "application/problem+json")
            (error,) = reply.json["errors"]
            assert error["pointer"] == pointer
            assert words in error["detail"]


def test_only_what_can_be_pruned_exactly_is(client: FlaskClient, sessions: Sessions, store: ArtifactStore) -> None:
    with sessions.begin() as session:
        job = ablated.plant(session, store, "local", exact=False, reason="its map is read by an addition")
    reply = weights_of(client, job, "forest", 2)
    assert reply.status_code == 422
    assert reply.json["errors"][0]["pointer"] == "query:format"
    assert "read by an addition" in reply.json["detail"]
    assert "read by an addition" in get(client, job, format="html").text


def test_only_the_teams_own_that_has_succeeded(client_of: MakeClient, sessions: Sessions, store: ArtifactStore) -> None:
    with sessions.begin() as session:
        job = ablated.plant(session, store, "ours")
    owner, stranger = client_of("ours", "read"), client_of("theirs", "read")
    assert get(owner, job, format="csv").status_code == weights_of(owner, job, "forest", 1).status_code == 200
    assert get(stranger, job, format="csv").status_code == weights_of(stranger, job, "forest", 1).status_code == 404
    with sessions.begin() as session:
        session.get_one(Job, job).state = "running"
    reply = get(owner, job, format="csv")
    assert (reply.status_code, "export it once it has succeeded" in reply.json["detail"]) == (409, True)
