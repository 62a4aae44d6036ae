"""The shell's side of the workers."""

import socket
from datetime import timedelta

from click.testing import CliRunner

from service.database import make_engine, make_sessions
from service.jobs.queries import WORKER_LIFETIME
from service.jobs.tables import Worker
from service.settings import Settings
from workers import __main__ as commands
from workers.runner.queries import Load, announce_worker


def test_a_worker_is_seen_while_it_announces_itself(settings: Settings) -> None:
    variables = {"UNITATLAS_DATA_DIR": str(settings.data_dir), "UNITATLAS_DATABASE_URL": settings.database_url}
    sessions = make_sessions(make_engine(settings))
    full_name = f"one@{socket.gethostname()}"

    def exit_code(name: str) -> int:
        return CliRunner().invoke(commands.main, ["seen", "--name", name], env=variables).exit_code

    assert exit_code("one") == 1
    with sessions.begin() as session:
        announce_worker(session, full_name, Load("cpu", {}, None, None))
    assert (exit_code("one"), exit_code("another")) == (0, 1)
    with sessions.begin() as session:
        session.get_one(Worker, full_name).seen_at -= WORKER_LIFETIME + timedelta(seconds=1)
    assert exit_code("one") == 1
