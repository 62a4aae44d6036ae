"""What a team uses, what it may use, and that two requests at once cannot both take the last place."""

import hashlib
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient

from service import __main__ as commands
from service import create_app
from service.access.queries import make_team
from service.access.tables import AuditEntry
from service.artifacts.queries import record_artifacts
from service.database import Sessions, now
from service.errors import StorageFull, TooMany
from service.jobs.submission import JobRequest, submit
from service.jobs.tables import Job
from service.quotas import queries
from service.quotas.tables import WorkerTime
from service.settings import Settings
from tests.service.conftest import MakeClient


@pytest.fixture
def team(sessions: Sessions) -> uuid.UUID:
    with sessions.begin() as session:
        return make_team(session, "blue").id


@pytest.fixture
def blue(client_of: MakeClient, team: uuid.UUID) -> FlaskClient:
    return client_of("blue", "read", "write", "run")


def start(sessions: Sessions, team: uuid.UUID, settings: Settings) -> uuid.UUID:
    request = JobRequest(team_id=team, kind="registration", params={"n": uuid.uuid4().hex})
    with sessions.begin() as session:
        return submit(session, request, settings).job.id


def store(sessions: Sessions, team: uuid.UUID, size: int) -> str:
    digest = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
    with sessions.begin() as session:
        record_artifacts(session, team, [(digest, size, "image/png")])
    return digest


def spend(sessions: Sessions, team: uuid.UUID, seconds: float, hours_ago: float = 0) -> None:
    with sessions.begin() as session:
        at = now(session) - timedelta(hours=hours_ago)
        session.add(WorkerTime(team_id=team, at=at, seconds=seconds))


def own(sessions: Sessions, team: uuid.UUID, **values: float | None) -> None:
    with sessions.begin() as session:
        queries.set_quota(session, team, **values)


def test_what_is_used_and_allowed_is_shown(
    blue: FlaskClient, sessions: Sessions, team: uuid.UUID, settings: Settings, client_of: MakeClient
) -> None:
    start(sessions, team, settings)
    store(sessions, team, 700)
    for hours, seconds in [(0, 10.5), (23.9, 20), (24.1, 40)]:
        spend(sessions, team, seconds, hours)
    own(sessions, team, worker_seconds=3600, stored_bytes=10**12)
    assert blue.get("/v1/quotas").json == {
        "queued_jobs": {"used": 1, "allowed": 1000},
        "worker_seconds": {"used": 30.5, "allowed": 3600.0, "period_seconds": 86400.0},
        "stored_bytes": {"used": 700, "allowed": 10**12},
    }
    assert client_of("green", "read").get("/v1/quotas").json == {
        "queued_jobs": {"used": 0, "allowed": 1000},
        "worker_seconds": {"used": 0.0, "allowed": None, "period_seconds": 86400.0},
        "stored_bytes": {"used": 0, "allowed": None},
    }


def refusal(call: Callable[[], Any]) -> Any:
    with pytest.raises((TooMany, StorageFull)) as refused:
        call()
    return refused.value


def test_settings_hold_for_every_team_and_a_team_s_own_before_them(
    sessions: Sessions, team: uuid.UUID, settings: Settings
) -> None:
    given = replace(settings, max_queued_jobs=1)
    start(sessions, team, given)
    error = refusal(lambda: start(sessions, team, given))
    assert (error.status, error.errors[0]["pointer"]) == (429, "quota:queued_jobs")
    assert "has 1 unfinished jobs and may have 1" in error.detail
    own(sessions, team, queued_jobs=2)
    start(sessions, team, given)
    refusal(lambda: start(sessions, team, given))
    own(sessions, team, queued_jobs=0)
    start(sessions, team, given)  # no limit
    own(sessions, team, queued_jobs=None)
    refusal(lambda: start(sessions, team, given))


def test_workers_time_counts_for_a_period(sessions: Sessions, team: uuid.UUID, settings: Settings) -> None:
    given = replace(settings, max_worker_seconds=100.0, quota_period_seconds=3600.0)
    spend(sessions, team, 60, hours_ago=0.9)
    spend(sessions, team, 39, hours_ago=0.5)
    spend(sessions, team, 1000, hours_ago=1.1)
    start(sessions, team, given)
    spend(sessions, team, 1)
    error = refusal(lambda: start(sessions, team, given))
    assert (error.status, error.errors[0]["pointer"]) == (429, "quota:worker_seconds")
    assert "spent 100 s" in error.detail
    assert "within 1 h" in error.detail
    assert "may spend 100 s" in error.detail
    with sessions.begin() as session:
        session.execute(sa.update(WorkerTime).values(at=WorkerTime.at))
        queries.forget_times(session, 3600.0)
        assert sorted(session.scalars(sa.select(WorkerTime.seconds))) == [1, 39, 60]


def test_storage_that_is_full_starts_no_job(sessions: Sessions, team: uuid.UUID, settings: Settings) -> None:
    given = replace(settings, max_stored_bytes=1000)
    store(sessions, team, 999)
    start(sessions, team, given)
    store(sessions, team, 1)
    error = refusal(lambda: start(sessions, team, given))
    assert (error.status, error.errors[0]["pointer"]) == (403, "quota:stored_bytes")
    assert "stores 1000 bytes and may store 1000" in error.detail


def test_other_teams_do_not_count(sessions: Sessions, team: uuid.UUID, settings: Settings) -> None:
    given = replace(settings, max_queued_jobs=1, max_worker_seconds=10.0, max_stored_bytes=10)
    with sessions.begin() as session:
        green = make_team(session, "green").id
    start(sessions, green, given)
    spend(sessions, green, 100)
    store(sessions, green, 100)
    start(sessions, team, given)


def put(client: FlaskClient, data: bytes, **headers: str) -> Any:
    return client.put(f"/v1/artifacts/{hashlib.sha256(data).hexdigest()}", data=data, headers=headers)


def test_an_upload_that_does_not_fit_is_refused(blue: FlaskClient, sessions: Sessions, team: uuid.UUID) -> None:
    own(sessions, team, stored_bytes=1000)
    assert put(blue, b"a" * 600).status_code == 201
    refused = put(blue, b"b" * 401)
    assert (refused.status_code, refused.json["type"]) == (403, "/problems/storage-full")
    assert "stores 600 bytes and may store 1000, so that 401 more are too many" in refused.json["detail"]
    digest = hashlib.sha256(b"b" * 401).hexdigest()
    assert blue.head(f"/v1/artifacts/{digest}").headers["Upload-Offset"] == "0", "refused before a byte was taken"
    part = blue.put(f"/v1/artifacts/{digest}", data=b"b" * 100, headers={"Content-Range": "bytes 0-99/401"})
    assert part.status_code == 403, "a part of it, too"
    assert put(blue, b"a" * 600).status_code == 200, "it is there already"
    assert put(blue, b"c" * 400).status_code == 201
    assert blue.get("/v1/quotas").json["stored_bytes"] == {"used": 1000, "allowed": 1000}


def test_a_retry_is_a_start(blue: FlaskClient, sessions: Sessions, team: uuid.UUID, settings: Settings) -> None:
    job_id = start(sessions, team, settings)
    blue.post(f"/v1/jobs/{job_id}/cancel")
    start(sessions, team, settings)
    own(sessions, team, queued_jobs=1)
    refused = blue.post(f"/v1/jobs/{job_id}/retry")
    assert (refused.status_code, refused.json["type"]) == (429, "/problems/quota")
    assert "Retry-After" in refused.headers
    own(sessions, team, queued_jobs=2)
    assert blue.post(f"/v1/jobs/{job_id}/retry").status_code == 202


def test_a_job_found_again_needs_no_place(sessions: Sessions, team: uuid.UUID, settings: Settings) -> None:
    request = JobRequest(team_id=team, kind="registration", params={"n": 1})
    given = replace(settings, max_queued_jobs=1)
    for status in (202, 200):
        with sessions.begin() as session:
            assert submit(session, request, given).status == status


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What calls return, or raise of ours, that begin together."""
    together, found = threading.Barrier(len(calls)), [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        together.wait()
        try:
            found[index] = call()
        except (TooMany, StorageFull) as error:
            found[index] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_of_submissions_at_once_only_as_many_pass_as_there_are_places(
    sessions: Sessions, team: uuid.UUID, settings: Settings
) -> None:
    given = replace(settings, max_queued_jobs=3)
    for round in range(3):
        found = at_once(*[lambda: start(sessions, team, given)] * 8)
        assert sum(isinstance(answer, uuid.UUID) for answer in found) == (3 if round == 0 else 0)
    with sessions() as session:
        assert session.scalars(sa.select(sa.func.count()).select_from(Job)).one() == 3


def test_a_submission_waits_for_the_one_that_holds_the_place(
    sessions: Sessions, team: uuid.UUID, settings: Settings
) -> None:
    """The race in slow motion: the second looks while the first is not committed yet."""
    given = replace(settings, max_queued_jobs=1)
    request = JobRequest(team_id=team, kind="registration", params={"n": "first"})
    answers: list[Any] = []
    with sessions.begin() as session:
        submit(session, request, given)
        second = threading.Thread(target=lambda: answers.extend(at_once(lambda: start(sessions, team, given))))
        second.start()
        second.join(0.5)
        assert second.is_alive(), "it waits, whatever it has read"
    second.join()
    assert isinstance(answers[0], TooMany)


def test_of_uploads_at_once_only_those_pass_that_fit(
    client_of: MakeClient, sessions: Sessions, team: uuid.UUID
) -> None:
    own(sessions, team, stored_bytes=1000)
    clients = [client_of("blue", "write") for _ in range(4)]
    bodies = [bytes([65 + n]) * 400 for n in range(4)]
    calls = [lambda c=client, b=body: put(c, b).status_code for client, body in zip(clients, bodies, strict=True)]
    assert sorted(at_once(*calls)) == [201, 201, 403, 403]


def run(settings: Settings, *arguments: str) -> Any:
    variables = {"UNITATLAS_DATA_DIR": str(settings.data_dir), "UNITATLAS_DATABASE_URL": settings.database_url}
    variables["UNITATLAS_MAX_WORKER_SECONDS"] = "50"
    return CliRunner().invoke(commands.main, ["quotas", *arguments], env=variables, catch_exceptions=False)


def test_the_person_who_runs_the_service_sets_them(settings: Settings, sessions: Sessions, team: uuid.UUID) -> None:
    assert (
        run(settings, "set", "--team", "blue", "--queued-jobs", "7", "--stored-bytes", "9000000000000").exit_code == 0
    )
    assert run(settings, "list").output == "blue  queued_jobs=7*  worker_seconds=50  stored_bytes=9000000000000*\n"
    run(settings, "set", "--team", "blue", "--queued-jobs", "default", "--worker-seconds", "1.5e3")
    assert run(settings, "list").output == "blue  queued_jobs=1000  worker_seconds=1500*  stored_bytes=9000000000000*\n"
    unknown = run(settings, "set", "--team", "green", "--queued-jobs", "7")
    assert (unknown.exit_code, "no team 'green'" in unknown.output) == (1, True)
    for wrong in ("-1", "many", "1.5"):
        assert run(settings, "set", "--team", "blue", "--queued-jobs", wrong).exit_code == 2
    with sessions() as session:
        entries = session.scalars(sa.select(AuditEntry)).all()
    assert {(entry.actor, entry.action) for entry in entries} == {("command line", "quotas.set")}


def test_a_registration_needs_a_place_too(settings: Settings) -> None:
    client = create_app(replace(settings, max_queued_jobs=1, wait_seconds=0.0)).test_client()
    body = {"source": "torchvision:alexnet", "weights": {"seed": 0}}
    assert client.post("/v1/models", json={"name": "a", **body}).status_code == 202
    assert client.post("/v1/models", json={"name": "b", **body}).status_code == 429
