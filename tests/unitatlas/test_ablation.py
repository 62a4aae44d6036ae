"""Asking what units are for, from Python and the command line: planted rows on the live service, scripted replies."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner, Result
from werkzeug.wrappers import Response

from service.access.queries import find_team
from service.catalog.queries import class_ids, find_model
from service.database import make_engine, make_sessions
from service.settings import Settings
from tests.service.results import planted
from tests.service.results.effects import removed
from tests.unitatlas.conftest import Script
from unitatlas import Client, Job, Problem
from unitatlas.cli import cli

Run = Callable[..., Result]
LAYER = "features.12"
JOB = {
    "id": "01a20d74-822e-74f5-9b36-ecf8a3053ba5",
    "kind": "ablation",
    "state": "succeeded",
    "model": "net",
    "dataset": "horizons",
    "progress": {"done": 1, "total": 1, "unit": "shards", "stage": "merge"},
    "created_at": "2026-01-01T00:00:00+00:00",
    "error": None,
}


@pytest.fixture(scope="module")
def ablated(live_settings: Settings, dissected: Job) -> str:
    """The id of an ablation of a layer that is dissected, too; three units affect the first class, one the second."""
    engine = make_engine(live_settings)
    with make_sessions(engine).begin() as session:
        team = find_team(session, "local")
        model = find_model(session, team.id, "net")
        job = planted.plant_job(session, team.id, model, "ablation")
        first, second, *_ = class_ids(session, model.id)
        effects = [removed.effect(first, 10 + rank, rank, -0.1 / rank) for rank in (1, 2, 3)]
        effects.append(removed.effect(second, 11, 1, -0.3, class_rank=2))
        curves = removed.curves([1, 4, 20])
        removed.ablate(session, job, LAYER, effects, units=512, curves={first: curves}, important={first: 2})
        id = str(job.id)
    engine.dispose()
    return id


@pytest.fixture
def class_name(client: Client, ablated: str) -> str:
    return next(client.classes(model="net")).name


@pytest.fixture
def run(url: str) -> Run:
    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, ["--url", url, "--key", "", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return run


def rows(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines()]


def test_units_of_a_class_come_page_by_page(client: Client, ablated: str, class_name: str) -> None:
    units = [*client.units(class_=class_name, limit=2)]
    assert [(unit.unit, unit.effect and unit.effect.rank) for unit in units] == [(11, 1), (12, 2), (13, 3)]
    (effect, *_) = [unit.effect for unit in units]
    assert effect is not None
    assert (effect.class_name, effect.accuracy_change, effect.uncertain) == (class_name, -0.1, False)
    assert [unit.label for unit in units] == [client.unit("net", LAYER, unit.unit).label for unit in units]
    by_job = client.job(ablated).units(class_=class_name, sort="-accuracy_change")
    assert [unit.unit for unit in by_job] == [13, 12, 11]
    with pytest.raises(Problem, match="did you mean"):
        next(client.units(class_=class_name + "x"))


def test_a_unit_has_its_effects(client: Client, ablated: str, class_name: str) -> None:
    unit = client.unit("net", LAYER, 11)
    assert [effect.rank for effect in unit.effects] == [1, 1]
    assert unit.effects[0].class_name == class_name
    assert (unit.importance, unit.accuracy_change) == (2, -0.11)
    assert client.unit("net", "features.3", 11).effects == []


def test_classes_count_important_units(client: Client, ablated: str, class_name: str) -> None:
    first, second = [*client.classes(model="net")][:2]
    assert (first.name, first.important_units, second.important_units) == (class_name, 2, 1)


def test_a_class_is_explained(client: Client, ablated: str, class_name: str) -> None:
    explanation = client.explain(class_name, model="net", layer=LAYER, units=2)
    assert [unit.unit for unit in explanation.units] == [11, 12]
    assert explanation.units == [*client.units(class_=class_name)][:2]
    assert explanation == client.explain(class_name, job=ablated, units=2)
    assert [(wanted, removal.size) for wanted, removal in explanation.removing.items()] == [("4", 4), ("20", 20)]
    most = explanation.removing["4"].most
    assert most.change == pytest.approx(
        most.balanced_accuracy - (explanation.untouched["balanced_accuracy"] or 0) - 0.05
    )
    assert explanation.verdict == explanation.removing["20"].verdict
    labelled = [unit for unit in explanation.units if unit.label is not None]
    assert sum(concept.units for concept in explanation.concepts) == len(labelled)


def test_asking_from_the_command_line(run: Run, client: Client, ablated: str, class_name: str) -> None:
    listed = rows(run("units", "list", "--class", class_name))
    assert " ".join(listed[0]) == "model layer unit concept IoU rank accuracy change 95 % interval corrected p"
    assert [row[2] for row in listed[1:]] == ["11", "12", "13"]
    assert listed[1][-6:] == ["1", "-0.1000", "-0.1500", "to", "-0.0500", "0.01"]
    shown = run("units", "show", "net", LAYER, "11").stdout
    assert "four most damaging: 2; without it the all-class accuracy changes by -0.1100" in shown
    assert rows(run("classes", "--model", "net", "--limit", "1"))[1][-1] == "2"
    explained = run("explain", class_name, "--model", "net").stdout
    explanation = client.explain(class_name, model="net")
    assert explained.startswith(f"{class_name} by {LAYER} of net: 40 images, balanced accuracy 0.85, AUROC 0.95;")
    for removal in explanation.removing.values():
        assert removal.verdict in explained.splitlines()
    for concept in explanation.concepts:
        assert f"{concept.concept} ({concept.category}): {concept.units} unit" in explained
    for name in ("4 most important", "4 least important", "4 random, mean", "all but 4", "20 most important"):
        assert any(line.startswith(name) for line in explained.splitlines())
    assert json.loads(run("explain", class_name, "--job", ablated, "--json").stdout) == explanation.raw


def test_a_class_without_removed_sets_is_shown_by_its_units(run: Run, client: Client, ablated: str) -> None:
    second = [*client.classes(model="net")][1].name
    lines = run("explain", second, "--layer", LAYER).stdout.splitlines()
    assert lines[-1].startswith("No sets of units were removed for this class")
    assert not any("most important" in line for line in lines)


def answer(script: Script, body: Any) -> None:
    script.replies.append(Response(json.dumps(body), mimetype="application/json"))


def test_an_ablation_is_submitted(script: Script, scripted: Client) -> None:
    answer(script, JOB)
    job = scripted.ablate("net", "evaluation", "conv5", ranking_dataset="ranking", sizes="all", mode="mean")
    assert (job.id, job.kind) == (JOB["id"], "ablation")
    assert json.loads(script.requests[0].get_data()) == {
        "kind": "ablation",
        "model": "net",
        "dataset": "evaluation",
        "layer": "conv5",
        "ranking_dataset": "ranking",
        "sizes": "all",
        "mode": "mean",
    }


def test_an_ablation_from_the_command_line(script: Script, scripted: Client) -> None:
    url = scripted._transport.url
    given = [
        "jobs",
        "ablate",
        "net",
        "evaluation",
        "conv5",
        "--ranking-dataset",
        "ranking",
        "--params",
        '{"units": [1]}',
    ]
    answer(script, JOB)
    result = CliRunner().invoke(cli, ["--url", url, "--key", "", *given], catch_exceptions=False)
    assert rows(result)[-1][:3] == [JOB["id"], "ablation", "succeeded"]
    figures = ("shards", "forward_passes", "scratch_bytes", "artifact_bytes", "workers")
    answer(script, {**dict.fromkeys(figures, 1), "seconds": None})
    result = CliRunner().invoke(cli, ["--url", url, "--key", "", *given, "--estimate"], catch_exceptions=False)
    assert json.loads(result.stdout)["shards"] == 1
    assert [request.path for request in script.requests] == ["/v1/jobs", "/v1/jobs:estimate"]
    for request in script.requests:
        body = json.loads(request.get_data())
        assert (body["layer"], body["ranking_dataset"], body["units"]) == ("conv5", "ranking", [1])


def test_an_ablation_of_images_without_classes_is_refused(client: Client, dissected: Job) -> None:
    with pytest.raises(Problem, match="the images of 'horizons' have no classes"):
        client.ablate("net", "horizons", LAYER)


def test_a_network_without_units_is_exported(script: Script, scripted: Client, tmp_path: Path) -> None:
    for _ in range(2):
        answer(script, JOB)
        script.replies.append(Response(b"weights", mimetype="application/octet-stream"))
    file = tmp_path / "pruned.safetensors"
    scripted.job(JOB["id"]).export(file, class_="ski slope", n=4)
    given = ["--class", "ski slope", "--n", "4"]
    command = ["--url", scripted._transport.url, "jobs", "export", JOB["id"], str(file), *given]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    assert file.read_bytes() == b"weights"
    for request in script.requests[1::2]:
        assert dict(request.args) == {"format": "safetensors", "class": "ski slope", "n": "4"}


def test_the_page_of_a_class_opens(run: Run, class_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[str] = []
    monkeypatch.setattr(click, "launch", launched.append)
    address = run("open", "class", "net", class_name).stdout.strip()
    assert launched == [address]
    answer = httpx.get(address)
    assert answer.status_code == 200
    assert class_name in answer.text


def test_an_explanation_shows_itself(client: Client, ablated: str, class_name: str) -> None:
    explained = client.explain(class_name, model="net", layer=LAYER)
    shown = explained._repr_html_()
    assert f"<b>{class_name}</b> in net {LAYER}" in shown
    assert f"<td>{explained.units[0].unit}</td>" in shown
