"""Jobs by their pages: asked for, followed, cancelled, tried again; browsers signed in."""

import json

import pytest
from flask.testing import FlaskClient

from service.database import Sessions
from service.jobs.tables import Job
from tests.service.conftest import MakeClient
from tests.service.explorer.conftest import Read
from tests.service.explorer.filled import HOSTILE, LAYER, Filled
from tests.service.explorer.reading import Page

NEW = "/models/alpha/jobs/new"
ASKED = {"kind": "dissection", "dataset": "photos", "layers": LAYER, "segmentation": "masks", "estimate": "true"}


def test_finished_job(read: Read, filled: Filled) -> None:
    page = read(f"/jobs/{filled.dissection}")
    assert "succeeded" in page.text
    assert any(f"/compare?a={filled.older}" in link for link in page.links)
    assert not page.all("script")


def test_failed_job_can_be_tried_again(client: FlaskClient, read: Read, filled: Filled, sessions: Sessions) -> None:
    address = f"/jobs/{filled.failed}"
    assert HOSTILE in read(address).text
    reply = client.post(f"{address}/retry")
    assert (reply.status_code, reply.headers["Location"]) == (303, address)
    with sessions() as session:
        assert session.get_one(Job, filled.failed).state == "queued"
    assert client.post(f"{address}/retry").status_code == 409


def test_form_estimates_before_it_starts(client: FlaskClient, read: Read, filled: Filled) -> None:
    assert not read(NEW).all("form", method="post")
    page = read(NEW, **ASKED)
    assert "What it would take" in page.text
    (body,) = (field["value"] for field in page.all("input", name="body"))
    assert client.post("/v1/jobs:estimate", json=json.loads(body)).status_code == 200
    assert client.get("/v1/jobs?state=queued").json["data"] == []
    reply = client.post("/jobs", data={"body": body})
    assert reply.status_code == 303
    started = read(reply.headers["Location"])
    assert "next in the queue" in started.text
    assert started.all("script")
    assert started.all("progress")
    (job,) = client.get("/v1/jobs?state=queued").json["data"]
    assert job["params"]["layers"] == [LAYER]
    # the same work asked for twice is done once
    assert client.post("/jobs", data={"body": body}).headers["Location"] == reply.headers["Location"]


def test_waiting_jobs_tell_their_place_and_can_be_cancelled(client: FlaskClient, read: Read, filled: Filled) -> None:
    for images in (8, 16):
        body = json.loads(read(NEW, **ASKED, max_images=images).all("input", name="body")[0]["value"] or "")
        reply = client.post("/jobs", data={"body": json.dumps(body)})
    address = reply.headers["Location"]
    assert "1 job ahead of it" in read(address).text
    assert client.post(f"{address}/cancel").status_code == 303
    assert "canceled" in read(address).text
    assert client.post(f"{address}/cancel").status_code == 303  # ended as it is


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_images": "many"}, "max_images"),
        ({"layers": "conv9"}, "no layer 'conv9'"),
        ({"dataset": "nothing"}, "no dataset is named 'nothing'"),
        ({"layers": ""}, "layers"),
    ],
)
def test_form_says_what_cannot_be_done(read: Read, filled: Filled, wrong: dict[str, str], said: str) -> None:
    page = read(NEW, **{**ASKED, **wrong})
    assert "This cannot be done" in page.text
    assert said in page.text
    assert not page.all("form", method="post")


@pytest.mark.parametrize("body", ["", "{", '{"kind": "dissection"}', '{"kind": "registration"}', "[]"])
def test_wrong_bodies(client: FlaskClient, filled: Filled, body: str) -> None:
    reply = client.post("/jobs", data={"body": body})
    assert reply.status_code in (400, 422)
    assert reply.mimetype == "text/html"


@pytest.mark.parametrize("kind", ["ablation", "attack"])
def test_forms_of_other_kinds(read: Read, filled: Filled, kind: str) -> None:
    more = {"settings.steps": "5", "target": "forest"} if kind == "attack" else {}
    page = read(NEW, kind=kind, dataset="photos", layer=LAYER, estimate="true", **more)
    assert "What it would take" in page.text


def test_other_sites_cannot_start_jobs(client: FlaskClient, filled: Filled) -> None:
    reply = client.post(f"/jobs/{filled.failed}/retry", headers={"Origin": "https://evil.example"})
    assert reply.status_code == 401


def test_signing_in_and_out(client: FlaskClient, client_of: MakeClient, filled: Filled) -> None:
    key = client_of("local", "read").environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    refused = client.get(f"/jobs/{filled.failed}")
    assert refused.status_code == 401
    (link,) = (link for link in Page(refused.text).links if "sign-in" in link)
    form = Page(client.get(link).text)
    (wanted,) = (field["value"] for field in form.all("input", name="next"))
    reply = client.post("/sign-in", data={"key": key, "next": wanted})
    assert (reply.status_code, reply.headers["Location"]) == (303, f"/jobs/{filled.failed}")
    page = client.get(f"/jobs/{filled.failed}")
    assert page.status_code == 200
    assert Page(page.text).all("form", action="/sign-out")
    assert client.post("/sign-out").status_code == 303
    assert client.get(f"/jobs/{filled.failed}").status_code == 401


def test_wrong_keys(client: FlaskClient, filled: Filled) -> None:
    assert client.post("/sign-in", data={"key": "ua_x", "next": "/"}).status_code == 401


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example", "/\\evil.example", "jobs", "/a\nb"])
def test_signing_in_leads_nowhere_else(client: FlaskClient, address: str) -> None:
    assert client.get("/sign-in", query_string={"next": address}).status_code == 422
