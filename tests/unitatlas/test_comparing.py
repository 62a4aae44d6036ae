"""Comparing and checking real dissections, from Python and from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.unitatlas.conftest import LAYERS
from unitatlas import Client, Job, Problem, Unit
from unitatlas.cli import cli

Run = Callable[..., Result]
LAYER = "features.3"


@pytest.fixture(scope="module")
def coarser(url: str, dissected: Job) -> Job:
    """The dissection of one of the layers by another quantile."""
    client = Client(url, key="")
    return client.dissect("net", "horizons", [LAYER], quantile=0.2, segmentation=["masks", "colors"]).wait(120)


@pytest.fixture
def run(url: str) -> Run:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--url", url, "--key", "", *arguments], catch_exceptions=False)

    return run


def units(job: Job, layer: str) -> list[Unit]:
    return sorted((unit for unit in job.units(limit=200) if unit.layer == layer), key=lambda unit: unit.unit)


def detects(unit: Unit) -> bool:
    return unit.label is not None and unit.label.detector


def test_a_comparison_agrees_with_the_units(client: Client, dissected: Job, coarser: Job) -> None:
    diff = client.diff(dissected.id, coarser.id)
    assert {difference["name"]: (difference["a"], difference["b"]) for difference in diff.differences} == {
        "quantile": (0.01, 0.2),
        "layers": (LAYERS, [LAYER]),
    }
    assert (diff.only_in_a, diff.only_in_b) == (["features.12"], [])
    (layers,) = diff.layers
    before, after = units(dissected, LAYER), units(coarser, LAYER)
    for found, figures in ((before, layers.a), (after, layers.b)):
        assert (figures.units, figures.detectors) == (128, sum(map(detects, found)))
        assert sum(figures.distinct.values()) == len({unit.label.concept for unit in found if detects(unit)})
        ious = [unit.label.iou if unit.label else 0.0 for unit in found]
        assert figures.mean_best_iou == pytest.approx(sum(ious) / len(ious))
    assert layers.by_unit is not None
    pairs = list(zip(before, after, strict=True))
    assert layers.by_unit.gained == sum(not detects(a) and detects(b) for a, b in pairs)
    assert layers.by_unit.lost == sum(detects(a) and not detects(b) for a, b in pairs)
    assert layers.by_unit.gained > 0
    assert sum(concept.b.detectors for concept in layers.concepts) == layers.b.detectors


def test_changed_units_come_page_by_page(client: Client, dissected: Job, coarser: Job) -> None:
    changes = [*client.changes(dissected.id, coarser.id, limit=7)]
    (layers,) = client.diff(dissected.id, coarser.id).layers
    counts = layers.by_unit
    assert counts is not None
    assert len({change.unit for change in changes}) == len(changes) == counts.gained + counts.lost + counts.changed
    assert abs(changes[0].iou_difference) == max(abs(change.iou_difference) for change in changes)
    for change in client.changes(dissected.id, coarser.id, change="gained"):
        assert change.b is not None
        assert change.b.detector
        assert change.a is None or not change.a.detector


def test_two_layers_of_one_job_are_compared_by_concept(client: Client, dissected: Job) -> None:
    (layers,) = client.diff(dissected.id, dissected.id, layer_a=LAYERS[0], layer_b=LAYERS[1]).layers
    assert (layers.a.layer, layers.b.layer, layers.by_unit) == (*LAYERS, None)
    assert all(concept.a.units + concept.b.units for concept in layers.concepts)
    with pytest.raises(Problem, match="compared by concept"):
        next(client.changes(dissected.id, dissected.id, layer_a=LAYERS[0], layer_b=LAYERS[1]))


def test_a_job_is_checked(client: Client, dissected: Job, coarser: Job) -> None:
    detectors = sum(map(detects, units(dissected, LAYER)))
    verdict = dissected.check(
        [
            f"{LAYER}: detectors >= {detectors}",
            f"{LAYER}: detectors >= {detectors + 1}",
            {"figure": "mean_best_iou", "layer": LAYER, "no_less_than": {"job": dissected.id}},
        ]
    )
    assert [judged.passed for judged in verdict.assertions] == [True, False, True]
    assert not verdict.passed
    assert verdict.assertions[1].detail == (
        f"{LAYER} has {detectors} detector{'' if detectors == 1 else 's'}, wanted at least {detectors + 1}"
    )
    assert coarser.check([f"{LAYER}: detectors >= job:{dissected.id}"]).passed
    with pytest.raises(Problem, match=r"did you mean 'features\.3'"):
        dissected.check(["features.33: detectors >= 1"])
    with pytest.raises(ValueError, match="does not read as"):
        dissected.check(["detectors"])


def test_comparing_from_the_command_line(run: Run, dissected: Job, coarser: Job) -> None:
    shown = run("jobs", "diff", dissected.id, coarser.id).stdout
    assert "quantile: 0.01 in a, 0.2 in b" in shown
    assert "only in a: features.12" in shown
    diff = json.loads(run("jobs", "diff", dissected.id, coarser.id, "--json").stdout)
    (layers,) = diff["layers"]
    (row,) = [line.split() for line in shown.splitlines() if line.startswith(LAYER + " ")]
    assert row[1:3] == [str(layers["a"]["detectors"]), str(layers["b"]["detectors"])]
    assert row[5:8] == [str(layers["by_unit"][name]) for name in ("gained", "lost", "changed")]
    for concept in layers["concepts_gained"]:
        assert f"{concept['concept']} ({concept['category']})" in shown
    changes = ["jobs", "changes", dissected.id, coarser.id, "--layer-a", LAYER, "--change", "gained", "--limit", "3"]
    rows = run(*changes).stdout.splitlines()
    assert [row.split()[:3] for row in rows[1:]] == [
        [change["layer"], str(change["unit"]), "gained"] for change in json.loads(run(*changes, "--json").stdout)
    ]
    both = run("jobs", "diff", dissected.id, dissected.id, "--layer-a", LAYERS[0], "--layer-b", LAYERS[1]).stdout
    assert f"{LAYERS[0]} / {LAYERS[1]}" in both


def test_checking_from_the_command_line(run: Run, dissected: Job, tmp_path: Path) -> None:
    held, short = f"{LAYER}: dead_units <= 128", f"{LAYER}: dead_units >= 129"
    passed = run("jobs", "check", dissected.id, "--assert", held)
    assert (passed.exit_code, passed.stderr.startswith(f"holds: {LAYER} has ")) == (0, True)
    failed = run("jobs", "check", dissected.id, "--assert", held, "--assert", short, "--json")
    assert failed.exit_code == 1
    (line,) = [line for line in failed.stderr.splitlines() if line.startswith("falls short: ")]
    assert line.endswith("wanted at least 129")
    assert [judged["passed"] for judged in json.loads(failed.stdout)["assertions"]] == [True, False]
    file = tmp_path / "assertions.json"
    file.write_text(json.dumps({"assertions": [{"figure": "detectors", "layer": LAYER, "at_least": 1000}]}))
    assert run("jobs", "check", dissected.id, "--file", str(file)).exit_code == 1


def test_a_dissection_is_checked_when_it_is_done(run: Run, dissected: Job) -> None:
    command = ["jobs", "dissect", "net", "horizons", LAYER, "--params", '{"max_images": 4}']
    assert run(*command, "--assert", f"{LAYER}: dead_units <= 128").exit_code == 0
    short = run(*command, "--assert", f"{LAYER}: dead_units >= 129")
    assert short.exit_code == 1
    assert "falls short" in short.stderr
    assert "succeeded" in short.stdout


MISTAKES: list[tuple[list[str], str]] = [
    (["--assert", "detectors"], "does not read as LAYER: [CATEGORY] FIGURE"),
    (["--assert", f"x: detectors >= job:{'0' * 36} + 1%"], "a percentage follows"),
    (["--file", "nowhere.json"], "'nowhere.json' does not exist"),
    ([], "nothing is asserted"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes_are_told_before_anything_is_asked(arguments: list[str], message: str) -> None:
    check: list[Any] = ["--url", "http://127.0.0.1:9", "jobs", "check", "01a20d74-822e-74f5-9b36-ecf8a3053ba5"]
    result = CliRunner().invoke(cli, [*check, *arguments])
    assert result.exit_code == 2
    assert message in result.output.replace("\n", " ")


@pytest.mark.parametrize("text", ["[]", "{}", '{"assertions": 1}', "{"])
def test_a_file_that_asserts_nothing_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "assertions.json"
    file.write_text(text)
    result = CliRunner().invoke(cli, ["jobs", "check", "01a20d74-822e-74f5-9b36-ecf8a3053ba5", "--file", str(file)])
    assert result.exit_code == 2


def test_assertions_need_the_end_of_the_job() -> None:
    result = CliRunner().invoke(cli, ["jobs", "dissect", "m", "d", "x", "--no-wait", "--assert", "x: detectors >= 1"])
    assert result.exit_code == 2
    assert "leave out --no-wait" in result.output
