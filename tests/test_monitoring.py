"""The dashboard and the alerts ask for metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from service.database import Sessions
from service.jobs.tables import JOB_STATES
from service.webhooks.tables import DELIVERY_STATES
from tests.service.health.test_views import add_job
from workers.runner.queries import Load, announce_worker

ROOT = Path(__file__).parents[1]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "unit-atlas.json").read_text())
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]] + [
    rule["expr"] for rule in RULES
]
WORD = re.compile(r"\b(?:unitatlas_\w+|up)\b")
SELECTOR = re.compile(r"(unitatlas_\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


@pytest.fixture
def samples(client: FlaskClient, sessions: Sessions) -> dict[str, list[dict[str, str]]]:
    """The labels of every sample, by its name, of a service that has seen everything that it counts."""
    with sessions.begin() as session:
        announce_worker(session, "one@host", Load("cuda", {"dissection": 3}, 2**30, 2**34))
    client.get("/v1/jobs")
    for state in JOB_STATES:
        add_job(sessions, "dissection", state)
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def test_every_metric_that_is_asked_for_is_there(samples: dict[str, list[dict[str, str]]]) -> None:
    asked = {word for expression in EXPRESSIONS for word in WORD.findall(expression)} - {"up"}
    assert asked <= samples.keys()


def test_every_metric_of_ours_is_shown(samples: dict[str, list[dict[str, str]]]) -> None:
    ours = {name for name in samples if name.startswith("unitatlas_") and not name.endswith(("_created", "_sum"))}
    panels = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    assert {name for name in ours if name not in panels} == set()


def test_every_label_that_is_asked_for_can_be_met(samples: dict[str, list[dict[str, str]]]) -> None:
    for expression in EXPRESSIONS:
        for name, matchers in SELECTOR.findall(expression):
            for label, operator, value in MATCHER.findall(matchers):
                values = {labels[label] for labels in samples[name]}
                if name != "unitatlas_request_seconds_count" and operator in ("=", "=~"):
                    assert set(value.split("|")) <= values, expression
    for grouped in re.findall(
        r"by \(([^)]*)\) \((?:max by \([^)]*\) \()?(?:rate|delta|increase)?\(?(unitatlas_\w+)", " ".join(EXPRESSIONS)
    ):
        labels = {label.strip() for label in grouped[0].split(",")}
        assert labels <= samples[grouped[1]][0].keys(), grouped


def test_states_that_are_counted_are_the_states_there_are(samples: dict[str, list[dict[str, str]]]) -> None:
    assert {labels["state"] for labels in samples["unitatlas_jobs"]} == set(JOB_STATES)
    assert {labels["state"] for labels in samples["unitatlas_webhook_deliveries"]} == set(DELIVERY_STATES)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_are_balanced(expression: str) -> None:
    assert list(_open(expression)) == []
    assert expression.count('"') % 2 == 0


def _open(expression: str) -> Iterator[str]:
    waiting: list[str] = []
    pairs = {")": "(", "]": "[", "}": "{"}
    for character in re.sub(r'"[^"]*"', "", expression):
        if character in pairs.values():
            waiting.append(character)
        elif character in pairs and (not waiting or waiting.pop() != pairs[character]):
            yield character
    yield from waiting


def test_panels_are_named_apart_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= own


def test_alerts_say_what_is_wrong_and_what_would_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}
