"""A request is one transaction: all of it or nothing, and hints only after it."""

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from service import create_app
from service.access.queries import make_team
from service.access.tables import Team
from service.context import after_commit, commit, db
from service.database import Sessions
from service.errors import Conflict
from service.settings import Settings


@pytest.fixture
def app(settings: Settings) -> Flask:
    return create_app(settings)


def add_view(app: Flask, view: object, method: str = "POST") -> None:
    view.scope = None  # type: ignore[attr-defined]
    app.add_url_rule("/v1/test", "test", view, methods=[method])  # type: ignore[arg-type]


def teams(sessions: Sessions) -> set[str]:
    with sessions() as session:
        return set(session.scalars(sa.select(Team.name)))


def test_success_is_committed_before_the_hints(app: Flask, client: FlaskClient, sessions: Sessions) -> None:
    seen: list[set[str]] = []

    def view() -> dict[str, str]:
        make_team(db(), "blue")
        after_commit(lambda: seen.append(teams(sessions)))
        return {}

    add_view(app, view)
    assert client.post("/v1/test").status_code == 200
    assert "blue" in seen[0]


def test_failure_leaves_nothing(app: Flask, client: FlaskClient, sessions: Sessions) -> None:
    called = []

    def view() -> None:
        make_team(db(), "blue")
        db().flush()
        after_commit(lambda: called.append(1))
        raise Conflict("no")

    add_view(app, view)
    assert client.post("/v1/test").status_code == 409
    assert "blue" not in teams(sessions)
    assert not called


def test_failing_hint_does_not_fail_the_request(app: Flask, client: FlaskClient, sessions: Sessions) -> None:
    def hint() -> None:
        raise OSError("the broker is away")

    def view() -> dict[str, str]:
        make_team(db(), "blue")
        after_commit(hint)
        return {}

    add_view(app, view)
    assert client.post("/v1/test").status_code == 200
    assert "blue" in teams(sessions)


def test_failing_commit_is_no_success(app: Flask, client: FlaskClient, sessions: Sessions, monkeypatch: object) -> None:
    app.testing = False

    def view() -> dict[str, str]:
        make_team(db(), "blue")
        sa.event.listen(db(), "before_commit", _break)
        return {}

    add_view(app, view)
    reply = client.post("/v1/test")
    assert (reply.status_code, reply.mimetype) == (500, "application/problem+json")
    assert "blue" not in teams(sessions)


def _break(_: Session) -> None:
    raise OSError("the disk is full")


def test_commit_in_the_middle_stands(app: Flask, client: FlaskClient, sessions: Sessions) -> None:
    seen: list[bool] = []

    def view() -> None:
        make_team(db(), "blue")
        after_commit(lambda: seen.append(True))
        commit()
        make_team(db(), "green")
        db().flush()
        raise Conflict("no")

    add_view(app, view)
    assert client.post("/v1/test").status_code == 409
    assert seen == [True]
    assert {"blue"} == teams(sessions) & {"blue", "green"}


def test_get_takes_no_write_lock(app: Flask, client: FlaskClient, sessions: Sessions) -> None:
    def view() -> dict[str, int]:
        return {"count": db().scalar(sa.select(sa.func.count()).select_from(Team)) or 0}

    add_view(app, view, "GET")
    with sessions() as session:
        make_team(session, "blue")
        session.flush()  # holds SQLite's write lock
        assert client.get("/v1/test").json == {"count": 0}
