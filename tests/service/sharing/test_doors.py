"""What links open, held against all else that the team has."""

import pytest
from flask import Flask

from service.sharing.doors import ALWAYS, ENTRANCE, KINDS, Door
from tests.service.sharing.conftest import Planted
from tests.service.sharing.shared import LAYER, MARK, MODEL, NUMBERS, OTHER, picture

SHARED = ["unit", "old unit", "layer", "old layer", "job", "attack", "class", "comparison", "painting", "collection"]


def also_open(kind: str, address: str) -> set[str]:
    """What belongs to a thing, beside its own address."""
    job = address.rpartition("/")[2]
    if kind == "job":
        return {f"{address}/events", f"{address}/summary", f"/v1/units?job={job}"}
    if kind == "attack":
        return {f"{address}/events", f"{address}/summary", f"/v1/attacks?job={job}"}
    if kind == "comparison":
        return {f"{address}/units", f"{address}?layer_a={LAYER}", f"{address}/units?layer_a={LAYER}&layer_b={LAYER}"}
    if "layer" in kind:
        return {f"{address}&min_iou=0.1&detectors=true&sort=-unit&limit=1"}
    return {f"{address}&units=1"} if kind == "class" else set()


def everything(blue: Planted) -> set[str]:
    """The addresses of all that the team has, and of lists of it."""
    addresses = blue.world.addresses
    found = {*addresses.values(), *(also for kind in SHARED for also in also_open(kind, addresses[kind]))}
    lists = {"models", "datasets", "jobs", "units", "concepts", "classes", "attacks", "paintings", "interventions"}
    lists |= {"annotations", "collections", "shares", "members"}
    found |= {f"/v1/{name}" for name in lists}
    unit, layer, job = addresses["unit"], addresses["layer"], addresses["job"].rpartition("/")[2]
    found |= {f"{unit}?job={job}", unit.replace("units/1", "units/2"), f"{layer}&job={job}", f"{layer}&concept=x"}
    found |= {
        f"{layer}&layer={OTHER}",
        f"/v1/units?layer={LAYER}&model={MODEL}&class=beach",
        f"/v1/units?job={job}&x=1",
    }
    found |= {f"{addresses['job']}/export", f"/v1/models/{MODEL}/layers", f"/v1/images/{'c' * 64}"}
    return found


def test_a_link_shows_its_thing_and_nothing_else(blue: Planted) -> None:
    stranger = blue.stranger()
    for kind in SHARED:
        address = blue.world.addresses[kind]
        link = blue.share(address)
        opened = {address, *also_open(kind, address)}
        for asked in everything(blue) | opened:
            reply = stranger.get(link + asked)
            if asked in opened:
                assert reply.status_code == 200, (kind, asked, reply.text)
                assert reply.text == blue.own.get(asked).text, "it is what the team sees"
            else:
                assert reply.status_code == 404, (kind, asked)
                assert reply.json["detail"] == "the link does not show this"
        shown = {n for n in NUMBERS if stranger.get(f"{link}/v1/artifacts/{picture(n)}").status_code == 200}
        assert {picture(n) for n in shown} == blue.world.pictures[kind], kind


def test_a_link_changes_nothing(blue: Planted) -> None:
    stranger = blue.stranger()
    for kind, body in [("collection", {"name": "x", "version": 1}), ("annotation", {"note": "x"})]:
        address = blue.world.addresses[kind]
        link = blue.share(blue.world.addresses["unit" if kind == "annotation" else kind])
        assert stranger.put(link + address, json=body).status_code == 403
        assert stranger.delete(link + address).status_code == 403
    unit = blue.world.addresses["unit"]
    assert stranger.post(f"{link}{unit}/annotations", json={"note": "x"}).status_code == 403
    job = blue.share(blue.world.addresses["job"])
    for asked in ("cancel", "retry"):
        assert stranger.post(f"{job}{blue.world.addresses['job']}/{asked}").status_code == 403
    assert stranger.post(f"{job}{blue.world.addresses['job']}/assertions", json={}).status_code == 404
    assert stranger.post(f"{job}/v1/jobs:estimate", json={}).status_code == 404


def test_a_link_is_no_key(blue: Planted) -> None:
    link = blue.share(blue.world.addresses["unit"])
    token = link.rpartition("/")[2]
    stranger = blue.stranger()
    told = stranger.get(f"{link}/v1/session").json
    assert (told["team"], told["name"], told["scopes"], told["share"]["kind"]) == (None, "link", ["read"], "unit")
    assert MARK not in str({**told, "share": None})
    assert stranger.get(blue.world.addresses["unit"]).status_code == 401
    bearer = {"Authorization": f"Bearer {token}"}
    assert stranger.get(blue.world.addresses["unit"], headers=bearer).status_code == 401
    assert stranger.post("/v1/session", json={"key": token}).status_code == 401
    # nor does a key open more behind a link
    assert blue.own.get(f"{link}/v1/keys").status_code == 403
    assert blue.own.get(f"{link}/v1/jobs").status_code == 404


@pytest.mark.parametrize("path", ["/shared", "/shared/", "/shared/x/", "/shared/x/v1/units", "/shared/../v1/units"])
def test_no_link(blue: Planted, path: str) -> None:
    assert blue.stranger().get(path).status_code in (401, 404)


def test_doors_are_views_that_read(app: Flask) -> None:
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
    doors = [(kind, door) for kind in KINDS.values() for door in (*kind.doors, *kind.pages)]
    for kind, door in [*doors, (None, ENTRANCE), *((None, Door(view=view)) for view in ALWAYS)]:
        view = app.view_functions[door.view]
        assert view.scope == "read"  # type: ignore[attr-defined]
        assert {*door.path} == rules[door.view].arguments
        assert kind is None or {*door.path.values(), *door.query.values(), *door.within} <= {*kind.fields}
    for kind in KINDS.values():
        for first in (kind.doors[0], kind.pages[0]):
            assert {*first.path.values(), *first.query.values(), *first.within} == {*kind.fields}
