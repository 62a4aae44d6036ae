"""Every call by everybody: the own team, another team, a reader, the holder of a link, and somebody without a key."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from flask import Flask
from flask.testing import FlaskClient

from service.sharing.doors import ALWAYS
from tests.service.conftest import MakeClient
from tests.service.sharing.conftest import Planted, blue  # noqa: F401 (a fixture)
from tests.service.sharing.shared import LAYER, MARK, MODEL, picture

NEW = {"dissection": {"kind": "dissection", "model": MODEL, "dataset": f"{MARK}-images", "layers": [LAYER]}}
UNIT = {"model": MODEL, "layer": LAYER, "unit": 1}
ASSERTED = {"assertions": [{"figure": "detectors", "layer": LAYER, "at_least": 1}]}


class Call(NamedTuple):
    """A call of something of the team blue, and what it answers: to the team itself, and to another one."""

    address: str
    own: int
    other: int
    body: Any = None


EMPTY = 200
"""To another team, whose list of the same has nothing in it."""

CALLS: Mapping[str, Call] = {
    "GET /v1/models": Call("/v1/models", 200, EMPTY),
    "POST /v1/models": Call("/v1/models", 422, 422, {}),
    "GET /v1/models/<name>": Call(f"/v1/models/{MODEL}", 200, 404),
    "GET /v1/models/<name>/layers": Call(f"/v1/models/{MODEL}/layers", 200, 404),
    "GET /v1/datasets": Call("/v1/datasets", 200, EMPTY),
    "POST /v1/datasets": Call("/v1/datasets", 422, 422, {}),
    "GET /v1/datasets/<name>": Call("{dataset}", 200, 404),
    "GET /v1/classes": Call("/v1/classes", 200, EMPTY),
    "GET /v1/classes/<path:name>/explanation": Call("{class}", 200, 422),
    "POST /v1/jobs:estimate": Call("/v1/jobs:estimate", 200, 422, NEW["dissection"]),
    "POST /v1/jobs": Call("/v1/jobs", 202, 422, NEW["dissection"]),
    "GET /v1/jobs": Call("/v1/jobs", 200, EMPTY),
    "GET /v1/jobs/<uuid:job_id>": Call("{job}", 200, 404),
    "GET /v1/jobs/<uuid:job_id>/events": Call("{job}/events", 200, 404),
    "GET /v1/jobs/<uuid:job_id>/summary": Call("{job}/summary", 200, 404),
    "GET /v1/jobs/<uuid:job_id>/export": Call("{job}/export?format=csv", 200, 404),
    "POST /v1/jobs/<uuid:job_id>/cancel": Call("{job}/cancel", 200, 404),
    "POST /v1/jobs/<uuid:job_id>/retry": Call("{job}/retry", 409, 404),
    "POST /v1/jobs/<uuid:job_id>/assertions": Call("{job}/assertions", 200, 404, ASSERTED),
    "GET /v1/jobs/<uuid:a>/diff/<uuid:b>": Call("{comparison}", 200, 404),
    "GET /v1/jobs/<uuid:a>/diff/<uuid:b>/units": Call("{comparison}/units", 200, 404),
    "GET /v1/units": Call("/v1/units", 200, EMPTY),
    "GET /v1/models/<model>/layers/<layer>/units/<int(max=2147483647):unit>": Call("{unit}", 200, 404),
    "GET /v1/concepts": Call("/v1/concepts", 200, EMPTY),
    "GET /v1/attacks": Call("/v1/attacks", 200, EMPTY),
    "GET /v1/interventions": Call("/v1/interventions", 200, EMPTY),
    "GET /v1/images/<digest>": Call(f"/v1/images/{'c' * 64}", 200, 404),
    "POST /v1/models/<name>/paintings": Call(
        f"/v1/models/{MODEL}/paintings", 422, 404, {"latent": {"seed": 1, "index": 0}, "layer": LAYER, "strokes": []}
    ),
    "GET /v1/paintings": Call("/v1/paintings", 200, EMPTY),
    "GET /v1/paintings/<uuid:painting_id>": Call("{painting}", 200, 404),
    "POST /v1/models/<model>/layers/<layer>/units/<int(max=2147483647):unit>/annotations": Call(
        "{unit}/annotations", 201, 404, {"note": "mine"}
    ),
    "GET /v1/annotations": Call("/v1/annotations", 200, EMPTY),
    "GET /v1/annotations/<uuid:annotation_id>": Call("{annotation}", 200, 404),
    "PUT /v1/annotations/<uuid:annotation_id>": Call("{annotation}", 200, 404, {"note": "mine"}),
    "DELETE /v1/annotations/<uuid:annotation_id>": Call("{annotation}", 200, 404),
    "GET /v1/collections": Call("/v1/collections", 200, EMPTY),
    "POST /v1/collections": Call("/v1/collections", 201, 422, {"name": "mine", "units": [UNIT]}),
    "GET /v1/collections/<uuid:collection_id>": Call("{collection}", 200, 404),
    "POST /v1/collections/<uuid:collection_id>/units": Call("{collection}/units", 200, 404, UNIT),
    "PUT /v1/collections/<uuid:collection_id>": Call("{collection}", 200, 404, {"name": "mine too", "version": 2}),
    "DELETE /v1/collections/<uuid:collection_id>": Call("{collection}", 204, 404),
    "GET /v1/shares": Call("/v1/shares", 200, EMPTY),
    "POST /v1/shares": Call("/v1/shares", 201, 404, {"address": f"/v1/models/{MODEL}/layers/{LAYER}/units/1"}),
    "GET /v1/shares/<uuid:share_id>": Call("{share}", 200, 404),
    "DELETE /v1/shares/<uuid:share_id>": Call("{share}", 200, 404),
    "GET /v1/webhooks": Call("/v1/webhooks", 200, EMPTY),
    "POST /v1/webhooks": Call("/v1/webhooks", 422, 422, {"url": "http://127.0.0.1/"}),
    "GET /v1/webhooks/<uuid:webhook_id>": Call("{webhook}", 200, 404),
    "PUT /v1/webhooks/<uuid:webhook_id>": Call("{webhook}", 200, 404, {"url": "https://example.com/", "active": True}),
    "POST /v1/webhooks/<uuid:webhook_id>/rotate": Call("{webhook}/rotate", 200, 404),
    "POST /v1/webhooks/<uuid:webhook_id>/test": Call("{webhook}/test", 202, 404),
    "GET /v1/webhooks/<uuid:webhook_id>/deliveries": Call("{webhook}/deliveries", 200, 404),
    "GET /v1/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>": Call("{delivery}", 200, 404),
    "POST /v1/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/resend": Call("{delivery}/resend", 202, 404),
    "DELETE /v1/webhooks/<uuid:webhook_id>": Call("{webhook}", 204, 404),
    "PUT /v1/artifacts/<digest>": Call(f"/v1/artifacts/{picture(0)}", 200, 422, b"nothing"),
    "GET /v1/artifacts/<digest>": Call(f"/v1/artifacts/{picture(0)}", 200, 404),
    "HEAD /v1/artifacts/<digest>": Call(f"/v1/artifacts/{picture(0)}", 200, 404),
    "GET /v1/members": Call("/v1/members", 200, EMPTY),
    "POST /v1/members": Call("/v1/members", 409, 201, {"name": "ana", "role": "reader"}),
    "PUT /v1/members/<name>": Call(f"/v1/members/{MARK}a", 200, 404, {"role": "member"}),
    "DELETE /v1/members/<name>": Call(f"/v1/members/{MARK}a", 200, 404),
    "GET /v1/keys": Call("/v1/keys", 200, 200),
    "POST /v1/keys": Call("/v1/keys", 404, 404, {"name": "x", "member": f"{MARK}o"}),
    "DELETE /v1/keys/<prefix>": Call("{key}", 200, 404),
    "GET /v1/quotas": Call("/v1/quotas", 200, 200),
    "GET /v1/audit": Call("/v1/audit", 200, 200),
    "GET /v1/session": Call("/v1/session", 200, 200),
}
"""In the order in which they are tried: what ends a thing comes after what looks at it."""

OPEN = {
    "GET /openapi.json",
    "GET /docs",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "POST /v1/session",
    "DELETE /v1/session",
}
"""To everybody; `test_signing` has the last two."""


def calls_of(app: Flask) -> dict[str, Any]:
    """Every call that there is, with its view."""
    found = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(PAGES):
            continue
        methods = (rule.methods or set()) - {"OPTIONS"}
        # HEAD goes where GET goes, but for artifacts, whose view says so itself
        methods -= {"HEAD"} if rule.endpoint != "artifacts.get_artifact" else set()
        found |= {f"{method} {rule.rule}": app.view_functions[rule.endpoint] for method in methods}
    return found


def test_every_call_is_here(app: Flask) -> None:
    assert calls_of(app).keys() == CALLS.keys() | OPEN
    assert {name for name, view in calls_of(app).items() if view.scope is None} == OPEN


def told(text: str, call: Call, address: str) -> str:
    """What a reply tells beside what it was asked: names and words of the request may come back."""
    parts = urlsplit(address)
    words = [*unquote(parts.path).split("/"), *(value for _, value in parse_qsl(parts.query)), *_words(call.body)]
    for word in sorted(filter(None, words), key=len, reverse=True):
        text = text.replace(word, "")
    return text


def _words(body: Any) -> Sequence[str]:
    if isinstance(body, dict | list):
        return [word for value in (body.values() if isinstance(body, dict) else body) for word in _words(value)]
    return [body, *body.split("/")] if isinstance(body, str) else []


def ask(client: FlaskClient, name: str, call: Call, address: str) -> Any:
    method = name.split()[0]
    if isinstance(call.body, bytes):
        return client.open(address, method=method, data=call.body)
    return (
        client.open(address, method=method, json=call.body)
        if call.body is not None
        else client.open(address, method=method)
    )


def test_who_may_do_what(app: Flask, client_of: MakeClient, blue: Planted) -> None:  # noqa: F811
    own = blue.own
    for name in ("ana", f"{MARK}a"):
        own.post("/v1/members", json={"name": name, "role": "reader"})
    key = own.post("/v1/keys", json={"name": f"{MARK} key", "member": f"{MARK}a"}).json["prefix"]
    share = own.post("/v1/shares", json={"address": blue.world.addresses["unit"]})
    webhook = own.post("/v1/webhooks", json={"url": f"https://{MARK}.example/"}).headers["Location"]
    delivery = own.post(f"{webhook}/test").headers["Location"]
    places = {**blue.world.addresses, "share": share.headers["Location"], "key": f"/v1/keys/{key}"}
    places |= {"webhook": webhook, "delivery": delivery}
    link = share.json["links"]["page"].rstrip("/")
    scopes = {name: view.scope for name, view in calls_of(app).items()}
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
            shown = address == blue.world.addresses["unit"]
            wanted = expected(who, name, call, scopes[name], shown=shown)
            reply = ask(client, name, call, link + address if who == "link" else address)
            if reply.status_code != wanted:
                wrong.append((who, name, wanted, reply.status_code, reply.text[:500]))
            wrong += [(who, name, fault) for fault in faults(who, name, call, address, reply)]
    assert not wrong, "\n".join(map(str, wrong))


def faults(who: str, name: str, call: Call, address: str, reply: Any) -> Iterator[str]:
    """What is wrong with a reply: a refusal that is none of the documented ones, or something that it tells."""
    status, body = reply.status_code, reply.get_json(silent=True) or {}  # the answer to HEAD has headers only
    if status >= 400 and not name.startswith("HEAD") and body.get("type") != PROBLEMS.get(status):
        yield f"an undocumented refusal: {body}"
    closed = who == "other" or status in (401, 403) or (who == "link" and status == 404)
    if closed and MARK in told(reply.text, call, address):
        yield f"it tells of the team: {reply.text}"
    if who == "other" and name not in MINE and body.get("data"):
        yield f"it lists what is not theirs: {reply.text}"


MINE = ("GET /v1/keys", "GET /v1/audit", "GET /v1/members")
"""Lists in which the other team finds what it made itself meanwhile."""
PROBLEMS = {
    401: "/problems/unauthorized",
    403: "/problems/forbidden",
    404: "/problems/not-found",
    409: "/problems/conflict",
    422: "/problems/invalid",
}
PAGES = "explorer."
"""Views that answer people, and show what these show."""


def expected(who: str, name: str, call: Call, scope: str, *, shown: bool) -> int:
    if who == "no key":
        return 401
    if who in ("reader", "link") and scope != "read":
        return 403
    if who == "link":
        always = name == "GET /v1/session" and ALWAYS
        return 200 if always or (shown and name.startswith("GET")) else 404
    return call.other if who == "other" else call.own
