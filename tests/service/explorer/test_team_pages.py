"""What people add by pages: annotations, collections, links."""

import pytest
from flask.testing import FlaskClient

from tests.service.conftest import MakeClient
from tests.service.explorer.conftest import Read
from tests.service.explorer.filled import HOSTILE, LAYER, Filled
from tests.service.explorer.reading import Page

LAYERS = "/models/alpha/layers/conv%3C1%3E&"
UNIT = f"{LAYERS}/units/0"


def test_annotations_with_their_history(client: FlaskClient, read: Read, filled: Filled) -> None:
    assert "Nobody has said anything yet" in read(UNIT).text
    said = {"category": "scene", "concept": HOSTILE, "note": "at dusk"}
    assert client.post(f"{UNIT}/annotations", data=said).status_code == 303
    [written] = client.get(f"/v1{UNIT}").json["annotations"]
    assert (written["label"]["concept"], written["note"]) == (HOSTILE, "at dusk")
    client.put(written["links"]["self"], json={"note": "at noon"})
    page = read(UNIT)
    assert "at noon 1 earlier version" in page.text
    assert f"{HOSTILE} scene" in page.text


@pytest.mark.parametrize(
    ("said", "problem"), [({}, "give a label, a note or both"), ({"concept": "sky"}, "category"), ({"x": "y"}, "x")]
)
def test_annotations_that_say_nothing(client: FlaskClient, filled: Filled, said: dict[str, str], problem: str) -> None:
    reply = client.post(f"{UNIT}/annotations", data=said)
    assert (reply.status_code, reply.mimetype) == (422, "text/html")
    assert problem in Page(reply.text).text


def test_collections_have_notes_and_an_order(client: FlaskClient, read: Read, filled: Filled) -> None:
    address = client.post(f"{UNIT}/collect", data={"name": "horizons", "note": "first"}).headers["Location"]
    collection = address.rpartition("/")[2]
    for unit in (1, 2):
        more = {"collection": collection, "note": f"note {unit}"}
        assert client.post(f"{LAYERS}/units/{unit}/collect", data=more).headers["Location"] == address
    assert client.post(f"{UNIT}/collect", data={"collection": collection}).status_code == 409
    page = read(address)
    [versions] = {field["value"] for field in page.all("input", name="version")}
    moved = {"version": versions, "place": 1, "note": "now first"}
    assert client.post(f"{address}/units/2", data=moved).status_code == 303
    assert client.post(f"{address}/units/0", data=moved).status_code == 409, "somebody was quicker"
    units = client.get(f"/v1{address}").json["units"]
    assert [(unit["unit"], unit["note"]) for unit in units] == [(2, "now first"), (0, "first"), (1, "note 1")]
    taken = {"version": int(versions) + 1, "place": 1, "remove": "true"}
    assert client.post(f"{address}/units/0", data=taken).status_code == 303
    renamed = {"version": int(versions) + 2, "name": "skies", "note": "for the talk"}
    assert client.post(address, data=renamed).status_code == 303
    told = client.get(f"/v1{address}").json
    assert (told["name"], told["note"], [unit["unit"] for unit in told["units"]]) == ("skies", "for the talk", [0, 1])
    assert client.post(f"{address}/units/7", data={"version": told["version"], "place": 1}).status_code == 404
    assert "skies 2 for the talk" in read("/collections").text


def test_a_new_collection_needs_a_name(client: FlaskClient, filled: Filled) -> None:
    assert client.post(f"{UNIT}/collect", data={"note": "x"}).status_code == 422


def test_links_are_made_shown_once_and_revoked(client: FlaskClient, read: Read, filled: Filled) -> None:
    made = client.post("/shares", data={"address": f"/v1{UNIT}", "until": ""})
    assert made.status_code == 201
    [link] = [field["value"] or "" for field in Page(made.text).all("input", id="link")]
    assert client.get(link, follow_redirects=True).status_code == 200
    page = read("/shares")
    assert link not in page.text
    [form] = [form for form in page.all("form", method="post") if "revoke" in (form["action"] or "")]
    assert client.post(form["action"] or "").status_code == 303
    assert client.get(link).status_code == 404
    assert "revoked" in read("/shares").text


def test_links_end_with_the_day(client: FlaskClient, filled: Filled) -> None:
    assert client.post("/shares", data={"address": f"/v1{UNIT}", "until": "2001-01-01"}).status_code == 422
    assert client.post("/shares", data={"address": "/v1/jobs"}).status_code == 422


def test_every_page_of_a_thing_shares_it(client: FlaskClient, read: Read, filled: Filled) -> None:
    place = client.post(f"{UNIT}/collect", data={"name": "horizons"}).headers["Location"]
    for address in (
        UNIT,
        f"{UNIT}?job={filled.older}",
        LAYERS,
        f"{LAYERS}?job={filled.older}",
        f"/jobs/{filled.dissection}",
        f"/jobs/{filled.attack}",
        f"/class?class={HOSTILE.replace('&', '%26').replace('#', '%23')}",
        f"/compare?a={filled.older}&b={filled.dissection}",
        place,
    ):
        page = read(address)
        [shared] = [field["value"] for field in page.all("input", name="address")]
        made = client.post("/shares", data={"address": shared})
        assert made.status_code == 201, (address, made.text)
        [link] = [field["value"] or "" for field in Page(made.text).all("input", id="link")]
        seen = client.get(link, follow_redirects=True)
        assert seen.status_code == 200, address
        assert Page(seen.text).all("h1")
        assert [text for text in Page(seen.text).texts if text.strip() in page.text]


def test_readers_are_offered_nothing_that_writes(client_of: MakeClient, filled: Filled) -> None:
    page = Page(client_of("local", "read").get(UNIT).text)
    assert not [form for form in page.all("form", method="post") if form["action"] != "/sign-out"]
    assert LAYER in page.text
