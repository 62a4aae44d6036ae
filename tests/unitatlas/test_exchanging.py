"""Export of a real dissection and import beside it, from Python and from the command line."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from werkzeug.wrappers import Response

from tests.unitatlas.conftest import LAYERS, Script
from unitatlas import Client, Job, JobFailed, Problem, ServiceUnreachable
from unitatlas.cli import cli

Run = Callable[..., Result]


@pytest.fixture
def run(url: str) -> Run:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--url", url, "--key", "", *arguments])

    return run


def test_an_export_holds_the_units_of_the_job(dissected: Job, tmp_path: Path) -> None:
    rows = json.loads(dissected.export(tmp_path / "units.JSON", rows="units").read_text())
    found = {(unit.layer, unit.unit): unit for unit in dissected.units(limit=200)}
    assert [(row["layer"], row["unit"]) for row in rows] == sorted(
        found, key=lambda key: (LAYERS.index(key[0]), key[1])
    )
    for row in rows:
        label = found[row["layer"], row["unit"]].label
        assert (row["category"], row["concept"]) == ((label.category, label.concept) if label else (None, None))
        assert (row["iou"], row["detector"]) == ((label.iou, label.detector) if label else (0.0, False))


def test_a_job_is_exported_by_the_files_ending(run: Run, dissected: Job, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.csv", "a.json", "a.html"):
        result = run("jobs", "export", dissected.id, str(tmp_path / name))
        assert result.exit_code == 0, result.output
        assert f"{name}: " in result.stderr
    assert pq.read_table(tmp_path / "a.parquet").num_rows == len(json.loads((tmp_path / "a.json").read_text())) > 0
    with (tmp_path / "a.csv").open(newline="") as file:
        assert {row["layer"] for row in csv.DictReader(file)} == set(LAYERS)
    page = (tmp_path / "a.html").read_text()
    assert "net <span" in page and page.rstrip().endswith("</html>")
    assert (
        run("jobs", "export", dissected.id, str(tmp_path / "m"), "--format", "csv", "--rows", "matrix").exit_code == 0
    )


def test_an_export_that_is_refused_leaves_no_file(run: Run, dissected: Job, tmp_path: Path) -> None:
    result = run("jobs", "export", dissected.id, str(tmp_path / "a.xlsx"))
    assert (result.exit_code, "--format" in result.output) == (2, True)
    with pytest.raises(Problem, match="no layer 'features'"):
        dissected.export(tmp_path / "a.csv", layer="features")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_breaks_off_keeps_the_older_file(scripted: Client, script: Script, tmp_path: Path) -> None:
    job = {"id": "1", "kind": "dissection", "state": "succeeded", "progress": {}, "error": None}
    script.replies = [
        Response(json.dumps(job), mimetype="application/json"),
        Response(iter([b"half"]), headers={"Content-Length": "8"}, mimetype="text/csv"),
    ]
    (tmp_path / "a.csv").write_text("older")
    with pytest.raises(ServiceUnreachable, match="broke off"):
        scripted.job("1").export(tmp_path / "a.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]


def test_other_tools_labels_are_found_beside_ours(run: Run, client: Client, dissected: Job, tmp_path: Path) -> None:
    file = tmp_path / "descriptions.csv"
    file.write_text(f"layer,unit,description,similarity\n{LAYERS[0]},0,horizon,0.25\n{LAYERS[0]},1,clouds,0.5\n")
    result = run("import", str(file), "--model", "net", "--format", "clip-dissect")
    assert result.exit_code == 0, result.output
    (first, second) = client.units(method="clip-dissect", sort="-similarity")
    assert (first.unit, first.label.concept, first.label.similarity, first.label.iou) == (1, "clouds", 0.5, None)
    assert (second.unit, second.threshold, second.label.method) == (0, None, "clip-dissect")
    details = client.unit("net", LAYERS[0], 1)
    assert details.label is None or details.label.method == "dissection"
    assert [other["label"]["concept"] for other in details.imported] == ["clouds"]
    table = run("units", "list", "--method", "any", "--concept", "horizon").stdout.splitlines()
    assert table[0].split() == ["model", "layer", "unit", "concept", "IoU", "method", "similarity"]
    assert table[1].split() == ["net", LAYERS[0], "0", "horizon", "(description)", "-", "clip-dissect", "0.25"]


def test_a_bad_file_ends_with_its_line(run: Run, client: Client, dissected: Job, tmp_path: Path) -> None:
    file = tmp_path / "descriptions.csv"
    file.write_text(f"layer,unit,description,similarity\n{LAYERS[0]},0,horizon,high\n")
    with pytest.raises(JobFailed, match="line 2: the similarity 'high' is no number"):
        client.import_results(file, "net", "clip-dissect").wait(60)
    assert run("import", str(file), "--model", "net", "--format", "netdissect").exit_code == 1
