"""The stack and its images keep their rules; no engine is needed here, `make compose-test` runs them."""

import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service.settings import Settings

ROOT = Path(__file__).parents[1]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OWN = ("migrate", "api", "relay", "worker-gpu", "worker-cpu")
DOCKERFILES = [ROOT / "deploy" / "api.Dockerfile", ROOT / "deploy" / "worker.Dockerfile"]


def test_services() -> None:
    assert set(SERVICES) == {"db", "redis", *OWN}
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["worker-gpu", "worker-cpu"]


@pytest.mark.parametrize("name", SERVICES)
def test_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "cap_add"} & set(service)


@pytest.mark.parametrize("name", ["db", "redis"])
def test_servers_run_as_their_own_users_and_have_a_health_check(name: str) -> None:
    assert SERVICES[name]["user"] in ("postgres", "redis")
    assert SERVICES[name]["healthcheck"]["test"]


def test_only_the_api_is_reached_from_outside_and_by_default_from_this_machine() -> None:
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["api"]
    assert SERVICES["api"]["ports"] == ["${API_ADDRESS:-127.0.0.1:8000}:8000"]


def test_order_of_starting() -> None:
    after = {name: {k: v["condition"] for k, v in s.get("depends_on", {}).items()} for name, s in SERVICES.items()}
    assert after["migrate"] == {"db": "service_healthy"}
    for name in set(OWN) - {"migrate"}:
        assert after[name]["migrate"] == "service_completed_successfully"
    assert SERVICES["migrate"]["restart"] == "no"


def test_redis_keeps_what_it_is_told() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "broker:/data" in SERVICES["redis"]["volumes"]


@pytest.mark.parametrize("name", OWN)
def test_files_are_shared_and_imports_read_only(name: str) -> None:
    assert SERVICES[name]["volumes"] == ["${DATA:-data}:/data", "${IMPORT_DIR:-./import}:/import:ro"]
    assert SERVICES[name]["environment"]["UNITATLAS_IMPORT_DIR"] == "/import"


def test_worker_gpu_gets_a_gpu_and_time_to_stop() -> None:
    worker = SERVICES["worker-gpu"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert worker["environment"]["UNITATLAS_DEVICE"] == "cuda"
    assert worker["stop_grace_period"] == "60s"


@pytest.mark.parametrize("name", OWN)
def test_settings_of_the_stack_are_settings(name: str) -> None:
    known = {f"UNITATLAS_{setting.name.upper()}" for setting in fields(Settings)}
    assert set(SERVICES[name]["environment"]) <= known


def test_streams_leave_half_of_the_threads_to_others() -> None:
    text = (ROOT / "deploy" / "gunicorn.conf.py").read_text()
    (threads,) = re.findall(r"^threads = (\d+)$", text, re.MULTILINE)
    assert int(SERVICES["api"]["environment"]["UNITATLAS_MAX_STREAMS"]) * 2 == int(threads)


def test_no_secret_is_written_down() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for line in text.splitlines():
        if "PASSWORD" in line and not line.startswith("#"):
            assert re.search(r"\$\{(POSTGRES|REDIS)_PASSWORD:\?", line), line
    example = (ROOT / "deploy" / "env.example").read_text()
    assert re.findall(r"^\w+_PASSWORD=(.*)$", example, re.MULTILINE) == ["", ""]


def test_env_example_names_every_variable_that_an_operator_sets() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    named = set(re.findall(r"^(\w+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    assert {name for name in used if not name.endswith("_IMAGE")} == named - {"COMPOSE_PROFILES"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_images(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    assert "ARG PYTHON_IMAGE=python:3.11-slim" in text
    assert "\nFROM ${PYTHON_IMAGE}\n" in text, "what builds does not serve"
    assert "\nUSER 10001:10001\n" in text
    assert "\nHEALTHCHECK " in text
    assert not re.search(r"https?://(?!127\.0\.0\.1)|index-url|trusted-host|find-links", text), "a machine's own"
    assert "--constraint requirements.lock" in text


def test_only_sources_enter_the_build() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == {
        *("pyproject.toml", "requirements.lock", "README.md", "LICENSE"),
        *("deploy", "service", "workers", "unitatlas", "migrations"),
    }


def test_the_api_image_has_no_torch() -> None:
    assert '".[team]"' in DOCKERFILES[0].read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = _closure([*project["dependencies"], *project["optional-dependencies"]["team"]])
    assert {"flask", "gunicorn", "psycopg-binary", "redis"} <= names
    assert not {name for name in names if name.startswith(("torch", "nvidia", "triton"))}


def _closure(requirements: list[str]) -> set[str]:
    """Names of all distributions that the requirements bring along, as installed here."""
    names: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        if canonicalize_name(wanted.name) in names and not wanted.extras:
            continue
        names.add(canonicalize_name(wanted.name))
        for text in distribution(wanted.name).requires or []:
            further = Requirement(text)
            if any(not further.marker or further.marker.evaluate({"extra": e}) for e in {"", *wanted.extras}):
                waiting.append(further)
    return names


def test_every_setting_is_documented() -> None:
    rows = re.findall(r"^\| `(UNITATLAS_\w+)` \|", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE)
    assert rows == [f"UNITATLAS_{setting.name.upper()}" for setting in fields(Settings)]


def test_scripts_parse() -> None:
    for path in (
        ROOT / "deploy" / "serve",
        ROOT / "deploy" / "compose-test",
        ROOT / "deploy" / "test" / "start-postgres",
    ):
        assert os.access(path, os.X_OK)
        shell = path.read_text().splitlines()[0].rpartition("/")[2].removeprefix("env ")
        subprocess.run([shell, "-n", path], check=True)


def test_the_api_container_s_command_refuses_without_a_key_and_serves_with_one(
    postgres_settings: Settings, redis_broker: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "UNITATLAS_DATA_DIR": str(postgres_settings.data_dir),
        "UNITATLAS_DATABASE_URL": postgres_settings.database_url,
        "UNITATLAS_BROKER_URL": redis_broker,
        "UNITATLAS_HOST": "0.0.0.0",
        "UNITATLAS_PORT": str(port),
    }
    command = [str(ROOT / "deploy" / "serve")]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "keys create --team" in refused.stderr

    made = subprocess.run(
        [sys.executable, "-m", "service", "keys", "create", "--team", "blue"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    with _running(command, environment), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        _await(client)
        assert client.get("/v1/models").status_code == 401
        key = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert client.get("/v1/models", headers=key).json() == {"data": [], "next_cursor": None}
        _assert_processes_count_together(client)


def _assert_processes_count_together(client: httpx.Client) -> None:
    for _ in range(30):
        httpx.get(f"{client.base_url}/v1/no-such-thing")  # each over a connection of its own, so that both answer
    counted = 'unitatlas_request_seconds_count{endpoint="none",method="GET",status="404"} 30.0'
    assert all(counted in httpx.get(f"{client.base_url}/metrics").text for _ in range(6))


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield
        finally:
            process.terminate()
        assert process.wait(60) == 0


def _await(client: httpx.Client) -> None:
    for _ in range(600):
        try:
            assert client.get("/healthz").status_code == 200
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the API did not come up")
