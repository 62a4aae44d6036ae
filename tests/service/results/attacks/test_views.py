"""Attacked images, what attacks did to units, and what is known of an image, over HTTP."""

import uuid
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from service.catalog.queries import class_ids, concept_ids, find_model
from service.database import Sessions
from service.results.queries import LabelResult, UnitResult
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.attacks import attacked
from tests.service.results.attacks.attacked import ADVERSARIAL, METHOD, ORIGINAL, PICTURE
from tests.service.results.effects import removed

UNITS = "/v1/models/alpha/layers/conv1/units"
IMAGE = "e" * 64


class Planted(NamedTuple):
    """A dissection, an ablation and two attacks of `alpha`; the second one has no target."""

    dissection: uuid.UUID
    first: uuid.UUID
    second: uuid.UUID


def plant(sessions: Sessions, team_name: str) -> Planted:
    with sessions.begin() as session:
        team = planted.plant_team(session, team_name)
        model = planted.plant_model(session, team, "alpha")
        beach, forest = class_ids(session, model.id)
        (tree,) = concept_ids(session, team, [("object", "tree")])
        dissection = planted.plant_job(session, team, model)
        tops = [{"image": "a.png", "digest": "c" * 64, "peak": 4.0}, {"image": "b.png", "digest": IMAGE, "peak": 3.0}]
        again = [*tops, {"image": "copy.png", "digest": IMAGE, "peak": 2.0}]
        units = [
            UnitResult(index=0, threshold=1.5, labels=[LabelResult(tree, 1, 0.25, 25, 100)], top_images=again),
            UnitResult(index=1, labels=[], top_images=tops[::-1]),
            UnitResult(index=2, labels=[], top_images=tops[:1]),
        ]
        planted.dissect(session, dissection, ["conv1"], {"conv1": units})
        effects = [removed.effect(beach, unit, rank) for rank, unit in enumerate((1, 0, 2), 1)]
        removed.ablate(session, planted.plant_job(session, team, model, "ablation"), "conv1", effects)
        first = attacked.plant_job(session, team, model)
        kept = {"original": ORIGINAL, "adversarial": ADVERSARIAL, "picture": PICTURE}
        more = {"digest": IMAGE, "true": forest, "transfers": {"beta": ["sea", "sky"]}}
        images = [
            attacked.image(0, forest, beach, **kept | more),
            attacked.image(1, beach, beach, "already_target"),
            attacked.image(2, forest, beach, "failed"),
        ]
        moves = attacked.shifts(session, model.id, "conv1", [0.25, -1.5, 0.125])
        attacked.attack(session, first, beach, images, moves, name="beach")
        second = attacked.plant_job(session, team, model, "fgsm")
        images = [attacked.image(0, beach, None, result=forest, digest=IMAGE)]
        moves = attacked.shifts(session, model.id, "conv1", [-2.0, 1.0, 0.0])
        attacked.attack(session, second, None, images, moves)
        return Planted(dissection.id, first.id, second.id)


@pytest.fixture
def jobs(sessions: Sessions) -> Planted:
    return plant(sessions, "local")


def fooled(jobs: Planted) -> dict[str, Any]:
    """The image that the first attack fooled the network with."""
    return {
        "model": "alpha",
        "job": str(jobs.first),
        "method": METHOD,
        "position": 0,
        "image": "images/0.png",
        "digest": IMAGE,
        "true": "forest",
        "source": "forest",
        "target": "beach",
        "result": "beach",
        "outcome": "succeeded",
        "l2": 0.5,
        "linf": 0.01,
        "restored_by": {"conv1": 2},
        "transfers": {"beta": ["sea", "sky"]},
        "links": {
            "job": f"/v1/jobs/{jobs.first}",
            "image": f"/v1/images/{IMAGE}",
            "original": f"/v1/artifacts/{ORIGINAL}",
            "adversarial": f"/v1/artifacts/{ADVERSARIAL}",
            "picture": f"/v1/artifacts/{PICTURE}",
        },
    }


def shift(job: uuid.UUID, target: str | None, change: float, rank: int) -> dict[str, Any]:
    ends = {"mean_peak_change_low": change - 0.5, "mean_peak_change_high": change + 0.5}
    return {"attack": str(job), "target": target, "mean_peak_change": change, **ends, "rank": rank}


def test_attacked_images_come_newest_attack_first_in_order(client: FlaskClient, jobs: Planted) -> None:
    listed = client.get("/v1/attacks").json["data"]
    assert [(row["job"], row["position"]) for row in listed] == [
        (str(jobs.second), 0),
        *((str(jobs.first), position) for position in range(3)),
    ]
    assert listed[1] == fooled(jobs)
    assert (listed[0]["target"], listed[0]["method"], listed[0]["result"]) == (None, "fgsm", "forest")
    unchanged = listed[3]
    assert [unchanged[name] for name in ("l2", "linf", "restored_by", "transfers")] == [None] * 4
    assert (unchanged["result"], set(unchanged["links"])) == ("forest", {"job", "image"})
    found = client.get("/v1/attacks?model=alpha&source=forest&target=beach&outcome=succeeded").json["data"]
    assert found == [fooled(jobs)]
    assert client.get(f"/v1/attacks?job={jobs.second}").json["data"] == listed[:1]


def test_a_bad_filter_is_pointed_out(client: FlaskClient, jobs: Planted) -> None:
    for query, pointer in (
        ("target=beech", "query:target"),
        ("outcome=won", "query:outcome"),
        ("sort=l2", "query:sort"),
    ):
        reply = client.get(f"/v1/attacks?{query}")
        assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, pointer)
    reply = client.get(f"/v1/attacks?job={jobs.dissection}")
    assert "is of kind dissection; GET /v1/jobs?kind=attack lists" in reply.json["detail"]


def test_units_of_a_class_tell_how_the_newest_attack_towards_it_moved_them(
    client: FlaskClient, sessions: Sessions, jobs: Planted
) -> None:
    found = client.get("/v1/units?class=beach").json["data"]
    assert [row["shift"] for row in found] == [
        shift(jobs.first, "beach", -1.5, 1),
        shift(jobs.first, "beach", 0.25, 2),
        shift(jobs.first, "beach", 0.125, 3),
    ]
    assert "shift" not in client.get("/v1/units?concept=tree").json["data"][0]
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        model = find_model(session, team, "alpha")
        beach, forest = class_ids(session, model.id)
        newer = attacked.plant_job(session, team, model)
        moves = attacked.shifts(session, model.id, "conv1", [1.0, 2.0])
        attacked.attack(session, newer, beach, [], moves, name="beach")
        elsewhere = attacked.plant_job(session, team, model, layers=["conv2"])
        moves = attacked.shifts(session, model.id, "conv2", [9.0, 9.0, 9.0])
        attacked.attack(session, elsewhere, beach, [], moves, name="beach")
        other = attacked.plant_job(session, team, model)
        moves = attacked.shifts(session, model.id, "conv1", [5.0, 4.0, 3.0])
        attacked.attack(session, other, forest, [], moves, name="forest")
    found = client.get("/v1/units?class=beach").json["data"]
    assert [row["shift"] for row in found] == [
        shift(newer.id, "beach", 2.0, 1),
        shift(newer.id, "beach", 1.0, 2),
        shift(jobs.first, "beach", 0.125, 3),  # the newer one did not watch it
    ]
    assert client.get(f"{UNITS}/0").json["attacks"] == [
        shift(jobs.second, None, -2.0, 1),
        shift(other.id, "forest", 5.0, 1),
        shift(newer.id, "beach", 1.0, 2),
    ]


def test_a_unit_that_no_attack_watched_was_not_moved(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        model = planted.plant_model(session, team, "alpha")
        effects = [removed.effect(class_ids(session, model.id)[0], 0, 1)]
        removed.ablate(session, planted.plant_job(session, team, model, "ablation"), "conv1", effects)
    (found,) = client.get("/v1/units?class=beach").json["data"]
    assert "shift" not in found
    assert client.get(f"{UNITS}/0").json["attacks"] == []


def test_a_unit_that_attacks_alone_watched_is_there(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        model = planted.plant_model(session, team, "alpha")
        job = attacked.plant_job(session, team, model)
        attacked.attack(session, job, None, [], attacked.shifts(session, model.id, "conv1", [0.5]))
    unit = client.get(f"{UNITS}/0").json
    assert (unit["label"], unit["importance"], unit["effects"]) == (None, None, [])
    assert unit["attacks"] == [shift(job.id, None, 0.5, 1)]
    assert client.get(f"{UNITS}/1").status_code == client.get(f"{UNITS}/0?job={job.id}").status_code == 404


def test_an_image_is_known_by_its_attacks_and_top_units(client: FlaskClient, jobs: Planted) -> None:
    found = client.get(f"/v1/images/{IMAGE}").json
    assert found["digest"] == IMAGE
    assert found["names"] == ["b.png", "images/0.png"]
    assert found["predictions"] == [{"model": "alpha", "class": "beach"}]  # as the newest attack saw it
    assert [row["job"] for row in found["attacks"]] == [str(jobs.second), str(jobs.first)]
    assert found["attacks"][1] == fooled(jobs)
    assert [(row["unit"], row["rank"], row["peak"]) for row in found["top_units"]] == [(1, 1, 3.0), (0, 2, 3.0)]
    unit = {name: value for name, value in found["top_units"][1].items() if name not in ("rank", "peak")}
    assert [unit] == client.get("/v1/units?detectors=true").json["data"]
    only_units = client.get(f"/v1/images/{'c' * 64}").json
    assert (only_units["attacks"], only_units["predictions"], only_units["names"]) == ([], [], ["a.png"])
    assert [row["unit"] for row in only_units["top_units"]] == [0, 2, 1]
    only_attacks = client.get(f"/v1/images/{1:064x}").json
    assert (only_attacks["top_units"], len(only_attacks["attacks"])) == ([], 1)


def test_an_image_is_shown_the_newest_dissections_alone(client: FlaskClient, sessions: Sessions, jobs: Planted) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        job = planted.plant_job(session, team, find_model(session, team, "alpha"))
        top = {"image": "b.png", "digest": IMAGE, "peak": 7.0}
        units = [UnitResult(index=0, labels=[], top_images=[top]), UnitResult(index=1, labels=[])]
        planted.dissect(session, job, ["conv1"], {"conv1": units})
    found = client.get(f"/v1/images/{IMAGE}").json["top_units"]
    assert [(row["unit"], row["rank"], row["peak"], row["links"]["job"]) for row in found] == [
        (0, 1, 7.0, f"/v1/jobs/{job.id}")
    ]
    assert client.get(f"/v1/images/{'c' * 64}").status_code == 404


def test_an_image_that_nothing_knows_is_not_there(client: FlaskClient, jobs: Planted) -> None:
    for digest in ("f" * 64, "sky.png"):
        reply = client.get(f"/v1/images/{digest}")
        assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")
        assert "nothing is known of an image" in reply.json["detail"]


def test_a_class_is_explained_by_attacks_towards_it_and_from_it(
    client: FlaskClient, sessions: Sessions, jobs: Planted
) -> None:
    explained = client.get("/v1/classes/beach/explanation?layer=conv1&units=2").json["attacks"]
    share = {"images": 3, "mean": 1.5, "low": 1.0, "high": 2.0}
    group = share | {"absolute_mean": 3.0, "absolute_low": 2.75, "absolute_high": 3.25}
    groups = {"target": group, "source": group | {"mean": -2.5}, "others": None}

    def move(unit: int, change: float, rank: int) -> dict[str, Any]:
        moved = shift(uuid.UUID(int=0), None, change, rank)
        return {"unit": unit} | {name: value for name, value in moved.items() if name not in ("attack", "target")}

    assert explained["as_target"] == {
        "job": str(jobs.first),
        "method": METHOD,
        "target": "beach",
        "images": 2,
        "succeeded": 1,
        "success_rate": 0.5,
        "mean_l2": 0.5,
        "groups": groups,
        "most_moved": share | {"chance": 0.25},
        "units": [move(1, -1.5, 1), move(0, 0.25, 2)],
        "links": {"job": f"/v1/jobs/{jobs.first}", "images": f"/v1/attacks?job={jobs.first}&target=beach"},
    }
    (source,) = explained["as_source"]
    assert source["links"]["images"] == f"/v1/attacks?job={jobs.second}&source=beach"
    assert (source["job"], source["target"], source["images"], source["success_rate"]) == (
        str(jobs.second),
        None,
        1,
        1.0,
    )
    assert source["units"] == [move(1, 1.0, 2), move(0, -2.0, 1)]
    for attack in (explained["as_target"], source):
        assert client.get(attack["links"]["images"]).status_code == 200


def test_the_newest_attack_that_watched_the_layer_explains_a_class(
    client: FlaskClient, sessions: Sessions, jobs: Planted
) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "local")
        model = find_model(session, team, "alpha")
        beach, forest = class_ids(session, model.id)
        newer = attacked.plant_job(session, team, model, "fgsm")
        images = [attacked.image(place, forest, beach, "failed") for place in range(3)]
        nothing = {"layer": "conv1", "images": 0, "groups": None, "most_moved": None}
        attacked.attack(session, newer, beach, images, name="beach", layers=[nothing])
        towards_forest = [attacked.image(place, beach, forest) for place in range(2)]
        attacked.attack(session, newer, forest, towards_forest, name="forest")
        elsewhere = attacked.plant_job(session, team, model, layers=["conv2"])
        attacked.attack(session, elsewhere, beach, [attacked.image(0, forest, beach)], name="beach")
    explained = client.get("/v1/classes/beach/explanation?layer=conv1").json["attacks"]
    towards = explained["as_target"]
    assert (towards["job"], towards["images"], towards["success_rate"]) == (str(newer.id), 3, 0.0)
    assert (towards["mean_l2"], towards["groups"], towards["most_moved"], towards["units"]) == (None, None, None, [])
    found = [(row["target"], row["images"], row["succeeded"], row["mean_l2"]) for row in explained["as_source"]]
    assert found == [("forest", 2, 2, 1.0), (None, 1, 1, 0.5)]


def test_a_team_sees_its_own_only(client_of: MakeClient, sessions: Sessions) -> None:
    owner, stranger = client_of("ours", "read"), client_of("theirs", "read")
    jobs = plant(sessions, "ours")
    for address in (f"/v1/images/{IMAGE}", "/v1/attacks?model=alpha", f"/v1/attacks?job={jobs.first}"):
        assert owner.get(address).status_code == 200
        assert stranger.get(address).status_code in (404, 422)
    assert stranger.get("/v1/attacks").json == {"data": [], "next_cursor": None}
    theirs = plant(sessions, "theirs")
    for client, own in ((owner, jobs), (stranger, theirs)):
        assert {row["job"] for row in client.get("/v1/attacks").json["data"]} == {str(own.first), str(own.second)}
        found = client.get(f"/v1/images/{IMAGE}").json
        assert [row["job"] for row in found["attacks"]] == [str(own.second), str(own.first)]
        assert len(found["top_units"]) == 2
        assert {row["shift"]["attack"] for row in client.get("/v1/units?class=beach").json["data"]} == {str(own.first)}
        assert [row["attack"] for row in client.get(f"{UNITS}/1").json["attacks"]] == [str(own.first), str(own.second)]
        explained = client.get("/v1/classes/beach/explanation").json["attacks"]
        assert explained["as_target"]["job"] == str(own.first)
        assert [row["job"] for row in explained["as_source"]] == [str(own.second)]
