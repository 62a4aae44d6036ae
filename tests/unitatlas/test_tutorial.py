"""The tutorial notebook, cell by cell, against a service of its own with fewer images."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service import create_app
from service.settings import Settings
from tests.unitatlas.conftest import served, working
from unitatlas import Estimate, Job, Unit, UnitDetails

NOTEBOOK = Path(__file__).parents[2] / "docs/tutorial.ipynb"
IMAGES = 40


@pytest.fixture
def address(tmp_path: Path, sqlite_template: Path) -> Iterator[str]:
    (tmp_path / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    settings = Settings(data_dir=tmp_path, device="cpu", threads=1)
    with working(settings), served(create_app(settings)) as url:
        yield url


def run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell and return what a notebook would show, the value of its last line."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), NOTEBOOK.name, "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)


def test_the_tutorial_runs(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNITATLAS_URL", address)
    monkeypatch.setenv("UNITATLAS_KEY", "")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sum("IMAGES = 200" in source for source in sources) == 1
    names: dict[str, Any] = {}
    shown = [run(source.replace("IMAGES = 200", f"IMAGES = {IMAGES}"), names) for source in sources]

    assert [type(value) for value in shown[1:5]] == [Estimate, Job, Unit, UnitDetails]
    assert all("<img src=" in value._repr_html_() for value in shown if isinstance(value, Unit | UnitDetails))
    counted = names["counts"].sum(axis="columns").to_dict()
    assert counted == shown[-1]
    assert min(counted.values()) > 0
    assert "<svg" in (tmp_path / "detectors.svg").read_text()
    names["plt"].close("all")
    names["client"].close()
