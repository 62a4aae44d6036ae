"""Which team owns what."""

import threading

import pytest
import sqlalchemy as sa

from service.access.queries import make_team
from service.artifacts import queries
from service.artifacts.tables import Artifact, ArtifactOwner
from service.database import Sessions
from service.errors import NotFound

ROWS = [(f"{n:064x}", n, "image/png") for n in range(20)]


def test_record_is_idempotent_and_per_team(sessions: Sessions) -> None:
    with sessions.begin() as session:
        blue, green = make_team(session, "blue").id, make_team(session, "green").id
        queries.record_artifacts(session, blue, [*ROWS, ROWS[0]])
        queries.record_artifacts(session, blue, ROWS)
        queries.record_artifacts(session, green, ROWS[:1])
        queries.record_artifacts(session, green, [])
    with sessions() as session:
        assert queries.get_artifact(session, blue, ROWS[3][0]).size == 3
        assert queries.find_artifact(session, green, ROWS[3][0]) is None
        with pytest.raises(NotFound):
            queries.get_artifact(session, green, ROWS[3][0])
        assert session.scalar(sa.select(sa.func.count()).select_from(Artifact)) == 20
        assert session.scalar(sa.select(sa.func.count()).select_from(ArtifactOwner)) == 21


def test_two_who_record_the_same_at_once(sessions: Sessions) -> None:
    with sessions.begin() as session:
        team = make_team(session, "blue").id
    failures: list[BaseException] = []

    def record(rows: list[tuple[str, int, str]]) -> None:
        try:
            with sessions.begin() as session:
                queries.record_artifacts(session, team, rows)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=record, args=(rows,)) for rows in (ROWS, ROWS[::-1]) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
