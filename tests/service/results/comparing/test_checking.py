"""Assertions over HTTP."""

import uuid
from typing import Any

from flask.testing import FlaskClient

from service.database import Sessions
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.comparing import compared


def assert_of(client: FlaskClient, job: uuid.UUID, *assertions: Any) -> Any:
    return client.post(f"/v1/jobs/{job}/assertions", json={"assertions": assertions})


def test_assertions_are_judged_with_words(client: FlaskClient, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    a, b = two
    given: list[dict[str, Any]] = [
        {"figure": "detectors", "layer": "conv1", "at_least": 2},
        {"figure": "detectors", "layer": "conv1", "no_less_than": {"job": str(a), "minus_percent": 50}},
        {"figure": "dead_units", "layer": "conv1", "no_more_than": {"job": str(a), "layer": "conv1"}},
        {"figure": "detectors", "layer": "conv1", "category": "object", "concept": "tree", "at_least": 1},
    ]
    verdict = assert_of(client, b, *given).json
    assert verdict["passed"] is False
    assert [(judged["passed"], judged["actual"], judged["expected"]) for judged in verdict["assertions"]] == [
        (False, 1, 2),
        (True, 1, 1),
        (True, 1, 1),
        (True, 1, 1),
    ]
    assert [judged["detail"] for judged in verdict["assertions"]] == [
        "conv1 has 1 detector, wanted at least 2",
        f"conv1 has 1 detector, wanted at least 1 (conv1 of job {a} has 2, minus 50 %)",
        f"conv1 has 1 dead unit, wanted at most 1 (conv1 of job {a} has 1)",
        "conv1 has 1 object detector of tree, wanted at least 1",
    ]
    for judged, assertion in zip(verdict["assertions"], given, strict=True):
        bound = next(name for name in ("at_least", "no_less_than", "no_more_than") if name in assertion)
        assert {name: judged[name] for name in assertion if name != bound}.items() <= assertion.items()


HELD: dict[str, Any] = {"figure": "detectors", "layer": "conv1", "at_least": 1}


def relative(job: object, **more: Any) -> dict[str, Any]:
    return {"figure": "detectors", "layer": "conv1", "no_less_than": {"job": str(job), **more}}


def test_bad_assertions_are_pointed_out(
    client: FlaskClient, client_of: MakeClient, sessions: Sessions, two: tuple[uuid.UUID, uuid.UUID], subtests: Any
) -> None:
    a, b = two
    with sessions.begin() as session:
        theirs, _ = compared.plant_two(session, "theirs")
        team = planted.plant_team(session, "local")
        failed = planted.plant_job(session, team, planted.plant_model(session, team, "beta"))
        failed.state = "failed"
        failed = failed.id
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({**HELD, "layer": "conv2"}, "but 'conv1'; did you mean", "/layer"),
        ({**HELD, "category": "objects"}, "did you mean 'object'", "/category"),
        ({**HELD, "concept": "treee"}, "did you mean 'tree'", "/concept"),
        ({**HELD, "concept": "sky", "category": "part"}, "'sky'", "/concept"),
        ({**HELD, "figure": "mean_iou"}, "", "/figure"),
        ({**HELD, "figure": "distinct", "concept": "tree"}, "only detectors", "/concept"),
        ({**HELD, "figure": "mean_best_iou", "category": "object"}, "not mean_best_iou", "/category"),
        ({**HELD, "at_most": 1}, "exactly one of", ""),
        ({"figure": "detectors", "layer": "conv1"}, "exactly one of", ""),
        ({**HELD, "at_least": "1"}, "", "/at_least"),
        ({**HELD, "at_leats": 1}, "", "/at_leats"),
        (relative(uuid.UUID(int=7)), "there is no job", "/no_less_than/job"),
        (relative(theirs), "there is no job", "/no_less_than/job"),
        (relative(failed), "is failed", "/no_less_than/job"),
        (relative(a, layer="conv7"), "but 'conv1'", "/no_less_than/layer"),
        (relative(a, minus_percent=101), "", "/no_less_than/minus_percent"),
        (relative(a, plus_percent=1), "", "/no_less_than/plus_percent"),
    ]
    for assertion, detail, pointer in wrong:
        with subtests.test(str(assertion)):
            compared.refused(assert_of(client, b, HELD, assertion), 422, detail, f"/assertions/1{pointer}")
    compared.refused(assert_of(client, b), 422, "", "/assertions")
    compared.refused(assert_of(client, theirs, HELD), 404, "there is no job")
    compared.refused(assert_of(client, failed, HELD), 409, "is failed")
    assert assert_of(client_of("local", "read"), b, HELD).json["passed"] is True
    assert assert_of(client_of("local", "run"), b, HELD).status_code == 403
