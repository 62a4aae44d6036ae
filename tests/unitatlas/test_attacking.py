"""Asking what attacks did, from Python and the command line: planted rows on the live service, scripted replies."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from werkzeug.wrappers import Response

from service import create_app
from service.catalog.queries import class_ids
from service.database import make_engine, make_sessions
from service.results.queries import UnitResult
from service.settings import Settings
from tests.service.results import planted
from tests.service.results.attacks import attacked
from tests.service.results.effects import removed
from tests.unitatlas.conftest import Script, served
from tests.unitatlas.test_ablation import JOB
from unitatlas import Client, Problem
from unitatlas.cli import cli

Run = Callable[..., Result]
MODEL, LAYER = "net", "conv1"
BEACH, FOREST = attacked.CLASSES
IMAGE = "e" * 64


@pytest.fixture(scope="module")
def settings_here(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Settings:
    """Of a service of its own, so that what others count stays as it is."""
    data_dir = tmp_path_factory.mktemp("attacked")
    (data_dir / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    return Settings(data_dir=data_dir)


@pytest.fixture(scope="module")
def job(settings_here: Settings) -> str:
    """The id of an attack towards the beach, on images of the forest and on one of its own; both were ablated.

    An image of the forest is the second best of unit 0.
    """
    engine = make_engine(settings_here)
    with make_sessions(engine).begin() as session:
        team = planted.plant_team(session, "local")
        model = planted.plant_model(session, team, MODEL)
        beach, forest = class_ids(session, model.id)
        tops = [{"image": name, "digest": digest, "peak": 2.0} for name, digest in (("a", "a" * 64), ("b", IMAGE))]
        units = {LAYER: [UnitResult(index=0, labels=[], top_images=tops)]}
        planted.dissect(session, planted.plant_job(session, team, model), [LAYER], units)
        effects = [removed.effect(class_id, unit, unit + 1) for class_id in (beach, forest) for unit in range(2)]
        removed.ablate(session, planted.plant_job(session, team, model, "ablation"), LAYER, effects)
        job = attacked.plant_job(session, team, model)
        kept = {"original": attacked.ORIGINAL, "adversarial": attacked.ADVERSARIAL}
        images = [
            attacked.image(0, forest, beach, digest=IMAGE, **kept),
            attacked.image(1, forest, beach, "failed"),
            attacked.image(2, beach, beach, "already_target"),
        ]
        attacked.attack(session, job, beach, images, attacked.shifts(session, model.id, LAYER, [0.5, -2.0]), name=BEACH)
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


@pytest.fixture
def run(address: str) -> Run:
    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, ["--url", address, "--key", "", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return run


def test_attacked_images_come_page_by_page(client: Client, job: str) -> None:
    rows = [*client.attacks(job=job, limit=2)]
    assert [(row.position, row.outcome, row.target) for row in rows] == [
        (0, "succeeded", BEACH),
        (1, "failed", BEACH),
        (2, "already_target", BEACH),
    ]
    assert rows[0].artifacts == {"original": attacked.ORIGINAL, "adversarial": attacked.ADVERSARIAL}
    assert (rows[0].l2, rows[0].restored_by, rows[1].l2, rows[1].artifacts) == (0.5, {"conv1": 2}, None, {})
    assert [*client.attacks(source=FOREST, outcome="succeeded")] == rows[:1]
    with pytest.raises(Problem, match="did you mean"):
        next(client.attacks(target=BEACH + "x"))


def test_an_image_is_known_by_its_digest(client: Client, job: str) -> None:
    image = client.image(IMAGE)
    assert (image.names, image.predictions) == (["b", "images/0.png"], {MODEL: FOREST})
    assert image.attacks == [*client.attacks(job=job)][:1]
    assert [(unit.layer, unit.unit, unit.rank, unit.peak) for unit in image.top_units] == [(LAYER, 0, 2, 2.0)]
    with pytest.raises(Problem, match="nothing is known"):
        client.image("f" * 64)


def test_units_tell_how_they_were_moved(client: Client, job: str) -> None:
    units = [*client.units(class_=BEACH, layer=LAYER)]
    assert [unit.shift and (unit.shift.attack, unit.shift.mean_peak_change, unit.shift.rank) for unit in units] == [
        (job, 0.5, 2),
        (job, -2.0, 1),
    ]
    assert client.unit(MODEL, LAYER, 1).attacks == [units[1].shift]
    assert [unit.shift for unit in client.units(class_=FOREST, layer=LAYER)] == [None, None]


def test_a_class_is_explained_by_attacks(client: Client, job: str) -> None:
    towards = client.explain(BEACH, model=MODEL, layer=LAYER).attacks
    assert towards.as_target is not None
    assert (towards.as_target.job, towards.as_target.images, towards.as_target.success_rate) == (job, 2, 0.5)
    group = (towards.as_target.groups or {})["source"]
    assert {name: group[name] for name in ("images", "mean", "low", "high")} == {
        "images": 3,
        "mean": -2.5,
        "low": 1.0,
        "high": 2.0,
    }
    assert (group["absolute_mean"], group["absolute_low"], group["absolute_high"]) == (3.0, 2.75, 3.25)
    assert towards.as_source == []
    (source,) = client.explain(FOREST, model=MODEL, layer=LAYER).attacks.as_source
    assert (source.target, source.succeeded, source.mean_l2) == (BEACH, 1, 0.5)


def test_asking_from_the_command_line(run: Run, job: str) -> None:
    lines = run("attacks", "--job", job, "--limit", "2").stdout.splitlines()
    assert lines[0].split() == ["model", "method", "image", "true", "source", "target", "result", "outcome", "L2", "L∞"]
    assert [line.split()[-3:] for line in lines[1:]] == [["succeeded", "0.5", "0.01"], ["failed", "-", "-"]]
    (row,) = json.loads(run("attacks", "--source", FOREST, "--outcome", "failed", "--json").stdout)
    assert (row["job"], row["position"]) == (job, 1)
    listed = run("units", "list", "--class", BEACH, "--layer", LAYER).stdout.splitlines()
    assert listed[0].endswith("peak change  99 % interval")
    assert listed[2].endswith("-2.0000      -2.5000 to -1.5000")
    shown = run("units", "show", MODEL, LAYER, "0").stdout.splitlines()
    assert shown[-1].split()[-5:] == ["2", "+0.5000", "+0.0000", "to", "+1.0000"]
    explained = run("explain", BEACH, "--model", MODEL, "--layer", LAYER).stdout.splitlines()
    assert explained[-1] == (
        f"attacked towards {BEACH} by carlini-wagner-l2: 1 of 2 images, mean L2 0.5; peaks of units: "
        "target +1.5000, source -2.5000"
    )
    explained = run("explain", FOREST, "--model", MODEL, "--layer", LAYER).stdout.splitlines()
    assert explained[-1].startswith(f"attacked from {FOREST} towards {BEACH} by carlini-wagner-l2: 1 of 2 images")


def answer(script: Script, body: Any) -> None:
    script.replies.append(Response(json.dumps(body), mimetype="application/json"))


def test_an_attack_is_submitted(script: Script, scripted: Client) -> None:
    for _ in range(2):
        answer(script, JOB | {"kind": "attack"})
    job = scripted.attack("net", "evaluation", target="beach", layer=["conv4", "conv5"], max_images=3)
    assert job.kind == "attack"
    scripted.attack("net", "evaluation", method="fgsm", ablation=JOB["id"], settings={"epsilon": 0.1})
    bodies = [json.loads(request.get_data()) for request in script.requests]
    common = {"kind": "attack", "model": "net", "dataset": "evaluation"}
    assert bodies == [
        {**common, "target": "beach", "layer": ["conv4", "conv5"], "max_images": 3},
        {**common, "method": "fgsm", "ablation": JOB["id"], "settings": {"epsilon": 0.1}},
    ]


def test_an_attack_from_the_command_line(script: Script, scripted: Client) -> None:
    given = ["jobs", "attack", "net", "evaluation", "--layer", "conv5", "--target", "beach", "--target", "ski slope"]
    given += ["--preset", "pnas2020", "--max-images", "5", "--params", '{"keep": 1}']
    command = ["--url", scripted._transport.url, "--key", "", *given]
    answer(script, JOB | {"kind": "attack"})
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert result.stdout.splitlines()[-1].split()[:3] == [JOB["id"], "attack", "succeeded"]
    figures = ("shards", "forward_passes", "scratch_bytes", "artifact_bytes", "workers")
    answer(script, {**dict.fromkeys(figures, 1), "seconds": None})
    result = CliRunner().invoke(cli, [*command, "--estimate"], catch_exceptions=False)
    assert json.loads(result.stdout)["shards"] == 1
    assert [request.path for request in script.requests] == ["/v1/jobs", "/v1/jobs:estimate"]
    wanted = {"layer": ["conv5"], "target": ["beach", "ski slope"], "preset": "pnas2020", "max_images": 5, "keep": 1}
    for request in script.requests:
        assert json.loads(request.get_data()) == {"kind": "attack", "model": "net", "dataset": "evaluation", **wanted}
