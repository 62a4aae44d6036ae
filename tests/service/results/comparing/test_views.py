"""Comparisons and assertions over HTTP, against brute force over planted dissections, on both databases."""

import math
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.catalog.queries import concept_ids
from service.database import Sessions
from service.jobs.tables import Job
from service.results.queries import LabelResult, UnitResult
from tests.service.conftest import MakeClient
from tests.service.results import planted
from tests.service.results.comparing import compared
from tests.service.results.planted import Known

LAYERS = st.sampled_from([None, None, "conv1", "conv2"])


@pytest.fixture(params=[1, 4])
def jobs(sessions: Sessions, request: pytest.FixtureRequest) -> dict[uuid.UUID, compared.Layers]:
    with sessions.begin() as session:
        return compared.plant(session, planted.plant_team(session, "local"), request.param)


def ask(client: FlaskClient, address: str, **query: Any) -> Any:
    reply = client.get(address, query_string={name: value for name, value in query.items() if value is not None})
    return reply.json if reply.status_code == 200 else reply.status_code


def test_a_comparison_is_what_brute_force_finds(client: FlaskClient, jobs: dict[uuid.UUID, compared.Layers]) -> None:
    some = st.sampled_from([*jobs])

    @hypothesis_settings(max_examples=60, deadline=None)
    @given(a=some, b=some, layer_a=LAYERS, layer_b=LAYERS)
    def check(a: uuid.UUID, b: uuid.UUID, layer_a: str | None, layer_b: str | None) -> None:
        found = ask(client, f"/v1/jobs/{a}/diff/{b}", layer_a=layer_a, layer_b=layer_b)
        pairs = compared.pairs(jobs[a], jobs[b], layer_a, layer_b)
        if not pairs:
            assert found == 422
            return
        assert [(pair["a"]["layer"], pair["b"]["layer"]) for pair in found["layers"]] == pairs
        assert found["only_in_a"] == [x for x in jobs[a] if layer_a in (None, x) and x not in {x for x, _ in pairs}]
        assert found["only_in_b"] == [y for y in jobs[b] if layer_b in (None, y) and y not in {y for _, y in pairs}]
        for (x, y), pair in zip(pairs, found["layers"], strict=True):
            check_figures(jobs[a][x], pair["a"])
            check_figures(jobs[b][y], pair["b"])
            check_concepts(jobs[a][x], jobs[b][y], pair)
            check_changes(jobs[a][x], jobs[b][y], pair["by_unit"] if x == y else None)
            assert (pair["by_unit"] is None) == (x != y) == (pair["links"] == {})

    check()


def check_figures(units: list[Known], found: dict[str, Any]) -> None:
    assert found["units"] == len(units)
    assert found["detectors"] == sum(unit.detector for unit in units)
    assert found["mean_best_iou"] == pytest.approx(sum(map(compared.iou, units)) / len(units), rel=1e-12)
    detected = {compared.label(unit) for unit in units if unit.detector}
    assert sum(found["distinct"].values()) == len(detected)


def check_concepts(a: list[Known], b: list[Known], found: dict[str, Any]) -> None:
    in_a, in_b = compared.concepts(a), compared.concepts(b)
    names = sorted(name for name in planted.CONCEPTS if in_a[name]["units"] or in_b[name]["units"])
    assert found["concepts"] == [
        {"category": name[0], "concept": name[1], "a": in_a[name], "b": in_b[name]} for name in names
    ]

    def only(these: dict[Any, Any], those: dict[Any, Any]) -> list[dict[str, str]]:
        wanted = [name for name in names if these[name]["detectors"] and not those[name]["detectors"]]
        return [{"category": category, "concept": concept} for category, concept in wanted]

    assert (found["concepts_gained"], found["concepts_lost"]) == (only(in_b, in_a), only(in_a, in_b))


def check_changes(a: list[Known], b: list[Known], found: dict[str, Any] | None) -> None:
    if found is None:
        return
    changes = compared.changes(a, b)
    distances = [compared.distance(*pair) for pair in zip(a, b, strict=True)]
    assert {name: found[name] for name in ("gained", "lost", "changed")} == {
        name: sum(change == name for change, *_ in changes) for name in ("gained", "lost", "changed")
    }
    assert found["mean_iou_difference"] == pytest.approx(math.fsum(distances) / len(distances), abs=1e-12)
    assert found["max_iou_difference"] == pytest.approx(max(distances), abs=1e-12)


def test_changed_units_come_page_by_page_furthest_first(
    client: FlaskClient, jobs: dict[uuid.UUID, compared.Layers]
) -> None:
    some = st.sampled_from([*jobs])
    change = st.sampled_from([None, "gained", "lost", "changed"])

    @hypothesis_settings(max_examples=60, deadline=None)
    @given(a=some, b=some, layer=LAYERS, change=change, limit=st.integers(2, 20))
    def check(a: uuid.UUID, b: uuid.UUID, layer: str | None, change: str | None, limit: int) -> None:
        pairs = compared.pairs(jobs[a], jobs[b], layer, layer)
        pairs = [pair for pair in pairs if pair[0] == pair[1]]
        query = {"layer_a": layer, "layer_b": layer, "change": change, "limit": limit}
        found = walk(client, f"/v1/jobs/{a}/diff/{b}/units", query)
        if not pairs:
            assert found is None
            return
        layers = sorted(((jobs[a][x], jobs[b][y]) for x, y in pairs), key=lambda layers: layers[0][0].id)
        expected = [row for layer in layers for row in compared.changes(*layer) if change in (None, row[0])]
        expected.sort(key=lambda row: -compared.distance(*row[1:]))
        assert found == [described(*row) for row in expected]

    check()


def walk(client: FlaskClient, address: str, query: dict[str, Any]) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = ask(client, address, **query, cursor=cursor)
        if page == 422:
            return None
        assert len(page["data"]) == query["limit"] or page["next_cursor"] is None
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def described(change: str, a: Known, b: Known) -> dict[str, Any]:
    def label(unit: Known) -> dict[str, Any] | None:
        name = compared.label(unit)
        return name and {"category": name[0], "concept": name[1], "iou": compared.iou(unit), "detector": unit.detector}

    difference = compared.iou(b) - compared.iou(a)
    sides = {"a": label(a), "b": label(b)}
    return {"layer": a.layer, "unit": a.unit, "change": change, **sides, "iou_difference": difference}


@pytest.fixture
def two(sessions: Sessions) -> tuple[uuid.UUID, uuid.UUID]:
    """Two dissections of a layer, by two quantiles: unit 0 turns from glass to trees, unit 2 is lost."""
    with sessions.begin() as session:
        return plant_two(session, "local")


def plant_two(session: Any, team_name: str) -> tuple[uuid.UUID, uuid.UUID]:
    team = planted.plant_team(session, team_name)
    tree, glass = concept_ids(session, team, [("object", "tree"), ("material", "glass")])
    model = planted.plant_model(session, team, "alpha", ["conv1"])
    made = []
    for quantile, labels in ((0.01, [(glass, 0.25), None, (tree, 0.05)]), (0.02, [(tree, 0.5), None, (tree, 0.04)])):
        job = planted.plant_job(session, team, model)
        job.params = {"cutoff": planted.CUTOFF, "quantile": quantile}
        units = [
            UnitResult(
                index=index,
                threshold=1.0,
                active=1,
                peak=2.0,
                labels=[LabelResult(label[0], 1, label[1], 1, 2)] if label else [],
            )
            for index, label in enumerate(labels)
        ]
        planted.dissect(session, job, ["conv1"], {"conv1": units})
        names = {tree: ("object", "tree"), glass: ("material", "glass")}
        known = [
            Known(0, "alpha", "conv1", index, job.id, True, 1.0, [(names[label[0]], *label)] if label else [])
            for index, label in enumerate(labels)
        ]
        job.summary = compared.summarize({"conv1": known})
        made.append(job.id)
    return made[0], made[1]


def test_a_comparison_says_what_differs(client: FlaskClient, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    a, b = two
    (pair,) = client.get(f"/v1/jobs/{a}/diff/{b}").json["layers"]
    units = f"/v1/jobs/{a}/diff/{b}/units?layer_a=conv1&layer_b=conv1"
    assert client.get(f"/v1/jobs/{a}/diff/{b}").json == {
        "a": str(a),
        "b": str(b),
        "differences": [{"name": "quantile", "a": 0.01, "b": 0.02}],
        "only_in_a": [],
        "only_in_b": [],
        "layers": [pair],
    }
    assert pair["concepts_gained"] == []
    assert pair["concepts_lost"] == [{"category": "material", "concept": "glass"}]
    assert pair["concepts"] == [
        {
            "category": "material",
            "concept": "glass",
            "a": {"units": 1, "detectors": 1, "best_iou": 0.25},
            "b": {"units": 0, "detectors": 0, "best_iou": None},
        },
        {
            "category": "object",
            "concept": "tree",
            "a": {"units": 1, "detectors": 1, "best_iou": 0.05},
            "b": {"units": 2, "detectors": 1, "best_iou": 0.5},
        },
    ]
    assert pair["by_unit"] == {
        "gained": 0,
        "lost": 1,
        "changed": 1,
        "mean_iou_difference": pytest.approx(0.26 / 3),
        "max_iou_difference": 0.25,
    }
    assert pair["links"] == {"units": units}
    assert [(row["unit"], row["change"]) for row in client.get(units).json["data"]] == [(0, "changed"), (2, "lost")]


def test_models_and_datasets_are_among_the_differences(
    client: FlaskClient, jobs: dict[uuid.UUID, compared.Layers], sessions: Sessions
) -> None:
    with sessions() as session:
        first = {session.get_one(Job, id).model_id: id for id in jobs}
    a, b, *_ = first.values()
    pairs = compared.pairs(jobs[a], jobs[b], None, None)
    found = ask(client, f"/v1/jobs/{a}/diff/{b}")
    if pairs:
        assert {"name": "model", "a": "alpha", "b": "beta"} in found["differences"]


def test_what_has_not_changed_is_not_sent_again(client: FlaskClient, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    for address in ("", "/units"):
        tag = client.get(f"/v1/jobs/{two[0]}/diff/{two[1]}{address}").headers["ETag"]
        again = client.get(f"/v1/jobs/{two[0]}/diff/{two[1]}{address}", headers={"If-None-Match": tag})
        assert again.status_code == 304


def test_layers_of_other_architectures_are_compared_by_concept_only(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        a, _ = plant_two(session, "local")
        model = planted.plant_model(session, planted.plant_team(session, "local"), "other", ["conv1"])
        model.source = "torchvision:alexnet"
        job = planted.plant_job(session, planted.plant_team(session, "local"), model)
        job.summary = session.get_one(Job, a).summary
        planted.dissect(session, job, ["conv1"], {"conv1": [planted.random_unit(planted.random.Random(1), 0, [])]})
        other = job.id
    (pair,) = client.get(f"/v1/jobs/{a}/diff/{other}").json["layers"]
    assert (pair["by_unit"], pair["links"]) == (None, {})
    assert [row["a"]["units"] for row in pair["concepts"]] == [1, 1]
    reply = client.get(f"/v1/jobs/{a}/diff/{other}/units")
    assert reply.status_code == 422
    assert "compared by concept" in reply.json["detail"]


def bad(reply: Any, status: int, detail: str, pointer: str | None = None) -> None:
    assert reply.status_code == status, reply.json
    assert reply.mimetype == "application/problem+json"
    assert detail in reply.json["detail"]
    assert pointer is None or pointer in [error["pointer"] for error in reply.json["errors"]]


def test_bad_comparisons_are_pointed_out(
    client: FlaskClient, client_of: MakeClient, sessions: Sessions, two: tuple[uuid.UUID, uuid.UUID]
) -> None:
    a, b = two
    with sessions.begin() as session:
        theirs, _ = plant_two(session, "theirs")
        team = planted.plant_team(session, "local")
        model = planted.plant_model(session, team, "beta")
        running, registration = (
            planted.plant_job(session, team, model),
            planted.plant_job(session, team, model, "registration"),
        )
        running.state = "running"
        running, registration = running.id, registration.id
    absent = uuid.UUID(int=7)
    for left, right in ((a, absent), (absent, b), (a, theirs), (theirs, b)):
        bad(client.get(f"/v1/jobs/{left}/diff/{right}"), 404, "there is no job")
        bad(client.get(f"/v1/jobs/{left}/diff/{right}/units"), 404, "there is no job")
    bad(client.get(f"/v1/jobs/{a}/diff/{running}"), 409, "is running")
    bad(client.get(f"/v1/jobs/{registration}/diff/{b}"), 422, "of kind registration")
    bad(client.get(f"/v1/jobs/{a}/diff/{b}?layer_a=conv9"), 422, "'conv1'; did you mean 'conv1'?", "query:layer_a")
    bad(client.get(f"/v1/jobs/{a}/diff/{b}?layer_b=x"), 422, "job b has no layer 'x', but 'conv1'", "query:layer_b")
    bad(client.get(f"/v1/jobs/{a}/diff/{b}?layer=conv1"), 422, "", "query:layer")
    bad(client.get(f"/v1/jobs/{a}/diff/{b}/units?change=kept"), 422, "", "query:change")
    bad(client.get(f"/v1/jobs/{a}/diff/{b}/units?cursor=x"), 400, "damaged", "query:cursor")
    assert client_of("local", "run").get(f"/v1/jobs/{a}/diff/{b}").status_code == 403


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
        theirs, _ = plant_two(session, "theirs")
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
            bad(assert_of(client, b, HELD, assertion), 422, detail, f"/assertions/1{pointer}")
    bad(assert_of(client, b), 422, "", "/assertions")
    bad(assert_of(client, theirs, HELD), 404, "there is no job")
    bad(assert_of(client, failed, HELD), 409, "is failed")
    assert assert_of(client_of("local", "read"), b, HELD).json["passed"] is True
    assert assert_of(client_of("local", "run"), b, HELD).status_code == 403
