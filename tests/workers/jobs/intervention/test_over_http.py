"""From the request to what a team reads, over HTTP: a generator is dissected, and its red units are removed."""

import numpy as np
import pytest

from service import create_app
from tests.workers.jobs.intervention.brute_force import RED, change, maps_of, pixels

LATENTS = {"seed": 2, "first": 48, "count": 24}


@pytest.fixture
def http(drawing, monkeypatch):
    """A client of the service, whose jobs this process does."""
    monkeypatch.setattr("service.jobs.views.publish", lambda *_: None)
    return create_app(drawing.settings).test_client()


def succeed(http, driver, **body):
    reply = http.post("/v1/jobs", json={"model": "drawer", **body})
    assert reply.status_code == 202, reply.json
    driver.run()
    job = http.get(f"/v1/jobs/{reply.json['id']}").json
    assert job["state"] == "succeeded", job["error"]
    return job


def test_the_best_units_of_each_layer_are_removed_and_found_again(drawing, http):
    chosen = {"seed": 2, "count": 48}
    dissection = succeed(
        http, drawing, kind="dissection", layers=["0", "2"], latents=chosen, segmentation="colors", grid=8, quantile=0.2
    )
    units = {"concept": "red", "top": 1}
    refused = http.post("/v1/jobs", json={"kind": "intervention", "model": "drawer", "layer": "0", "units": units})
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/latents")
    body = {"layer": ["0", "2"], "units": units, "latents": LATENTS, "random": 1}
    job = succeed(http, drawing, kind="intervention", **body)
    assert job["params"]["dissections"] == {"0": dissection["id"], "2": dissection["id"]}
    assert job["params"]["units"]["2"] == [0]  # of the layer that paints the unit that is red itself
    [best] = job["params"]["units"]["0"]
    untouched = maps_of(2, 48, 24)
    before = pixels(untouched)[:, RED].sum()
    expected = (pixels(change(untouched, [best]))[:, RED].sum() - before) / before
    rows = http.get(f"/v1/interventions?job={job['id']}&concept=red").json["data"]
    assert [(row["layer"], row["change"]) for row in rows] == [("2", -1.0), ("0", expected)]
    layers = http.get(f"/v1/jobs/{job['id']}/summary").json["layers"]
    assert [layer["sets"][0]["target"]["change"] for layer in layers] == [expected, -1.0]
    found = http.get("/v1/units?model=drawer&concept=red").json["data"]
    measured = {(unit["layer"], unit["unit"]): unit["measured"]["change"] for unit in found if "measured" in unit}
    assert measured == {("0", best): expected, ("2", 0): -1.0}
    exported = http.get(f"/v1/jobs/{job['id']}/export?format=json&rows=units").json
    assert [row["iou"] for row in exported] == pytest.approx([_iou(found, "0", best), _iou(found, "2", 0)])
    assert np.all([row["change"] < 0 for row in exported])
    page = http.get(f"/v1/jobs/{job['id']}/export?format=html")
    assert (page.status_code, b"seed 2 latent 0000" in page.data) == (200, True)


def _iou(found, layer, unit):
    return next(row["match"]["iou"] for row in found if (row["layer"], row["unit"]) == (layer, unit))
