"""The search by class against a filter in Python, over random catalogs, on both databases."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from service.catalog.queries import class_ids, find_model, write_model
from service.database import Sessions, reading
from service.errors import Invalid, InvalidCursor
from service.pagination import PageRequest
from service.results.effects.affected_queries import Affected
from service.results.effects.search_queries import search_by_class
from service.results.schemas import UnitsQuerySchema
from tests.service.results import planted
from tests.service.results.effects import removed

FILTERS = {
    "class": st.sampled_from(removed.CLASSES),
    "model": st.sampled_from([None, None, "alpha", "beta"]),
    "layer": st.sampled_from([None, None, "conv1", "conv2"]),
    "concept": st.sampled_from([None, None, "tree", "glass"]),
    "category": st.sampled_from([None, None, "object"]),
    "min_iou": st.sampled_from([None, None, 0.0, 0.05, 0.3]),
    "detectors": st.sampled_from([False, False, True]),
    "sort": st.sampled_from(
        ["effect", "effect", "-effect", "accuracy_change", "-accuracy_change", "unit", "iou", "-iou", "-threshold"]
    ),
}


def request(wanted: dict[str, Any], **more: Any) -> PageRequest:
    given = {name: str(value) if name == "job" else value for name, value in wanted.items() if value is not None}
    made: PageRequest = UnitsQuerySchema().load(given | more)
    return made


def walk(session: Session, team: uuid.UUID, wanted: dict[str, Any], limit: int = 50) -> list[Affected]:
    found: list[Affected] = []
    more: dict[str, Any] = {}
    while True:
        page = search_by_class(session, team, request(wanted, limit=limit, **more))
        assert len(page.data) == limit or (page.next_cursor is None and len(page.data) <= limit)
        found += page.data
        if page.next_cursor is None:
            return found
        more = {"cursor": page.next_cursor}


def seen(rows: Sequence[Affected]) -> list[tuple[Any, ...]]:
    return [
        (
            (*row.place, row.class_name, row.effect),
            row.found and row.found.id,
            row.concept and (row.concept.category, row.concept.name),
            row.iou,
        )
        for row in rows
    ]


def expected(rows: Sequence[removed.Row]) -> list[tuple[Any, ...]]:
    return [
        (
            (row.model, row.layer, row.job, row.current, row.class_name, row.effect),
            unit and unit.id,
            concept,
            iou,
        )
        for row, unit, concept, iou in rows
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_search_finds_what_a_filter_over_all_effects_finds(sessions: Sessions, seed: int) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        units = planted.plant_results(session, team, seed)
        removals = removed.plant_removals(session, team, seed)
        theirs = planted.plant_team(session, "theirs")
        planted.plant_results(session, theirs, seed)
        removed.plant_removals(session, theirs, seed + 10)
    jobs = [None, *sorted({row.job for row in [*units, *removals]})]

    @hypothesis_settings(max_examples=40, deadline=None)
    @given(
        wanted=st.fixed_dictionaries({**FILTERS, "job": st.one_of(st.none(), st.sampled_from(jobs))}),
        limit=st.integers(1, 12),
    )
    def check(wanted: dict[str, Any], limit: int) -> None:
        with reading(sessions) as session:
            found = walk(session, team, wanted, limit)
        assert seen(found) == expected(removed.search(removals, units, wanted))

    check()


@pytest.fixture
def team(sessions: Sessions) -> uuid.UUID:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        planted.plant_results(session, team, 3)
        removed.plant_removals(session, team, 3)
        alpha = find_model(session, team, "alpha")
        effects = [removed.effect(id, unit, unit + 1) for id in class_ids(session, alpha.id) for unit in range(6)]
        removed.ablate(session, planted.plant_job(session, team, alpha, "ablation"), "conv1", effects)
        theirs = planted.plant_team(session, "theirs")
        write_model(
            session,
            theirs,
            name="secret",
            kind="classifier",
            source="torchvision:vgg16",
            weights={},
            input={},
            digest="0" * 64,
            forward_seconds=0.1,
            layers=[planted.Shape("hidden")],
            classes=["submarine"],
        )
    return team


UNKNOWN: list[tuple[dict[str, Any], str, str]] = [
    ({"class": "beech"}, "query:class", "'beach'"),
    ({"class": "beech", "model": "alpha"}, "query:class", "'beach'"),
    ({"class": "submarine"}, "query:class", ""),
    ({"class": "beach", "model": "alphx"}, "query:model", "'alpha'"),
    ({"class": "beach", "model": "secret"}, "query:model", ""),
    ({"class": "beach", "layer": "conv3"}, "query:layer", "'conv1'"),
    ({"class": "beach", "layer": "hidden"}, "query:layer", ""),
    ({"class": "beach", "concept": "treee"}, "query:concept", "'tree'"),
    ({"class": "beach", "job": uuid.UUID(int=5)}, "query:job", "GET /v1/jobs?kind=ablation"),
]


def test_what_the_team_does_not_have_is_named_with_what_is_near(
    sessions: Sessions, team: uuid.UUID, subtests: pytest.Subtests
) -> None:
    for wanted, pointer, near in UNKNOWN:
        with subtests.test(str(wanted)), reading(sessions) as session:
            with pytest.raises(Invalid) as caught:
                search_by_class(session, team, request(wanted))
            assert [error["pointer"] for error in caught.value.errors] == [pointer]
            assert near in caught.value.detail


def test_a_job_of_another_kind_or_team_cannot_be_pinned(sessions: Sessions, team: uuid.UUID) -> None:
    with sessions.begin() as session:
        model = planted.plant_model(session, team, "delta")
        other_kind = planted.plant_job(session, team, model, kind="registration").id
        theirs = planted.plant_team(session, "theirs")
        foreign = planted.plant_job(session, theirs, planted.plant_model(session, theirs, "delta"), "ablation").id
    for job in (other_kind, foreign):
        with reading(sessions) as session, pytest.raises(Invalid, match="job"):
            search_by_class(session, team, request({"class": "beach", "job": job}))


def test_a_class_that_was_never_ablated_has_no_units(sessions: Sessions, team: uuid.UUID) -> None:
    with sessions.begin() as session:
        model = planted.plant_model(session, team, "fresh")
        unfinished = planted.plant_job(session, team, model, "ablation").id
    for pinned in ({"model": "fresh"}, {"model": "fresh", "layer": "conv1"}, {"job": unfinished}):
        with reading(sessions) as session:
            assert walk(session, team, {"class": "beach", **pinned}) == []


def test_a_model_whose_outputs_share_a_name_answers_with_each(sessions: Sessions) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        model = write_model(
            session,
            team,
            name="twice",
            kind="classifier",
            source="torchvision:vgg16",
            weights={},
            input={},
            digest="0" * 64,
            forward_seconds=0.1,
            layers=[planted.Shape("conv1")],
            classes=["crane", "beach", "crane"],
        )
        bird, _, machine = class_ids(session, model.id)
        effects = [removed.effect(id, unit, rank) for id in (bird, machine) for rank, unit in enumerate((4, 1), 1)]
        removed.ablate(session, planted.plant_job(session, team, model, "ablation"), "conv1", effects)
    with reading(sessions) as session:
        found = walk(session, team, {"class": "crane"}, limit=1)
    assert [(row.effect.rank, row.unit, row.effect.class_id) for row in found] == [
        (1, 4, bird),
        (1, 4, machine),
        (2, 1, bird),
        (2, 1, machine),
    ]


def test_a_cursor_belongs_to_its_class_and_order(sessions: Sessions, team: uuid.UUID) -> None:
    with reading(sessions) as session:
        cursor = search_by_class(session, team, request({"class": "beach"}, limit=1)).next_cursor
        search_by_class(session, team, request({"class": "beach", "sort": "effect"}, limit=1, cursor=cursor))
        for other in ({"class": "forest"}, {"class": "beach", "sort": "unit"}, {"class": "beach", "detectors": True}):
            with pytest.raises(InvalidCursor):
                search_by_class(session, team, request(other, limit=1, cursor=cursor))


QUESTIONS: list[tuple[dict[str, Any], str]] = [
    ({"class": "beach"}, "ix_unit_effects_search"),
    ({"class": "beach", "model": "alpha"}, "ix_unit_effects_search"),
    ({"class": "beach", "model": "alpha", "concept": "tree"}, "unit_effects"),
    ({"class": "beach", "model": "alpha", "layer": "conv1"}, "unit_effects"),
]


def test_every_search_reads_an_index(sessions: Sessions, team: uuid.UUID, subtests: pytest.Subtests) -> None:
    for wanted, index in QUESTIONS:
        with subtests.test(str(wanted)):
            plan = plan_of(sessions, team, wanted)
            assert index in plan
            assert "SCAN unit" not in plan
            assert "Seq Scan" not in plan


def plan_of(sessions: Sessions, team: uuid.UUID, wanted: dict[str, Any]) -> str:
    """The database's plan for the search itself."""
    asked: list[tuple[str, Any]] = []
    with reading(sessions) as session:
        connection = session.connection()
        postgres = connection.dialect.name == "postgresql"
        if postgres:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which suits a table this small
            connection.exec_driver_sql("ANALYZE")  # it shall not plan by what earlier tests left
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _u, sql, values, *_: asked.append((sql, values))
        )
        search_by_class(session, team, request(wanted))
        sql, values = next((sql, values) for sql, values in asked if "sort_key_0" in sql)
        explain = "EXPLAIN" if postgres else "EXPLAIN QUERY PLAN"
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {sql}", values))
