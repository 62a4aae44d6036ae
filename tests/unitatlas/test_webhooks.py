"""Webhooks from Python and the shell, against the real service."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from unitatlas import Client, Problem
from unitatlas.cli import cli

URL = "https://hooks.example/atlas"


def run(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["--url", url, "--key", "", "webhooks", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def ask(url: str, *arguments: str) -> Any:
    return json.loads(run(url, *arguments, "--json"))


def test_from_python(idle_url: str) -> None:
    with Client(idle_url, key="") as client:
        made = client.webhooks.add(URL)
        assert made.secret is not None
        assert made.secret.startswith("whsec_")
        assert [hook.id for hook in client.webhooks.list()] == [made.id]
        assert client.webhooks.get(made.id).secret is None
        sent = client.webhooks.test(made.id)
        assert (sent.type, sent.state, sent.job) == ("webhook.test", "pending", None)
        assert client.webhooks.delivery(made.id, sent.id).message["data"] == {"webhook": made.id}
        assert [delivery.id for delivery in client.webhooks.deliveries(made.id)] == [sent.id]
        assert [*client.webhooks.deliveries(made.id, state="dead")] == []
        assert client.webhooks.resend(made.id, sent.id).id == sent.id
        changed = client.webhooks.change(made, url=URL + "/2", active=False)
        assert (changed.url, changed.active) == (URL + "/2", False)
        assert client.webhooks.change(changed, active=True).url == URL + "/2"
        assert client.webhooks.rotate(made.id).secret not in (None, made.secret)
        client.webhooks.delete(made.id)
        with pytest.raises(Problem, match="no webhook"):
            client.webhooks.get(made.id)


def test_from_the_shell(idle_url: str) -> None:
    made = ask(idle_url, "add", URL)
    assert made["secret"].startswith("whsec_")
    table = run(idle_url, "list")
    assert URL in table
    assert made["secret"] not in table
    sent = ask(idle_url, "test", made["id"])
    assert sent["id"] in run(idle_url, "deliveries", made["id"])
    assert run(idle_url, "deliveries", made["id"], "--state", "dead").count("\n") == 1
    assert json.loads(run(idle_url, "show", made["id"], sent["id"]))["message"]["type"] == "webhook.test"
    assert ask(idle_url, "resend", made["id"], sent["id"])["state"] == "pending"
    assert ask(idle_url, "change", made["id"], "--inactive") | {"active": True} == {
        name: value for name, value in made.items() if name != "secret"
    }
    assert ask(idle_url, "rotate", made["id"])["secret"] != made["secret"]
    assert run(idle_url, "rotate", made["id"]).count("whsec_") == 1
    run(idle_url, "remove", made["id"])
    assert ask(idle_url, "list") == []
