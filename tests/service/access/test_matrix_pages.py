"""Every page by everybody: the own team, another team, a reader, the holder of a link, and somebody without a key."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from flask import Flask
from flask.testing import FlaskClient

from tests.service.access.test_matrix import EMPTY, NEW, PAGES, UNIT, Call, told
from tests.service.conftest import MakeClient
from tests.service.sharing.conftest import Planted, blue  # noqa: F401 (a fixture)
from tests.service.sharing.shared import LAYER, MARK, MODEL

AT = "/models/<model>/layers/<layer>/units/<int(max=2147483647):unit>"

CALLS: Mapping[str, Call] = {
    "GET /": Call("/", 200, EMPTY),
    "GET /models": Call("/models", 200, EMPTY),
    "GET /models/<name>": Call(f"/models/{MODEL}", 200, 404),
    "GET /models/<name>/jobs/new": Call(f"/models/{MODEL}/jobs/new", 200, 404),
    "GET /models/<name>/paint": Call(f"/models/{MODEL}/paint", 422, 404),
    "GET /models/<model>/layers/<layer>": Call(f"/models/{MODEL}/layers/{LAYER}", 200, 404),
    f"GET {AT}": Call("{unit}", 200, 404),
    f"POST {AT}/annotations": Call("{unit}/annotations", 303, 404, {"note": "mine"}),
    f"POST {AT}/collect": Call("{unit}/collect", 303, 404, {"name": "mine"}),
    "GET /units": Call("/units", 200, EMPTY),
    "GET /concepts": Call("/concepts", 200, EMPTY),
    "GET /concept": Call(f"/concept?concept={MARK} stripes", 200, 422),
    "GET /classes": Call("/classes", 200, EMPTY),
    "GET /class": Call(f"/class?class=beach&model={MODEL}", 200, 422),
    "GET /attacks": Call("/attacks", 200, EMPTY),
    "GET /images/<digest>": Call(f"/images/{'c' * 64}", 200, 404),
    "GET /jobs": Call("/jobs", 200, EMPTY),
    "GET /jobs/<uuid:job_id>": Call("{job}", 200, 404),
    "GET /compare": Call("/compare?a={a}&b={b}", 200, 404),
    "POST /jobs": Call("/jobs", 303, 422, {"body": json.dumps(NEW["dissection"])}),
    "POST /jobs/<uuid:job_id>/cancel": Call("{job}/cancel", 303, 404),
    "POST /jobs/<uuid:job_id>/retry": Call("{job}/retry", 409, 404),
    "GET /paintings": Call("/paintings", 200, EMPTY),
    "GET /paintings/<uuid:painting_id>": Call("{painting}", 200, 404),
    "POST /paintings/<uuid:painting_id>/repeat": Call("{painting}/repeat", 422, 404),
    "GET /collections": Call("/collections", 200, EMPTY),
    "GET /collections/<uuid:collection_id>": Call("{collection}", 200, 404),
    "POST /collections/<uuid:collection_id>": Call("{collection}", 303, 404, {"version": "1", "name": "mine too"}),
    "POST /collections/<uuid:collection_id>/units/<int(max=1000):position>": Call(
        "{collection}/units/0", 303, 404, {"version": "2", "place": "2"}
    ),
    "GET /shares": Call("/shares", 200, EMPTY),
    "POST /shares": Call("/shares", 201, 404, {"address": f"/v1/models/{MODEL}/layers/{LAYER}/units/{UNIT['unit']}"}),
    "POST /shares/<uuid:share_id>/revoke": Call("{share}/revoke", 303, 404),
}
"""In the order in which they are tried."""

OPEN = {"GET /static/<name>", "GET /sign-in", "POST /sign-in", "POST /sign-out"}
"""To everybody; they show nothing of a team."""


def pages_of(app: Flask) -> dict[str, Any]:
    """Every page and form that there is, with its view."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(PAGES)]
    named = {f"{method} {rule.rule}": rule for rule in rules for method in (rule.methods or set()) & {"GET", "POST"}}
    return {name: app.view_functions[rule.endpoint] for name, rule in named.items()}


def test_every_page_is_here(app: Flask) -> None:
    assert pages_of(app).keys() == CALLS.keys() | OPEN
    assert {name for name, view in pages_of(app).items() if view.scope is None} == OPEN


def test_who_may_see_what(app: Flask, client_of: MakeClient, blue: Planted) -> None:  # noqa: F811
    own, addresses = blue.own, blue.world.addresses
    share = own.post("/v1/shares", json={"address": addresses["unit"]})
    places = {kind: address.removeprefix("/v1") for kind, address in addresses.items()}
    _, _, _, a, _, b = addresses["comparison"].split("/")
    places |= {"share": share.headers["Location"].removeprefix("/v1"), "a": a, "b": b}
    link = share.json["links"]["page"].rstrip("/")
    scopes = {name: view.scope for name, view in pages_of(app).items()}
    callers = {
        "no key": blue.stranger(),
        "link": blue.stranger(),
        "reader": client_of("blue", "read", name="reader"),
        "other": client_of("green", "read", "write", "run", "admin"),
        "own": own,
    }
    wrong = []
    for who, client in callers.items():
        for name, call in CALLS.items():
            address = call.address.format(**places)
            reply = ask(client, name, call, link + address if who == "link" else address)
            wanted = expected(who, name, call, scopes[name], shown=address == places["unit"])
            if reply.status_code != wanted:
                wrong.append((who, name, wanted, reply.status_code, reply.text[-900:]))
            wrong += [(who, name, fault) for fault in faults(who, call, address, reply)]
    assert not wrong, "\n".join(map(str, wrong))


def ask(client: FlaskClient, name: str, call: Call, address: str) -> Any:
    return client.get(address) if name.startswith("GET") else client.post(address, data=call.body or {})


def faults(who: str, call: Call, address: str, reply: Any) -> Iterator[str]:
    """What is wrong with a page: a refusal that is none for people, or something that it tells."""
    status = reply.status_code
    if status >= 400 and (reply.mimetype != "text/html" or f"Status {status}" not in reply.text):
        yield f"a refusal that is no page: {reply.text[:300]}"
    closed = who == "other" or status in (401, 403) or (who == "link" and status == 404)
    if closed and MARK in told(unquote_plus(unquote_plus(reply.text)), _spelt_out(call), address):
        yield f"it tells of the team: {reply.text}"


def _spelt_out(call: Call) -> Call:
    """The call with the JSON that its form holds."""
    fields = (call.body or {}).items()
    return call._replace(body={name: json.loads(text) if text[0] == "{" else text for name, text in fields})


def expected(who: str, name: str, call: Call, scope: str, *, shown: bool) -> int:
    if who == "no key":
        return 401
    if who in ("reader", "link") and scope != "read":
        return 403
    if who == "link":
        return 303 if name == "GET /" else 200 if shown and name.startswith("GET") else 404
    return call.other if who == "other" else call.own
