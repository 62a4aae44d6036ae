"""What nothing shows any more goes, and nothing else, whatever happens meanwhile."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service import __main__ as commands
from service.access.queries import make_team
from service.artifacts import collecting, collecting_queries
from service.artifacts.collecting import collect
from service.artifacts.queries import find_artifact, record_artifacts
from service.artifacts.store import ArtifactStore
from service.artifacts.tables import Artifact, ArtifactOwner
from service.database import Sessions, now
from service.jobs import queries as jobs
from service.jobs.submission import JobRequest, submit
from service.jobs.tables import Job, Shard
from service.settings import Settings
from service.tables import Table
from tests.service.conftest import MakeClient
from tests.service.sharing.shared import plant


@dataclass
class World:
    """A team's database and files, all of which can be made older."""

    settings: Settings
    sessions: Sessions
    store: ArtifactStore
    team: uuid.UUID

    def put(self, data: bytes, *, row: bool = True) -> str:
        digest = self.store.put(data)
        if row:
            with self.sessions.begin() as session:
                record_artifacts(session, self.team, [(digest, len(data), "image/png")])
        return digest

    def age(self, days: float = 8) -> None:
        """Let days pass for all rows and files, and for jobs."""
        with self.sessions.begin() as session:
            past = timedelta(days=days)
            for artifact in session.scalars(sa.select(Artifact)):
                artifact.touched_at -= past
            for job in session.scalars(sa.select(Job)):
                job.created_at -= past
                job.finished_at = job.finished_at and job.finished_at - past
        for path in self.store.root.rglob("*"):
            if path.is_file():
                time = path.stat().st_mtime - past.total_seconds()
                os.utime(path, (time, time))

    def collect(self, **more: Any) -> collecting.Collected:
        return collect(self.sessions, self.store, self.settings, **more)

    def has(self, digest: str) -> tuple[bool, bool]:
        """Whether the artifact's row and file are there."""
        with self.sessions() as session:
            return find_artifact(session, self.team, digest) is not None, self.store.exists(digest)

    def submit(self, **params: Any) -> uuid.UUID:
        request = JobRequest(team_id=self.team, kind="registration", params=params, shared=False)
        with self.sessions.begin() as session:
            return submit(session, request, self.settings).job.id

    def end(self, job_id: uuid.UUID, state: str, **more: Any) -> None:
        with self.sessions.begin() as session:
            jobs.finish_job(session, session.get_one(Job, job_id), state, **more)

    def report(self, job_id: uuid.UUID, result: Any) -> None:
        """Let the job's first shard have found something."""
        with self.sessions.begin() as session:
            session.execute(sa.update(Shard).where(Shard.job_id == job_id).values(result=result, state="done"))


BOTH, NEITHER = (True, True), (False, False)


@pytest.fixture
def world(settings: Settings, sessions: Sessions) -> World:
    with sessions.begin() as session:
        team = make_team(session, "blue").id
    return World(settings, sessions, ArtifactStore(settings.artifact_dir), team)


def test_what_nothing_names_goes_after_a_week(world: World) -> None:
    digest = world.put(b"nobody's")
    world.age(6.9)
    assert world.collect() == collecting.Collected()
    assert world.has(digest) == BOTH
    world.age(0.2)
    assert world.collect(dry_run=True) == collecting.Collected(1, 1, 8)
    assert world.has(digest) == BOTH
    assert world.collect() == collecting.Collected(1, 1, 8)
    assert world.has(digest) == NEITHER
    with world.sessions() as session:
        assert session.scalars(sa.select(ArtifactOwner)).all() == []


def test_the_setting_says_how_long_but_never_less_than_a_day(world: World) -> None:
    world.settings = replace(world.settings, artifact_retention_seconds=0.0)
    digest = world.put(b"nobody's")
    world.age(0.99)
    world.collect()
    assert world.has(digest) == BOTH
    world.age(0.02)
    world.collect()
    assert world.has(digest) == NEITHER


def test_everything_that_a_team_has_stays(world: World, client_of: MakeClient) -> None:
    """Of every kind of result, and of models and datasets."""
    with world.sessions.begin() as session:
        planted = plant(session, world.store, "blue")
    shown = set().union(*planted.pictures.values())
    orphan = world.put(b"nobody's")
    world.age(1000)
    collected = world.collect()
    client = client_of("blue", "read")
    assert all(client.get(f"/v1/artifacts/{digest}").status_code == 200 for digest in shown)
    assert world.has(orphan) == NEITHER
    assert not shown & {*collected.missing}


def test_every_column_that_could_name_an_artifact_is_read(world: World) -> None:
    """Found by the schema, not by a list: foreign keys to artifacts, digests, JSON and text of every table."""
    read = {
        (table.name, column.name)
        for table in Table.metadata.sorted_tables
        if table.name not in collecting_queries.HISTORY
        for column in table.columns
        if isinstance(column.type, sa.String | sa.JSON)
    }
    named = {
        (table.name, column.name)
        for table in Table.metadata.sorted_tables
        for column in table.columns
        if any(key.target_fullname == "artifacts.digest" for key in column.foreign_keys)
    }
    assert named - {("artifact_owners", "digest")} <= read
    assert {("models", "weights"), ("datasets", "location"), ("datasets", "manifest"), ("jobs", "summary")} <= read
    assert len(named) > 6


def test_what_a_job_names_stays_while_the_job_shows_it(world: World) -> None:
    digests = {name: world.put(name.encode()) for name in ("params", "summary", "running", "found")}
    done, running = world.submit(weights=digests["params"]), world.submit(n=1)
    world.report(done, {"pictures": [digests["found"]]})
    world.end(done, "succeeded", summary={"matrix": {"digest": digests["summary"]}})
    world.report(running, {"pictures": [digests["running"]]})
    world.age(8)
    assert world.collect().artifacts == 1, "what its shards found shows a finished job in rows and a summary, or not"
    assert world.has(digests.pop("found"))[0] is False
    assert {name: world.has(digest) for name, digest in digests.items()} == dict.fromkeys(digests, BOTH)


@pytest.mark.parametrize("state", ["failed", "canceled", "expired"])
def test_what_a_job_that_ended_in_vain_names_stays_for_a_week_after(world: World, state: str) -> None:
    digest = world.put(b"weights")
    job_id = world.submit(weights=digest)
    world.age(30)
    world.end(job_id, state)
    world.age(6.9)
    world.collect()
    assert world.has(digest) == BOTH
    world.age(0.2)
    world.collect()
    assert world.has(digest) == NEITHER


def test_a_retry_keeps_what_its_job_names(world: World) -> None:
    digest = world.put(b"weights")
    job_id = world.submit(weights=digest)
    world.end(job_id, "failed")
    world.age(100)
    with world.sessions.begin() as session:
        jobs.retry(session, session.get_one(Job, job_id))
    world.collect()
    assert world.has(digest) == BOTH


def test_files_that_are_no_artifact_go_after_a_day(world: World) -> None:
    orphan = world.put(b"never recorded", row=False)
    leftover, upload = world.store.root / "new-abc", world.store.root / "uploads" / f"{'0' * 32}-{'1' * 64}"
    upload.parent.mkdir()
    for path in (leftover, upload):
        path.write_bytes(b"half")
    world.age(0.9)
    assert world.collect().files == 0
    world.age(0.2)
    assert world.collect() == collecting.Collected(0, 3, 14 + 4 + 4)
    assert not world.store.exists(orphan)
    assert not leftover.exists()
    assert not upload.exists()


def test_files_stay_that_an_open_job_may_have_stored(world: World) -> None:
    """However long it takes, and though only its scratch space tells of them."""
    job_id = world.submit(n=1)
    digest = world.put(b"stored by its first shard", row=False)
    stale = world.put(b"known for long, stored again")
    world.age(5)
    world.collect()
    world.store.put(b"known for long, stored again")
    world.age(5)
    world.collect()
    assert world.has(digest) == (False, True)
    assert world.has(stale) == (False, True), "the row goes, the file stays until the job has recorded it"
    assert world.put(b"known for long, stored again") == stale
    assert world.has(stale) == BOTH
    world.end(job_id, "failed")
    world.collect()
    assert world.has(digest) == (False, True), "it may be retried for a day"
    world.age(2)
    world.collect()
    assert world.has(digest) == NEITHER


def test_rows_without_files_are_told_and_kept(world: World) -> None:
    lost, there = world.put(b"lost"), world.put(b"there")
    world.submit(weights=[lost, there])
    world.store.path(lost).unlink()
    world.age(1000)
    assert world.collect() == collecting.Collected(missing=[lost])
    assert world.has(lost) == (True, False)


def interleave(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, work: Callable[[], object]) -> None:
    """Let something happen just before a function is called for the first time."""
    real, waiting = getattr(owner, name), [work]

    def call(*args: Any, **more: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*args, **more)

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize("moment", ["remove_untouched", "find_known", "all_artifacts"])
def test_what_comes_to_be_named_meanwhile_stays(world: World, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = world.put(b"weights")
    world.age(1000)

    def name_it() -> None:
        world.put(b"weights")
        world.submit(weights=digest)

    if world.settings.database_url or moment == "find_known":
        interleave(monkeypatch, collecting_queries, moment, name_it)
    else:  # SQLite has one writer and looks at one state of things: between the two
        interleave(monkeypatch, collecting, "_remove_rows", name_it)
    world.collect()
    assert world.has(digest) == BOTH


def test_a_request_that_names_it_without_storing_it_anew_keeps_it(
    world: World, client_of: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = world.put(b"weights")
    world.age(1000)
    client = client_of("blue", "read", "write", "run")
    client.application.extensions["unitatlas"] = replace(
        client.application.extensions["unitatlas"], settings=replace(world.settings, wait_seconds=0.0)
    )
    body = {"name": "net", "source": "torchvision:alexnet", "weights": {"artifact": digest}}
    answers: list[int] = []

    def register() -> None:
        answers.append(client.post("/v1/models", json=body).status_code)

    interleave(monkeypatch, collecting, "_remove_rows", register)
    world.collect()
    assert answers == [202]
    assert world.has(digest) == BOTH


def test_an_upload_of_what_is_there_keeps_it(
    world: World, client_of: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = world.put(b"weights")
    world.age(1000)
    client: FlaskClient = client_of("blue", "write")
    interleave(monkeypatch, collecting, "_remove_rows", lambda: client.put(f"/v1/artifacts/{digest}", data=b"weights"))
    world.collect()
    assert world.has(digest) == BOTH


def test_a_row_removed_is_made_anew_by_who_stores_it_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = world.put(b"weights")
    world.age(1000)
    interleave(monkeypatch, collecting, "_nobodys", lambda: world.put(b"weights"))
    assert world.collect().artifacts == 1
    assert world.has(digest) == BOTH


def test_what_is_stored_between_the_last_look_and_the_removal_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = world.put(b"weights")
    world.age(1000)
    interleave(monkeypatch, ArtifactStore, "discard", lambda: world.put(b"weights"))
    world.collect()
    assert world.has(digest) == BOTH
    world.age(1000)
    world.submit(weights=digest)
    assert world.store.path(digest).read_bytes() == b"weights"


def test_what_is_stored_while_the_old_file_lies_aside_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = world.put(b"weights")
    world.age(1000)
    interleave(monkeypatch, Path, "unlink", lambda: world.put(b"weights"))
    world.collect()
    assert world.has(digest) == BOTH
    assert [*world.store.root.glob("discarded-*")] == []


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("place", [(collecting, "_nobodys"), (ArtifactStore, "discard"), (Path, "unlink")])
def test_a_killed_collection_leaves_no_harm(
    world: World, place: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, orphans = world.put(b"kept"), [world.put(bytes([n])) for n in range(30)]
    world.submit(weights=kept)
    world.age(1000)

    def die() -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        interleave(patch, *place, die)
        world.collect()
    assert world.has(kept) == BOTH
    world.collect()
    assert world.has(kept) == BOTH
    assert {world.has(orphan) for orphan in orphans} == {NEITHER}
    assert [*world.store.root.glob("discarded-*")] == []


def test_a_fresh_file_that_a_killed_collection_moved_aside_is_put_back(world: World) -> None:
    digest = world.put(b"fresh")
    world.store.path(digest).rename(world.store.root / f"discarded-{digest}-{uuid.uuid4().hex}")
    world.collect()
    assert world.has(digest) == BOTH


CONTENTS = [bytes([65 + n]) * 9 for n in range(4)]
STEPS = st.tuples(
    st.sampled_from(["put", "record", "name", "forget", "age", "collect", "die"]),
    st.integers(0, len(CONTENTS) - 1),
    st.sampled_from([0.3, 1.5, 8.0]),
)


@pytest.fixture
def emptied(world: World) -> Callable[[], World]:
    def empty() -> World:
        with world.sessions.begin() as session:
            for table in reversed(Table.metadata.sorted_tables):
                if table.name not in ("teams", "alembic_version", "audit_entries"):
                    session.execute(sa.delete(table))
        shutil.rmtree(world.store.root, ignore_errors=True)
        return world

    return empty


@hypothesis_settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, max_size=25))
def test_nothing_named_ever_goes_and_all_else_does_in_the_end(
    emptied: Callable[[], World], steps: list[tuple[str, int, float]]
) -> None:
    """Whatever is stored, named, forgotten and collected in whatever order, and wherever a collection dies."""
    world = emptied()
    named: dict[uuid.UUID, str] = {}
    for step, number, days in steps:
        digest = hashlib.sha256(CONTENTS[number]).hexdigest()
        if step == "put":
            world.put(CONTENTS[number], row=False)
        elif step == "record":
            world.put(CONTENTS[number])
        elif step == "name" and world.has(digest) == BOTH:
            named[job_id := world.submit(weights=digest)] = digest
            world.end(job_id, "succeeded")
        elif step == "forget" and named:
            job_id, _ = named.popitem()
            with world.sessions.begin() as session:
                session.execute(sa.update(Job).where(Job.id == job_id).values(params={}))
        elif step == "age":
            world.age(days)
        elif step in ("collect", "die"):
            collect_or_die(world, step)
        assert all(world.has(digest) == BOTH for digest in named.values())
    world.age(8)
    world.collect()
    for content in CONTENTS:
        digest = hashlib.sha256(content).hexdigest()
        assert world.has(digest) == (BOTH if digest in named.values() else NEITHER)


def collect_or_die(world: World, step: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if step == "die":

            def die(*_: object) -> None:
                raise Killed

            patch.setattr(ArtifactStore, "discard", die)
        with suppress(Killed):
            world.collect()


def test_the_command_removes_and_fails_for_what_is_missing(world: World) -> None:
    variables = {
        "UNITATLAS_DATA_DIR": str(world.settings.data_dir),
        "UNITATLAS_DATABASE_URL": world.settings.database_url,
    }

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(commands.main, ["artifacts", "collect", *arguments], env=variables)

    kept, orphan = world.put(b"kept"), world.put(b"nobody's")
    world.submit(weights=kept)
    world.age(8)
    dry = run("--dry-run")
    assert dry.output == "would remove 1 artifacts that nothing shows and 1 files, 8 bytes\n"
    assert world.has(orphan) == BOTH
    assert run().output == "removed 1 artifacts that nothing shows and 1 files, 8 bytes\n"
    assert world.has(orphan) == NEITHER
    world.store.path(kept).unlink()
    failed = run()
    assert failed.exit_code == 1
    assert f"missing: {kept}" in failed.output


def test_the_time_of_the_database_counts(world: World) -> None:
    digest = world.put(b"young")
    with world.sessions() as session:
        assert abs((session.get_one(Artifact, digest).touched_at - now(session)).total_seconds()) < 3600
