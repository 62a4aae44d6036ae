"""The shell's side of the service."""

import json
from pathlib import Path

import pytest
import waitress
from click.testing import CliRunner, Result

from service import __main__ as commands
from service.access.keys import parse_key
from service.settings import Settings


def environment(settings: Settings) -> dict[str, str]:
    return {"UNITATLAS_DATA_DIR": str(settings.data_dir), "UNITATLAS_DATABASE_URL": settings.database_url}


def run(variables: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(commands.main, arguments, env=variables, catch_exceptions=False)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    calls: list[dict[str, object]] = []
    monkeypatch.setattr(waitress, "serve", lambda app, **given: calls.append(given))
    return calls


def test_key_from_making_to_revoking(settings: Settings) -> None:
    variables = environment(settings)
    key = parse_key(run(variables, "keys", "create", "--team", "blue").output.strip())
    assert key is not None
    listed = run(variables, "keys", "list").output
    assert f"ua_{key.prefix}  blue  default  read,write,run" in listed
    assert key.text not in listed
    assert run(variables, "keys", "revoke", f"ua_{key.prefix}").exit_code == 0
    assert "revoked" in run(variables, "keys", "list").output


def test_key_errors_are_one_line(settings: Settings) -> None:
    variables = environment(settings)
    run(variables, "keys", "create", "--team", "blue")
    twice = run(variables, "keys", "create", "--team", "blue")
    assert (twice.exit_code, twice.output.count("\n")) == (1, 1)
    assert "choose another name" in twice.output
    assert run(variables, "keys", "revoke", "abcdefgh").exit_code == 1
    assert run(variables, "keys", "create", "--team", "blue", "--scope", "root").exit_code == 2


@pytest.mark.parametrize("arguments", [("list",), ("create", "--team", "blue"), ("revoke", "abcdefgh")])
def test_keys_need_a_migrated_database(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused = run({"UNITATLAS_DATA_DIR": str(tmp_path / "new")}, "keys", *arguments)
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
    assert "python -m service migrate" in refused.output


def test_serve_on_loopback(settings: Settings, served: list[dict[str, object]]) -> None:
    assert run(environment(settings), "serve").exit_code == 0
    assert (served[0]["host"], served[0]["port"]) == ("127.0.0.1", 8000)
    assert served[0]["max_request_body_size"] == settings.max_artifact_bytes


def test_serve_refuses_to_be_open_to_all(settings: Settings, served: list[dict[str, object]]) -> None:
    variables = environment(settings) | {"UNITATLAS_HOST": "0.0.0.0"}
    for command in ("check", "serve"):
        refused = run(variables, command)
        assert refused.exit_code == 1
        assert "unitatlas keys create --team NAME" in refused.output
    assert not served
    run(variables, "keys", "create", "--team", "blue")
    assert run(variables, "check").exit_code == 0
    assert run(variables, "serve").exit_code == 0
    assert served


def test_serve_refuses_an_old_database(tmp_path: Path, served: list[dict[str, object]]) -> None:
    variables = {"UNITATLAS_DATA_DIR": str(tmp_path / "fresh")}
    refused = run(variables, "serve")
    assert refused.exit_code == 1
    assert "python -m service migrate" in refused.output
    for _ in range(2):
        assert run(variables, "migrate").exit_code == 0
    assert run(variables, "serve").exit_code == 0
    assert served


def test_openapi(sqlite_settings: Settings) -> None:
    document = json.loads(run(environment(sqlite_settings), "openapi").output)
    assert document["openapi"] == "3.1.1"
