"""Links from making to ending."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.database import Sessions
from service.sharing.tables import Share
from tests.service.conftest import MakeClient
from tests.service.sharing.conftest import Planted
from tests.service.sharing.shared import LAYER, MODEL

HOUR = timedelta(hours=1)


def test_from_making_to_revoking(blue: Planted, sessions: Sessions) -> None:
    address = blue.world.addresses["class"]
    made = blue.own.post("/v1/shares", json={"address": "/v1/classes/beach/explanation?units=3"})
    assert made.status_code == 201
    told = made.json
    assert (told["kind"], told["author"], told["revoked_at"]) == ("class", "zebra keeper", None)
    assert told["address"] == address, "whatever the team will find later, it stays this one"
    assert datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC) > timedelta(days=29)
    link, stranger = told["links"]["self"], blue.stranger()
    assert stranger.get(link).status_code == 200
    token = told["links"]["page"].split("/")[2]
    known = blue.own.get(made.headers["Location"])
    assert token not in known.text
    assert blue.own.get("/v1/shares").json["data"] == [known.json]
    with sessions() as session:
        assert token not in session.scalars(sa.select(Share.digest)).all()
    for _ in range(2):
        revoked = blue.own.delete(made.headers["Location"])
        assert revoked.json["revoked_at"] is not None
    gone = stranger.get(link)
    assert gone.status_code == 404
    assert gone.json["detail"].startswith("there is no such link")
    audit = blue.own.get("/v1/audit", query_string={"action": "sharing.revoke"}).json["data"]
    assert {entry["subject"] for entry in audit} == {made.headers["Location"]}


LINKS = st.lists(st.integers(1, 6), min_size=1, max_size=3)
HAPPENINGS = st.lists(st.tuples(st.sampled_from(["pass", "revoke"]), st.integers(0, 3)), max_size=5)


def test_a_link_is_open_until_it_ends(blue: Planted, sessions: Sessions) -> None:
    stranger, address = blue.stranger(), blue.world.addresses["unit"]

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(LINKS, HAPPENINGS)
    def run(hours: list[int], happenings: list[tuple[str, int]]) -> None:
        # half an hour more, so that no link ends while the test looks
        ends = [datetime.now(UTC) + hour * HOUR + HOUR / 2 for hour in hours]
        made = [blue.own.post("/v1/shares", json={"address": address, "expires_at": end.isoformat()}) for end in ends]
        left = dict(enumerate(hours))
        for what, number in happenings:
            if what == "pass":
                _pass(sessions, number * HOUR)
                left = {link: hours - number for link, hours in left.items()}
            elif number < len(made):
                blue.own.delete(made[number].headers["Location"])
                left.pop(number, None)
            opened = {i for i, link in enumerate(made) if stranger.get(link.json["links"]["self"]).status_code == 200}
            assert opened == {link for link, hours in left.items() if hours >= 0}

    run()


def _pass(sessions: Sessions, time: timedelta) -> None:
    """Let time pass, as links know it."""
    with sessions.begin() as session:
        for share in session.scalars(sa.select(Share)):
            share.expires_at -= time


@pytest.mark.parametrize(
    ("address", "status", "detail"),
    [
        ("", 422, "/address"),
        ("nowhere", 422, "no address of this service"),
        ("https://elsewhere.example/v1/jobs", 422, "no address of this service"),
        ("//elsewhere.example/v1/jobs", 422, "no address"),
        ("//[", 422, "no address"),
        (f"/v1/units?model={MODEL}&layer=%00", 422, "no address"),
        ("/v1/nowhere", 422, "nothing is at"),
        ("/v1/jobs", 422, "nothing that can be shared"),
        ("/v1/units", 422, "nothing that can be shared"),
        (f"/v1/units?model={MODEL}", 422, "nothing that can be shared"),
        (f"/v1/units?model={MODEL}&layer={LAYER}&concept=tree", 422, "nothing that can be shared"),
        (f"/v1/units?model={MODEL}&layer={LAYER}&layer={LAYER}", 422, "no address"),
        (f"/v1/units?model={MODEL}&layer={LAYER}&job=x", 422, "not the id of a job"),
        (f"/v1/units?model={MODEL}&layer=conv9", 404, "no layer 'conv9'"),
        (f"/v1/models/{MODEL}", 422, "nothing that can be shared"),
        (f"/v1/models/{MODEL}/layers/{LAYER}/units/99", 404, "no unit 99"),
        ("/v1/classes/desert/explanation", 404, "no class is named 'desert'"),
        ("/v1/jobs/00000000-0000-0000-0000-000000000000", 404, "there is no job"),
        ("/healthz", 422, "nothing that can be shared"),
    ],
)
def test_what_cannot_be_shared(blue: Planted, address: str, status: int, detail: str) -> None:
    refused = blue.own.post("/v1/shares", json={"address": address})
    assert refused.status_code == status, refused.json
    assert detail in refused.json["detail"]
    assert blue.own.get("/v1/shares").json["data"] == []


def test_ends_that_are_none(blue: Planted) -> None:
    for away in (-HOUR, timedelta(0), timedelta(days=367)):
        body = {"address": blue.world.addresses["unit"], "expires_at": (datetime.now(UTC) + away).isoformat()}
        refused = blue.own.post("/v1/shares", json=body)
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/expires_at")


def test_teams_never_meet(blue: Planted, client_of: MakeClient) -> None:
    made = blue.own.post("/v1/shares", json={"address": blue.world.addresses["unit"]})
    green = client_of("green", "read", "write")
    assert green.get("/v1/shares").json["data"] == []
    assert green.get(made.headers["Location"]).status_code == 404
    assert green.delete(made.headers["Location"]).status_code == 404
    for address in blue.world.addresses.values():
        assert green.post("/v1/shares", json={"address": address}).status_code in (404, 422)
    assert client_of("blue", "read").post("/v1/shares", json={"address": "/"}).status_code == 403
    assert blue.stranger().get(made.json["links"]["self"]).status_code == 200
