"""Interventions from Python and the command line: planted rows on the live service, scripted replies."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from werkzeug.wrappers import Response

from service import create_app
from service.database import make_engine, make_sessions
from service.settings import Settings
from tests.service.results import planted
from tests.service.results.interventions import changed
from tests.unitatlas.conftest import Script, served
from tests.unitatlas.test_ablation import JOB
from unitatlas import Client, PixelChange, Problem
from unitatlas.cli import cli

Run = Callable[..., Result]
MODEL, LAYER = "churches", changed.LAYERS[0]


@pytest.fixture(scope="module")
def settings_here(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Settings:
    """Of a service of its own, so that what others count stays as it is."""
    data_dir = tmp_path_factory.mktemp("changed")
    (data_dir / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    return Settings(data_dir=data_dir)


@pytest.fixture(scope="module")
def job(settings_here: Settings) -> str:
    """The id of an intervention on the tree units of a dissected layer."""
    engine = make_engine(settings_here)
    with make_sessions(engine).begin() as session:
        team = planted.plant_team(session, "local")
        model = changed.plant_generator(session, team)
        changed.dissect(session, team, model)
        job = changed.plant_job(session, team, model)
        changed.intervene(session, job)
        id = str(job.id)
    engine.dispose()
    return id


@pytest.fixture(scope="module")
def address(settings_here: Settings, job: str) -> Iterator[str]:
    with served(create_app(settings_here)) as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address, key="") as client:
        yield client


def run(address: str, *arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["--url", address, "--key", "", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_changes_come_page_by_page(client: Client, job: str) -> None:
    rows = [*client.interventions(job=job, limit=2)]
    assert all(isinstance(row, PixelChange) for row in rows)
    assert [(row.order, row.size, row.concept, row.change) for row in rows] == [
        ("iou", 1, "tree", -0.25),
        ("iou", 1, "sky", 0.025),
        ("iou", 2, "tree", -0.5),
        ("effect", 2, "tree", -0.75),
        ("effect", 2, "red", None),
    ]
    assert (rows[0].random and rows[0].random.change, rows[4].random) == (0.25, None)
    assert [*client.interventions(concept="tree", order="effect")] == rows[3:4]
    with pytest.raises(Problem, match="did you mean"):
        next(client.interventions(target="treee"))


def test_units_tell_what_removing_them_does(client: Client, job: str) -> None:
    best, second, third = [*client.units(concept="tree", layer=LAYER)][:3]
    assert best.measured is not None
    assert (best.measured.intervention, best.measured.change, best.measured.rank) == (job, -0.25, 2)
    assert second.measured is not None
    assert (second.measured.change_low, second.measured.change_high) == (-0.625, -0.25)
    assert third.measured is None


def test_asking_from_the_command_line(address: str, job: str) -> None:
    lines = run(address, "interventions", "--concept", "tree", "--limit", "2").stdout.splitlines()
    assert lines[0].startswith("model     layer   done               order  n  concept")
    assert lines[1].split()[-6:] == ["750", "-0.2500", "-0.5000", "to", "-0.1250", "+0.2500"]
    (row,) = json.loads(run(address, "interventions", "--concept", "red", "--json").stdout)
    assert (row["job"], row["change"]) == (job, None)
    listed = run(address, "units", "list", "--concept", "tree", "--layer", LAYER).stdout.splitlines()
    assert listed[0].endswith("rank  pixels without it  99 % interval")
    assert listed[2].split()[-5:] == ["1", "-0.5000", "-0.6250", "to", "-0.2500"]
    assert listed[3].split()[-3:] == ["-", "-", "-"]


def answer(script: Script, body: Any) -> None:
    script.replies.append(Response(json.dumps(body), mimetype="application/json"))


def test_an_intervention_is_submitted(script: Script, scripted: Client) -> None:
    for _ in range(3):
        answer(script, JOB | {"kind": "intervention"})
    job = scripted.intervene(MODEL, ["layer1", "layer2"], "object/tree", sizes=[1, 2], ranking={})
    assert job.kind == "intervention"
    scripted.intervene(MODEL, LAYER, (4, 2), action="insert", value=3.5, target="tree")
    scripted.intervene(MODEL, LAYER, {"concept": "tree", "top": 3})
    first, second, third = (json.loads(request.get_data()) for request in script.requests)
    common = {"kind": "intervention", "model": MODEL}
    tree = {"concept": {"category": "object", "name": "tree"}}
    more = {"layer": ["layer1", "layer2"], "units": tree, "action": "remove", "sizes": [1, 2], "ranking": {}}
    assert first == {**common, **more}
    listed = {"units": [4, 2], "action": "insert", "value": 3.5, "target": "tree"}
    assert second == {**common, "layer": LAYER, **listed}
    assert third["units"] == {"concept": "tree", "top": 3}


def test_an_intervention_from_the_command_line(script: Script, scripted: Client, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"png")
    common = ["--url", scripted._transport.url, "--key", "", "jobs", "intervene", MODEL, "layer1"]
    given = ["layer2", "--concept", "tree", "--top", "4", "--size", "2", "--size", "4", "--count", "50", "--rank"]
    answer(script, JOB | {"kind": "intervention"})
    result = CliRunner().invoke(cli, [*common, *given], catch_exceptions=False)
    assert result.stdout.splitlines()[-1].split()[:3] == [JOB["id"], "intervention", "succeeded"]
    figures = ("shards", "forward_passes", "scratch_bytes", "artifact_bytes", "workers")
    answer(script, {**dict.fromkeys(figures, 1), "seconds": None})
    given = ["--unit", "3", "--action", "insert", "--mask", str(mask), "--target", "object/tree", "--estimate"]
    CliRunner().invoke(cli, [*common, *given], catch_exceptions=False)
    first, second = (json.loads(request.get_data()) for request in script.requests)
    assert script.requests[1].path == "/v1/jobs:estimate"
    assert first == {
        "kind": "intervention",
        "model": MODEL,
        "layer": ["layer1", "layer2"],
        "units": {"concept": "tree", "top": 4},
        "action": "remove",
        "sizes": [2, 4],
        "latents": {"seed": 2, "count": 50},
        "ranking": {},
    }
    assert (second["units"], second["where"]) == ([3], {"mask": "cG5n"})
    assert second["target"] == {"category": "object", "name": "tree"}


@pytest.mark.parametrize("given", [[], ["--concept", "tree", "--unit", "3"]])
def test_units_are_named_in_one_way(given: list[str]) -> None:
    result = CliRunner().invoke(cli, ["jobs", "intervene", MODEL, LAYER, *given])
    assert result.exit_code == 2
    assert "name a concept, or units" in result.output
