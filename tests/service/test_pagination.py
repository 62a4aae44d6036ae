"""Walks over pages show each row once and in order, and no cursor from outside does harm."""

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import marshmallow as ma
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from service.database import UtcDateTime
from service.errors import InvalidCursor
from service.pagination import MAX_LIMIT, Page, PageQuery, PageRequest, paginate

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcDateTime()}  # noqa: RUF012


class Thing(Base):
    __tablename__ = "pagination_things"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    score: Mapped[float]
    count: Mapped[int]
    name: Mapped[str]
    at: Mapped[datetime]


KEYS = {
    "float": (Thing.score, Thing.id),
    "integer": (Thing.count, Thing.id),
    "text": (Thing.name, Thing.id),
    "time": (Thing.at, Thing.id),
    "three": (Thing.count, Thing.score, Thing.id),
    "one": (Thing.id,),
}

things = st.lists(
    st.builds(
        Thing,
        id=st.uuids(),
        score=st.one_of(st.sampled_from([0.0, 0.1, 1 / 3]), st.floats(0, 1)),
        count=st.integers(-2, 2),
        name=st.text("abäß'_", max_size=2),
        at=st.integers(0, 3).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
    ),
    max_size=14,
    unique_by=lambda thing: thing.id,
)


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    Base.metadata.drop_all(engine)


def walk(session: Session, statement: Any, keys: Any, limit: int, descending: bool) -> list[Page]:
    pages = [paginate(session, statement, keys, PageRequest(limit), descending=descending)]
    while (cursor := pages[-1].next_cursor) is not None:
        pages.append(paginate(session, statement, keys, PageRequest(limit, cursor), descending=descending))
    return pages


@QUICK
@given(rows=things, keys=st.sampled_from(sorted(KEYS)), limit=st.integers(1, 5), descending=st.booleans())
def test_walk_shows_each_row_once_and_in_order(
    connection: sa.Connection, rows: list[Thing], keys: str, limit: int, descending: bool
) -> None:
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        session.add_all(rows)
        session.flush()
        columns = KEYS[keys]
        pages = walk(session, sa.select(Thing), columns, limit, descending)
        shown = [thing.id for page in pages for thing in page.data]
        at_once = sa.select(Thing.id).order_by(*(key.desc() if descending else key.asc() for key in columns))
        assert shown == list(session.scalars(at_once))
        assert all(len(page.data) == limit for page in pages[:-1])
        assert pages[-1].data or not rows
        session.rollback()
    connection.rollback()


def test_wide_rows_keep_their_names(connection: sa.Connection) -> None:
    with Session(connection) as session:
        row = {"score": 0.5, "count": 1, "name": "a", "at": datetime.now(UTC)}
        session.add_all(Thing(id=uuid.UUID(int=n), **row) for n in range(3))
        page = paginate(session, sa.select(Thing.name, Thing.count.label("n")), [Thing.id], PageRequest(2))
        assert [(row.name, row.n) for row in page.data] == [("a", 1), ("a", 1)]
        session.rollback()


def forge(*values: object, digest: str = PageRequest().digest) -> str:
    return base64.urlsafe_b64encode(json.dumps([digest, *values]).encode()).decode().rstrip("=")


HOSTILE = [
    "",
    "%%%",
    "AAAA",
    "é",
    "A" * 5000,
    forge(),
    forge(1),
    forge(1, 2, 3),
    base64.urlsafe_b64encode(b"[" * 1500).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    base64.urlsafe_b64encode(b"{}").decode(),
]


@pytest.mark.parametrize("cursor", HOSTILE)
@pytest.mark.parametrize("keys", sorted(KEYS))
def test_damaged_cursor(connection: sa.Connection, cursor: str, keys: str) -> None:
    with Session(connection) as session, pytest.raises(InvalidCursor):
        paginate(session, sa.select(Thing), KEYS[keys], PageRequest(cursor=cursor))


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(st.characters(codec=None, exclude_categories=[])),
    st.uuids().map(str),
    st.datetimes().map(str),
    st.lists(st.integers()),
)


@QUICK
@given(keys=st.sampled_from(sorted(KEYS)), values=st.lists(anything, min_size=1, max_size=3))
def test_forged_cursor_is_read_or_refused(connection: sa.Connection, keys: str, values: list[object]) -> None:
    with Session(connection) as session:
        try:
            page = paginate(session, sa.select(Thing), KEYS[keys], PageRequest(cursor=forge(*values)))
        except InvalidCursor:
            return
        assert page.next_cursor is None


def test_cursor_of_other_filters(connection: sa.Connection) -> None:
    with Session(connection) as session:
        row = {"score": 0.5, "count": 1, "name": "a", "at": datetime.now(UTC)}
        session.add_all(Thing(id=uuid.UUID(int=n), **row) for n in range(3))
        page = paginate(session, sa.select(Thing), KEYS["float"], PageRequest(1, None, {"q": "tree"}))
        with pytest.raises(InvalidCursor, match="other filters"):
            paginate(session, sa.select(Thing), KEYS["float"], PageRequest(1, page.next_cursor, {"q": "sky"}))
        session.rollback()


def test_limit() -> None:
    assert PageQuery().load({}).limit == 50
    assert PageQuery().load({"limit": "7"}).limit == 7
    assert PageQuery().load({"limit": "201"}).limit == MAX_LIMIT
    for bad in ("0", "-1", "x", "1.5"):
        with pytest.raises(ma.ValidationError):
            PageQuery().load({"limit": bad})
