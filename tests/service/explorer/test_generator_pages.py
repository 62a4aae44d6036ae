"""Pages of generators: painting, forms, interventions, units with their measured effect."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.context import Services
from service.database import Sessions
from tests.service.conftest import MakeClient
from tests.service.explorer.conftest import Read
from tests.service.explorer.drawn import LAYER, MASK, MODEL, Drawn, draw
from tests.service.explorer.filled import Filled
from tests.service.explorer.test_walk import check_structure, walk

PAINT, NEW = f"/models/{MODEL}/paint", f"/models/{MODEL}/jobs/new"
TREE = '{"category": "object", "name": "tree"}'


@pytest.fixture
def drawn(app: Flask, sessions: Sessions) -> Drawn:
    """What the local team has of a generator."""
    made: Services = app.extensions["unitatlas"]
    with sessions.begin() as session:
        return draw(session, made.store, "local")


def test_every_link_leads_somewhere(client: FlaskClient, drawn: Drawn) -> None:
    pages = walk(client, "/", f"/paintings/{drawn.painting}")
    for address, page in pages.items():
        check_structure(address, page)
    for address in (PAINT, f"{NEW}?kind=intervention", f"/jobs/{drawn.intervention}", f"/paintings/{drawn.painting}"):
        assert address in pages


def test_a_painting(read: Read, drawn: Drawn) -> None:
    page = read(f"/paintings/{drawn.painting}")
    assert "tree object 2 → 7 (+5) 40 → 30 (-10)" in page.text
    assert "1 draw tree object 2 0.5 2 of 16" in page.text
    assert "<i>hostile</i>" in page.text
    [cells] = [attrs for tag, attrs in page.elements if tag == "rect"]
    assert (cells["x"], cells["y"], cells["width"]) == ("0", "0", "2")
    assert page.all("meta", property="og:image")[0]["content"] == f"http://localhost{page.all('img')[1]['src']}"


def test_the_paint_page_goes_on_from_a_painting(read: Read, drawn: Drawn) -> None:
    page = read(PAINT, painting=drawn.painting)
    [easel] = page.all("div", class_="easel")
    document = json.loads(easel["data-document"] or "")
    assert (document["latent"], document["layer"]) == ({"seed": 1, "index": 12}, LAYER)
    assert document["strokes"][0]["mask"] == MASK
    assert (easel["data-size"], easel["data-cells"]) == ("16,24", "4,4")
    assert [option["value"] for option in page.all("option") if "value" in option] == [TREE]
    assert "Drawing needs JavaScript" in page.text
    read(PAINT, 404, painting="01900000-0000-7000-8000-000000000000")


def test_the_paint_page_of_a_latent(client: FlaskClient, client_of: MakeClient, read: Read, drawn: Drawn) -> None:
    page = read(PAINT, layer="layer2", seed=7, index=3)
    [easel] = page.all("div", class_="easel")
    wanted = {"latent": {"seed": 7, "index": 3}, "layer": "layer2", "strokes": []}
    assert json.loads(easel["data-document"] or "") == wanted
    assert "data-painted" not in easel
    assert "layer9" in read(PAINT, 404, layer="layer9").text
    reader = client_of("local", "read").get(PAINT)
    assert "needs a key with the scope run" in reader.text.replace("<code>", "").replace("</code>", "")
    assert "paint.js" not in reader.text


def test_only_generators_paint(read: Read, filled: Filled) -> None:
    assert "is a classifier" in read("/models/alpha/paint", 422).text


def test_generators_need_no_dataset(read: Read, drawn: Drawn) -> None:
    assert "New intervention" in read(f"/models/{MODEL}").text
    for kind in ("dissection", "intervention"):
        assert not read(NEW, kind=kind).all("select", name="dataset")
    assert "of that there is dissection or intervention" in read(NEW, 422, kind="attack").text


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (
            {"kind": "dissection", "layers": LAYER, "segmentation": "colors", "latents.seed": 4, "latents.count": 8},
            {"layers": [LAYER], "segmentation": ["colors"], "latents": {"seed": 4, "count": 8}},
        ),
        (
            {
                "kind": "intervention",
                "layer": LAYER,
                "units.concept": TREE,
                "units.top": 2,
                "action": "insert",
                "where": "each-cell",
                "ranking": "",
            },
            {
                "layer": [LAYER],
                "units": {"concept": json.loads(TREE), "top": 2},
                "action": "insert",
                "where": "each-cell",
            },
        ),
    ],
)
def test_forms_of_generators(
    client: FlaskClient, read: Read, drawn: Drawn, given: dict[str, object], body: dict[str, object]
) -> None:
    page = read(NEW, **given, estimate="true")
    assert "What it would take" in page.text
    [sent] = (field["value"] for field in page.all("input", name="body"))
    assert json.loads(sent or "") == {"kind": given["kind"], "model": MODEL, **body}
    started = client.post("/jobs", data={"body": sent})
    assert started.status_code == 303
    assert "next in the queue" in read(started.headers["Location"]).text


def test_ranking_is_asked_for(read: Read, drawn: Drawn) -> None:
    given = {"kind": "intervention", "layer": LAYER, "units.concept": TREE, "ranking": "{}"}
    page = read(NEW, **given, estimate="true")
    assert "This cannot be done" not in page.text
    [sent] = (field["value"] for field in page.all("input", name="body"))
    assert json.loads(sent or "")["ranking"] == {}


def test_an_intervention(read: Read, drawn: Drawn) -> None:
    page = read(f"/jobs/{drawn.intervention}")
    for part in (
        "iou 2 -50.0 % [-75.0, -25.0] +50.0 % [-75.0, -25.0] sky +2.5 % sky 499 2.5 1.25",
        "unit 5 2 -50.0 % [-75.0, -25.0] 1",
        "sky object 8, few 4 +1.5 \N{EN DASH} +25.0 %",
        "2 units; tree 60 → 20 pixels",
        "2 units in cell 1, 3",
        "correlate with -1.00",
    ):
        assert part in page.text
    assert len(page.all("img", alt="Before")) == 2


def test_a_unit_has_its_measured_effect_beside_its_iou(client: FlaskClient, read: Read, drawn: Drawn) -> None:
    page = read(f"/models/{MODEL}/layers/{LAYER}/units/5")
    assert "What removing it does to the pictures" in page.text
    assert "tree object 0.400 -50.0 % [-62.5, -25.0] 1 job" in page.text
    assert "removed: -50.0 % pixels of it [-62.5, -25.0]" in read("/units", model=MODEL, concept="tree").text
    assert "What removing it does" not in read(f"/models/{MODEL}/layers/{LAYER}/units/3").text


def test_other_teams_see_no_paintings(client_of: MakeClient, drawn: Drawn) -> None:
    green = client_of("green", "read", "run")
    assert green.get(f"/paintings/{drawn.painting}").status_code == 404
    assert green.post(f"/paintings/{drawn.painting}/repeat").status_code == 404
    assert MODEL not in green.get("/paintings").text
