"""The search against a filter in Python, over random catalogs, on both databases."""

import uuid
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from service.catalog.queries import concept_ids
from service.database import Sessions, reading
from service.errors import Invalid, InvalidCursor
from service.pagination import PageRequest
from service.results.schemas import UnitsQuerySchema
from service.results.search_queries import Match, list_concepts, search_units
from tests.service.results import planted

FILTERS = {
    "model": st.sampled_from([None, "alpha", "beta", "gamma"]),
    "layer": st.sampled_from([None, "conv1", "conv2"]),
    "concept": st.sampled_from([None, "tree", "glass"]),
    "category": st.sampled_from([None, "object"]),
    "min_iou": st.sampled_from([None, 0.0, 0.04, 0.05, 0.3, 1.0]),
    "detectors": st.booleans(),
    "sort": st.sampled_from(["iou", "-iou", "unit", "-unit", "threshold", "-threshold", "-similarity"]),
}


def request(wanted: dict[str, Any], **more: Any) -> PageRequest:
    given = {name: str(value) if name == "job" else value for name, value in wanted.items() if value is not None}
    made: PageRequest = UnitsQuerySchema().load(given | more)
    return made


def walk(session: Session, team: uuid.UUID, wanted: dict[str, Any], limit: int) -> list[Match]:
    found: list[Match] = []
    more: dict[str, Any] = {}
    while True:
        page = search_units(session, team, request(wanted, limit=limit, **more))
        assert len(page.data) == limit or (page.next_cursor is None and len(page.data) <= limit)
        found += page.data
        if page.next_cursor is None:
            return found
        more = {"cursor": page.next_cursor}


def seen(match: Match) -> tuple[Any, ...]:
    concept = (match.concept.category, match.concept.name) if match.concept else None
    return match.found.id, match.found.model, match.found.layer, match.found.unit, match.found.job_id, concept


@pytest.mark.parametrize("seed", [1, 2])
def test_a_search_finds_what_a_filter_over_all_units_finds(sessions: Sessions, seed: int) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        known = planted.plant_results(session, team, seed)
        planted.plant_results(session, planted.plant_team(session, "theirs"), seed + 10)
    jobs = sorted({unit.job for unit in known})

    @hypothesis_settings(max_examples=60, deadline=None)
    @given(
        wanted=st.fixed_dictionaries({**FILTERS, "job": st.sampled_from([None, None, *jobs])}),
        limit=st.integers(4, 60),
    )
    def check(wanted: dict[str, Any], limit: int) -> None:
        expected = planted.search(known, wanted)
        with reading(sessions) as session:
            found = walk(session, team, wanted, limit)
        assert [seen(match) for match in found] == [
            (unit.id, unit.model, unit.layer, unit.unit, unit.job, concept) for unit, concept, _ in expected
        ]
        assert [match.iou for match in found] == [iou for _, _, iou in expected]
        by_id = {unit.id: unit for unit in known}
        for match in found:
            unit = by_id[match.found.id]
            label = unit.labels[0][0] if unit.labels else (None, None)
            assert (match.found.category, match.found.concept) == label
            assert (match.found.detector, match.found.threshold) == (unit.detector, unit.threshold)

    check()


@pytest.fixture
def team(sessions: Sessions) -> uuid.UUID:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        planted.plant_results(session, team, 3)
        theirs = planted.plant_team(session, "theirs")
        planted.plant_model(session, theirs, "secret", ["hidden"])
        planted.concept_ids(session, theirs, [("object", "submarine")])
    return team


UNKNOWN: list[tuple[dict[str, Any], str, str]] = [
    ({"model": "alphx"}, "query:model", "'alpha'"),
    ({"layer": "conv3"}, "query:layer", "'conv1'"),
    ({"model": "beta", "layer": "convl"}, "query:layer", "'conv1'"),
    ({"concept": "treee"}, "query:concept", "'tree'"),
    ({"concept": "tree", "category": "objects"}, "query:category", "'object'"),
    ({"concept": "sky", "category": "part"}, "query:concept", ""),
    ({"job": uuid.UUID(int=5)}, "query:job", "GET /v1/jobs?kind=dissection"),
    ({"model": "secret"}, "query:model", ""),
    ({"layer": "hidden"}, "query:layer", ""),
    ({"concept": "submarine"}, "query:concept", ""),
]


def test_what_the_team_does_not_have_is_named_with_what_is_near(
    sessions: Sessions, team: uuid.UUID, subtests: pytest.Subtests
) -> None:
    for wanted, pointer, near in UNKNOWN:
        with subtests.test(str(wanted)), reading(sessions) as session:
            with pytest.raises(Invalid) as caught:
                search_units(session, team, request(wanted))
            assert [error["pointer"] for error in caught.value.errors] == [pointer]
            assert near in caught.value.detail


def test_a_job_of_another_kind_or_team_cannot_be_pinned(sessions: Sessions, team: uuid.UUID) -> None:
    with sessions.begin() as session:
        model = planted.plant_model(session, team, "delta")
        other_kind = planted.plant_job(session, team, model, kind="registration").id
        theirs = planted.plant_team(session, "theirs")
        foreign = planted.plant_job(session, theirs, planted.plant_model(session, theirs, "delta")).id
    for job in (other_kind, foreign):
        with reading(sessions) as session, pytest.raises(Invalid, match="job"):
            search_units(session, team, request({"job": job}))


def test_a_known_model_that_was_never_dissected_has_no_units(sessions: Sessions, team: uuid.UUID) -> None:
    with sessions.begin() as session:
        planted.plant_model(session, team, "fresh")
    with reading(sessions) as session:
        assert search_units(session, team, request({"model": "fresh", "layer": "conv1"})).data == []


def test_a_cursor_belongs_to_its_filters_and_order(sessions: Sessions, team: uuid.UUID) -> None:
    with reading(sessions) as session:
        cursor = search_units(session, team, request({"concept": "tree"}, limit=1)).next_cursor
        for other in ({"concept": "glass"}, {"concept": "tree", "sort": "unit"}, {"concept": "tree", "min_iou": 0.1}):
            with pytest.raises(InvalidCursor):
                search_units(session, team, request(other, limit=1, cursor=cursor))


def test_every_search_reads_an_index(sessions: Sessions, team: uuid.UUID, subtests: pytest.Subtests) -> None:
    for wanted in ({}, {"concept": "tree"}, {"concept": "tree", "model": "alpha"}, {"model": "alpha"}):
        with subtests.test(str(wanted)):
            plan = plan_of(sessions, team, wanted)
            assert "ix_unit" in plan
            assert "SCAN unit" not in plan.replace("USING INDEX", "")


def plan_of(sessions: Sessions, team: uuid.UUID, wanted: dict[str, Any]) -> str:
    """The database's plan for the search itself."""
    asked: list[tuple[str, Any]] = []
    with reading(sessions) as session:
        connection = session.connection()
        postgres = connection.dialect.name == "postgresql"
        if postgres:
            for way in ("seqscan", "bitmapscan", "sort"):  # which suit a table this small
                connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
            connection.exec_driver_sql("ANALYZE")  # it shall not plan by what earlier tests left
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _u, sql, values, *_: asked.append((sql, values))
        )
        search_units(session, team, request(wanted))
        sql, values = next((sql, values) for sql, values in asked if "sort_key_0" in sql)
        explain = "EXPLAIN" if postgres else "EXPLAIN QUERY PLAN"
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {sql}", values))


@pytest.mark.parametrize("seed", [1, 2])
def test_concepts_are_counted_over_the_current_units(sessions: Sessions, seed: int) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        known = planted.plant_results(session, team, seed)
        planted.plant_results(session, planted.plant_team(session, "theirs"), seed + 5)
    current = [unit for unit in known if unit.current and unit.labels]
    units = Counter(unit.labels[0][0] for unit in current)
    detectors = Counter(unit.labels[0][0] for unit in current if unit.detector)
    expected = [(*concept, units[concept], detectors[concept]) for concept in sorted(planted.CONCEPTS)]
    with reading(sessions) as session:
        first = list_concepts(session, team, PageRequest(limit=3))
        rest = list_concepts(session, team, PageRequest(limit=3, cursor=first.next_cursor))
        assert [*first.data, *rest.data] == expected
        assert rest.next_cursor is None


CONCEPT_FILTERS = [
    ({"category": "object"}, ["glass", "sky", "tree"]),
    ({"q": "RE"}, ["tree", "tree"]),
    ({"q": "%"}, []),
    ({"q": "s", "category": "material"}, ["glass"]),
    ({"category": "color"}, []),
]


def test_concepts_are_filtered(sessions: Sessions, subtests: pytest.Subtests) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        concept_ids(session, team, planted.CONCEPTS)
    for filters, names in CONCEPT_FILTERS:
        with subtests.test(str(filters)), reading(sessions) as session:
            found = list_concepts(session, team, PageRequest(filters=filters))
            assert [row.name for row in found.data] == names
