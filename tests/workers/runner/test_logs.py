"""The log of a real worker and a real relay: JSON, with the ids of job, shard and request."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.database import Sessions
from service.jobs.tables import TERMINAL_STATES
from service.logs import logged_with
from service.settings import Settings
from tests.workers.runner.conftest import Queue, job_of

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("toy_worker.py")


@pytest.fixture
def settings(sqlite_settings: Settings) -> Settings:
    return sqlite_settings


def test_lines_are_json_and_say_what_they_are_about(
    settings: Settings, sessions: Sessions, queue: Queue, client: FlaskClient, tmp_path: Path
) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "UNITATLAS_DATA_DIR": str(settings.data_dir)}
    with logged_with(request_id="abc"):
        job_id, failing = queue(), queue(misbehave="invalid")
    with (tmp_path / "log").open("wb") as log:
        processes = [
            subprocess.Popen([sys.executable, str(SCRIPT), *arguments], env=environment, stderr=log, stdout=log)
            for arguments in (["run", "--name", "one"], ["relay"])
        ]
    try:
        while not all(job_of(sessions, job).state in TERMINAL_STATES for job in (job_id, failing)):
            time.sleep(0.05)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if _is_ours(line)]
    done = [line for line in lines if line["message"] == "the shard is done" and line["job_id"] == str(job_id)]
    told = {(line["request_id"], line["kind"], line["stage"], line["shard"], line["attempt"]) for line in done}
    assert told == {("abc", "squares", *shard, 1) for shard in _shards()}
    [failed] = [line for line in lines if line["message"].startswith("the shard failed")][:1]
    assert (failed["job_id"], failed["stage"]) == (str(failing), "square")
    assert any(line["logger"].startswith("celery") for line in lines), "Celery's lines are JSON, too"


def _shards() -> list[tuple[str, int]]:
    return [("prepare", 0), *(("square", index) for index in range(3)), *(("add", index) for index in range(3))]


def _is_ours(line: str) -> Any:
    # the banner that Celery prints for people is not a log line
    return line.startswith("{")
