"""The command line against the real application: tables for people, JSON for programs, messages for mistakes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from unitatlas import Job
from unitatlas.cli import cli, main
from unitatlas.commands import local
from unitatlas.output import show_table

Run = Callable[..., Result]


@pytest.fixture
def run(url: str, dissected: Job) -> Run:
    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(cli, ["--url", url, "--key", "", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture
def ask(run: Run) -> Callable[..., Any]:
    def ask(*arguments: str) -> Any:
        return json.loads(run(*arguments, "--json").stdout)

    return ask


def test_models(run: Run, ask: Callable[..., Any]) -> None:
    lines = run("models", "list").stdout.splitlines()
    assert lines[0].split() == ["name", "kind", "source", "layers", "classes"]
    assert lines[1].split()[:3] == ["net", "classifier", "torchvision:squeezenet1_1"]
    assert [model["name"] for model in ask("models", "list")] == ["net"]
    layers = run("models", "layers", "net").stdout.splitlines()
    assert ["features.12", "512", "3", "3"] in [line.split() for line in layers]


def test_adding_a_model_again_shows_it(ask: Callable[..., Any]) -> None:
    given = ["--seed", "0", "--input", '{"resize": [64, 64], "crop": null}']
    assert ask("models", "add", "net", "torchvision:squeezenet1_1", *given)["input"]["resize"] == [64, 64]


def test_adding_a_dataset_from_an_archive(run: Run, ask: Callable[..., Any], archive: Path) -> None:
    assert ask("datasets", "add", "horizons", "masks", "--upload", str(archive), "--grid", "16")["images"] == 16
    assert run("datasets", "list").stdout.splitlines()[1].split() == ["horizons", "masks", "16", "0", "2", "16"]


def test_a_dissection_from_the_command_line(run: Run, ask: Callable[..., Any]) -> None:
    command = ["jobs", "dissect", "net", "horizons", "features.3", "--params", '{"max_images": 8}']
    assert ask(*command, "--estimate")["forward_passes"] == 8
    job = ask(*command)
    assert job["state"] == "succeeded"
    assert job["params"]["max_images"] == 8
    assert run(*command).stdout.splitlines()[-1].split()[:3] == [job["id"], "dissection", "succeeded"]
    assert ask("jobs", "show", job["id"])["id"] == job["id"]
    assert job["id"] in run("jobs", "list", "--kind", "dissection").stdout
    assert json.loads(run("jobs", "summary", job["id"]).stdout)["images"] == 8
    assert [event["type"] for event in ask("jobs", "events", job["id"])][-1] == "succeeded"
    assert "succeeded" in run("jobs", "events", job["id"]).stdout
    assert run("jobs", "watch", job["id"]).exit_code == 0
    assert ask("jobs", "cancel", job["id"])["state"] == "succeeded"


def test_units_and_concepts(run: Run, ask: Callable[..., Any], dissected: Job) -> None:
    found = ask("units", "list", "--concept", "sky", "--job", dissected.id, "--limit", "3")
    assert len(found) == 3
    rows = [
        line.split() for line in run("units", "list", "--concept", "sky", "--job", dissected.id).stdout.splitlines()
    ]
    assert rows[0] == ["model", "layer", "unit", "concept", "IoU"]
    assert rows[1] == [
        "net",
        found[0]["layer"],
        str(found[0]["unit"]),
        "sky",
        "(object)",
        f"{found[0]['match']['iou']:.4g}",
    ]
    assert len(rows) == 21
    unit = [found[0]["layer"], str(found[0]["unit"])]
    assert ask("units", "show", "net", *unit)["labels"]
    assert "threshold" in run("units", "show", "net", *unit).stdout
    assert {concept["name"] for concept in ask("concepts", "--category", "object")} == {"sky", "ground"}
    assert run("concepts", "--q", "sk").stdout.splitlines()[1].split()[:2] == ["sky", "object"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["jobs", "show", "17"], "'17' is not a valid UUID"),
        (["models", "add", "m", "torchvision:vgg11", "--weights", "nowhere"], "'nowhere' does not exist"),
        (["models", "add", "m", "torchvision:vgg11", "--input", "{"], "not JSON"),
        (["jobs", "dissect", "net", "horizons", "features.3", "--params", "[]"], "a JSON object is needed"),
        (["units", "list", "--limit", "0"], "0 is not in the range"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["--url", "http://127.0.0.1:9", *arguments])
    assert result.exit_code == 2
    assert message in result.output


def test_what_the_service_refuses_is_a_message_and_no_traceback(
    url: str, dissected: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["unitatlas", "--url", url, "--key", "", "models", "layers", "absent"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "absent" in shown.err
    assert len(shown.err.splitlines()) == 1


def test_tables_never_cut_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["name", "value"], [["x" * 200, 0.123456], ["y", None]])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name", "value"],
        ["x" * 200, "0.1235"],
        ["y", "-"],
    ]


def test_keys_are_made_in_the_service_s_own_database(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    monkeypatch.setenv("UNITATLAS_DATA_DIR", str(tmp_path))
    assert CliRunner().invoke(local.keys, ["create", "--team", "vision"]).exit_code == 0
    key = capfd.readouterr().out.strip()
    assert CliRunner().invoke(local.keys, ["list"]).exit_code == 0
    prefix, team, *_ = capfd.readouterr().out.split()
    assert key.startswith(prefix)
    assert team == "vision"
    assert CliRunner().invoke(local.keys, ["revoke", "nosuch"]).exit_code == 1


def test_adding_a_segmenter_with_what_its_outputs_stand_for(ask: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "concepts").write_text("-\n" + "".join(f"object,thing {n}\n" for n in range(20)))
    given = ["--seed", "0", "--kind", "segmenter", "--concepts", str(tmp_path / "concepts")]
    small = ["--input", '{"resize": [32, 32]}']
    model = ask("models", "add", "things", "torchvision:lraspp_mobilenet_v3_large", *given, *small)
    assert model["concepts"][:2] == [None, {"category": "object", "name": "thing 0"}]
    assert model["kind"] == "segmenter"
