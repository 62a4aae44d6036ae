"""Links, collections, annotations, members and the audit log from Python and the shell, against the real service."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from unitatlas import Client, Job, Problem
from unitatlas.cli import cli


@pytest.fixture
def ask(url: str) -> Callable[..., Any]:
    def ask(*arguments: str) -> Any:
        command = ["--url", url, "--key", "", *arguments]
        table = CliRunner().invoke(cli, command, catch_exceptions=False) if arguments[1:2] == ("list",) else None
        assert table is None or table.exit_code == 0
        result = CliRunner().invoke(cli, [*command, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return ask


def test_links(client: Client, url: str, dissected: Job, ask: Callable[..., Any]) -> None:
    unit = next(client.units(layer="features.3"))
    until = datetime.now(UTC) + timedelta(hours=1)
    share = client.team.share(unit, expires_at=until)
    assert (share.kind, datetime.fromisoformat(share.expires_at)) == ("unit", until)
    assert share.url is not None
    assert share.url.startswith(f"{url}/shared/")
    with Client(share.url, key="") as guest:
        assert guest.unit(unit.model, unit.layer, unit.unit).label == unit.label
        with pytest.raises(Problem):
            guest.model("net")
        client.team.revoke_share(share.id)
        with pytest.raises(Problem):
            guest.unit(unit.model, unit.layer, unit.unit)
    of_job = ask("shares", "add", f"/v1/jobs/{dissected.id}", "--until", _tomorrow())
    assert httpx.get(url + of_job["links"]["self"]).json()["id"] == dissected.id
    assert client.team.share(dissected).address == f"/v1/jobs/{dissected.id}"
    assert {found["id"] for found in ask("shares", "list")} >= {share.id, of_job["id"]}
    assert ask("shares", "revoke", of_job["id"])["revoked_at"] is not None


def _tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")


def test_collections(client: Client, dissected: Job, ask: Callable[..., Any]) -> None:
    units = [unit for unit, _ in zip(client.units(layer="features.3", sort="unit"), range(3), strict=False)]
    made = client.team.make_collection("firsts", units, note="to look at")
    assert [unit.unit for unit in made.units] == [0, 1, 2]
    turned = client.team.change_collection(made, units=made.units[::-1], name="lasts")
    assert [unit.unit for unit in turned.units] == [2, 1, 0]
    assert (turned.name, turned.note, turned.version) == ("lasts", "to look at", 2)
    with pytest.raises(Problem, match="version 2"):
        client.team.change_collection(made)
    longer = ask("collections", "append", made.id, "net", "features.12", "7", "--note", "sky")
    assert (longer["size"], longer["units"][3]["note"]) == (4, "sky")
    assert client.team.collection(made.id).units[3].note == "sky"
    assert ask("collections", "show", made.id) == longer
    other = ask("collections", "add", "empty", "--note", "so far")
    assert [found["id"] for found in ask("collections", "list")][:2] == [other["id"], made.id]
    for id in (made.id, other["id"]):
        client.team.delete_collection(id)
    assert [*client.team.collections()] == []


def test_annotations(client: Client, dissected: Job, ask: Callable[..., Any]) -> None:
    said = client.team.annotate("net", "features.3", 5, "horizons", concept="horizon")
    client.team.revise_annotation(said.id, "edges, rather")
    [shown] = client.unit("net", "features.3", 5).annotations
    assert (shown.note, shown.label, shown.history[0]["label"]["concept"]) == ("edges, rather", None, "horizon")
    more = ask("annotations", "add", "net", "features.3", "6", "--concept", "sky", "--category", "scene")
    assert more["label"] == {"category": "scene", "concept": "sky", "method": "person"}
    assert [found["id"] for found in ask("annotations", "list", "--model", "net")][:2] == [more["id"], said.id]
    assert ask("annotations", "withdraw", more["id"])["withdrawn"] is True
    assert client.team.annotation(more["id"]).history[0]["note"] == ""
    assert client.team.withdraw_annotation(said.id).withdrawn
    assert client.unit("net", "features.3", 5).annotations == []


def test_members_and_what_they_did(client: Client, dissected: Job, ask: Callable[..., Any]) -> None:
    assert ask("members", "add", "ana", "reader")["role"] == "reader"
    assert client.team.add_member("ben").role == "member"
    assert ask("members", "role", "ana", "admin")["role"] == "admin"
    assert [member.name for member in client.team.members()] == ["ana", "ben"]
    assert [member["role"] for member in ask("members", "list")] == ["admin", "member"]
    client.team.remove_member("ben")
    assert ask("members", "remove", "ana")["name"] == "ana"
    entry = ask("audit", "--action", "access.remove_member")[0]
    assert (entry["actor"], entry["subject"]) == ("local", "/v1/members/ana")
    assert next(client.team.audit(actor="local")).subject == "/v1/members/ana"


def test_quotas(idle_url: str, client: Client, dissected: Job, ask: Callable[..., Any]) -> None:
    used = client.team.quotas()
    assert used.queued_jobs == {"used": 0, "allowed": 1000}
    assert used.worker_seconds["used"] > 0
    assert used.stored_bytes["used"] > 1000
    assert ask("quotas").keys() == {"queued_jobs", "worker_seconds", "stored_bytes"}
    table = CliRunner().invoke(cli, ["--url", idle_url, "--key", "", "quotas"], catch_exceptions=False).output
    assert [line.split() for line in table.splitlines()] == [
        ["of", "used", "allowed"],
        ["queued", "jobs", "0", "1000"],
        ["stored", "bytes", "0", "-"],
        ["worker", "seconds", "0", "-"],
    ]
