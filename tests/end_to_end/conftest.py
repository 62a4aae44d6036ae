"""The service as its real processes, alone (SQLite, files) and as a team (PostgreSQL, Redis)."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import psycopg
import pytest
import redis

from service.settings import Settings
from tests import servers
from unitatlas import Client

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
HURRIED = {"lease_seconds": 3.0, "grace_seconds": 2.0, "retry_seconds": 0.1, "relay_seconds": 0.2, "max_attempts": 10}
COMMANDS = {
    "api": ["service", "serve"],
    "relay": ["workers", "relay"],
    "worker": ["workers", "run", "--name", "w1"],
}


class Service:
    """Processes that can be killed and started again, and a client of theirs."""

    def __init__(self, settings: Settings, logs: Path) -> None:
        self.settings, self.logs = settings, logs
        given = {f"UNITATLAS_{f.name.upper()}": getattr(settings, f.name) for f in fields(settings)}
        self.environment = os.environ | {name: str(value) for name, value in given.items() if value not in (None, "")}
        self.environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.client = Client(f"http://127.0.0.1:{settings.port}")

    def migrate(self) -> None:
        command = [sys.executable, "-m", "service", "migrate"]
        subprocess.run(command, env=self.environment, cwd=self.logs, check=True)

    def start(self, *names: str) -> None:
        for name in names:
            with (self.logs / f"{name}.log").open("ab") as log:
                command = [sys.executable, "-m", *COMMANDS[name]]
                self.processes[name] = subprocess.Popen(
                    command, env=self.environment, cwd=self.logs, stdout=log, stderr=log, start_new_session=True
                )

    def kill(self, *names: str) -> None:
        """End processes, and those that they started, as a loss of power would."""
        for name in names:
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        for name in names:
            self.processes.pop(name).wait()

    def empty_broker(self) -> None:
        if self.settings.broker_url:
            redis.Redis.from_url(self.settings.broker_url).flushdb()
        else:
            for path in (self.settings.data_dir / "broker").glob("*/*"):
                path.unlink(missing_ok=True)

    def drop_connections(self) -> None:
        """What a restart of the database does to those who use it; SQLite has no server to restart."""
        if self.settings.database_url:
            with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid != pg_backend_pid()"
                )


def wait_until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"it never came to this: {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(params=["alone", "team"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    (tmp_path / "import").mkdir()
    common = {"data_dir": tmp_path / "data", "import_dir": tmp_path / "import", "port": free_port(), "device": "cpu"}
    if request.param == "alone":
        yield Settings(**common, **HURRIED)
        return
    name = f"unitatlas_{uuid.uuid4().hex[:12]}"
    broker = request.getfixturevalue("redis_broker")
    yield Settings(**common, **HURRIED, database_url=servers.create_database(name), broker_url=broker)
    servers.drop_database(name)


@pytest.fixture
def service(settings: Settings, tmp_path: Path) -> Iterator[Service]:
    """The service, migrated and ready."""
    service = Service(settings, tmp_path)
    service.migrate()
    service.start("api", "relay", "worker")
    yield service
    service.client.close()
    service.kill(*service.processes)
