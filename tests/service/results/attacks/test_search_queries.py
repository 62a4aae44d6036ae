"""The search for attacked images against a filter in Python, over random attacks, on both databases."""

import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from service.catalog.queries import find_model, write_model
from service.database import Sessions, reading
from service.errors import Invalid, InvalidCursor
from service.pagination import PageRequest
from service.results.attacks.schemas import AttacksQuerySchema
from service.results.attacks.search_queries import AttackRow, search_attacks
from service.results.attacks.tables import OUTCOMES
from tests.service.results import planted
from tests.service.results.attacks import attacked

FILTERS = {
    "model": st.sampled_from([None, None, "alpha", "beta"]),
    "source": st.sampled_from([None, *attacked.CLASSES]),
    "target": st.sampled_from([None, *attacked.CLASSES]),
    "outcome": st.sampled_from([None, None, None, *OUTCOMES]),
}


def request(wanted: dict[str, Any], **more: Any) -> PageRequest:
    given = {name: str(value) for name, value in wanted.items() if value is not None}
    made: PageRequest = AttacksQuerySchema().load(given | more)
    return made


def walk(session: Session, team: uuid.UUID, wanted: dict[str, Any], limit: int = 50) -> list[AttackRow]:
    found: list[AttackRow] = []
    more: dict[str, Any] = {}
    while True:
        page = search_attacks(session, team, request(wanted, limit=limit, **more))
        assert len(page.data) == limit or (page.next_cursor is None and len(page.data) <= limit)
        found += page.data
        if page.next_cursor is None:
            return found
        more = {"cursor": page.next_cursor}


def seen(row: AttackRow) -> tuple[Any, ...]:
    written = {name: getattr(row.row, name) for name in attacked.ImageResult._fields}
    names = (row.true, row.source, row.target, row.result)
    return row.row.attack_id, row.attack.job_id, row.attack.model, names, written


def expected(row: attacked.Tried, names: dict[int | None, str | None]) -> tuple[Any, ...]:
    ids = (row.written.true_class_id, row.written.source_class_id, row.written.target_class_id)
    classes = tuple(names[id] for id in (*ids, row.written.result_class_id))
    return row.attack, row.job, row.model, classes, row.written._asdict()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_search_finds_what_a_filter_over_all_images_finds(sessions: Sessions, seed: int) -> None:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        known = attacked.plant_attacks(session, team, seed)
        attacked.plant_attacks(session, planted.plant_team(session, "theirs"), seed + 10)
        names: dict[int | None, str | None] = {None: None}
        names |= dict(session.execute(sa.text("SELECT id, name FROM classes")).tuples().all())
    jobs = [None, *sorted({row.job for row in known})]
    assert {row.target for row in known} == {None, *attacked.CLASSES}

    @hypothesis_settings(max_examples=40, deadline=None)
    @given(
        wanted=st.fixed_dictionaries({**FILTERS, "job": st.one_of(st.none(), st.sampled_from(jobs))}),
        limit=st.integers(1, 20),
    )
    def check(wanted: dict[str, Any], limit: int) -> None:
        with reading(sessions) as session:
            found = [seen(row) for row in walk(session, team, wanted, limit)]
        assert found == [expected(row, names) for row in attacked.search(known, wanted)]

    check()


@pytest.fixture
def team(sessions: Sessions) -> uuid.UUID:
    with sessions.begin() as session:
        team = planted.plant_team(session, "ours")
        attacked.plant_attacks(session, team, 3)
        write_model(
            session,
            planted.plant_team(session, "theirs"),
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
    ({"source": "beech"}, "query:source", "'beach'"),
    ({"target": "forrest", "model": "alpha"}, "query:target", "'forest'"),
    ({"target": "submarine"}, "query:target", ""),
    ({"model": "alphx"}, "query:model", "'alpha'"),
    ({"model": "secret", "source": "submarine"}, "query:model", ""),
    ({"job": uuid.UUID(int=5)}, "query:job", "GET /v1/jobs?kind=attack"),
]


def test_what_the_team_does_not_have_is_named_with_what_is_near(
    sessions: Sessions, team: uuid.UUID, subtests: pytest.Subtests
) -> None:
    for wanted, pointer, near in UNKNOWN:
        with subtests.test(str(wanted)), reading(sessions) as session:
            with pytest.raises(Invalid) as caught:
                search_attacks(session, team, request(wanted))
            assert [error["pointer"] for error in caught.value.errors] == [pointer]
            assert near in caught.value.detail


def test_a_job_of_another_kind_or_team_cannot_be_pinned(sessions: Sessions, team: uuid.UUID) -> None:
    with sessions.begin() as session:
        alpha = find_model(session, team, "alpha")
        other_kind = planted.plant_job(session, team, alpha, "ablation").id
        theirs = planted.plant_team(session, "theirs")
        foreign = attacked.plant_job(session, theirs, planted.plant_model(session, theirs, "delta")).id
    for job in (other_kind, foreign):
        with reading(sessions) as session, pytest.raises(Invalid, match="job") as caught:
            search_attacks(session, team, request({"job": job}))
        assert "name a class" not in caught.value.detail


def test_a_cursor_belongs_to_its_filters(sessions: Sessions, team: uuid.UUID) -> None:
    with reading(sessions) as session:
        cursor = search_attacks(session, team, request({}, limit=1)).next_cursor
        search_attacks(session, team, request({}, limit=2, cursor=cursor))
        for other in ({"model": "alpha"}, {"outcome": "failed"}, {"source": "beach"}):
            with pytest.raises(InvalidCursor):
                search_attacks(session, team, request(other, limit=1, cursor=cursor))


QUESTIONS: list[dict[str, Any]] = [
    {},
    {"model": "alpha"},
    {"model": "alpha", "target": "beach"},
    {"source": "forest", "outcome": "failed"},
]


def test_every_search_reads_an_index(sessions: Sessions, team: uuid.UUID, subtests: pytest.Subtests) -> None:
    for wanted in QUESTIONS:
        with subtests.test(str(wanted)):
            plan = plan_of(sessions, team, wanted)
            assert "attacked_images" in plan
            assert "SCAN attacked_images" not in plan
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
        search_attacks(session, team, request(wanted))
        sql, values = next((sql, values) for sql, values in asked if "sort_key_0" in sql)
        explain = "EXPLAIN" if postgres else "EXPLAIN QUERY PLAN"
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {sql}", values))
