"""`unitatlas export`: from a function in somebody's file to a model of the service."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from unitatlas import Client, Problem
from unitatlas.cli import cli
from unitatlas.export import NotExportable, export
from workers.networks.exported import ExportedArchive

CODE = """
import torch
from parts_of_{name} import Block

def build():
    torch.manual_seed(3)
    return torch.nn.Sequential(Block(), torch.nn.BatchNorm2d(4), torch.nn.Dropout(), torch.nn.AdaptiveAvgPool2d(1),
                               torch.nn.Flatten(), torch.nn.Linear(4, 3))

def number():
    return 7

def stuck():
    class Stuck(torch.nn.Module):
        def forward(self, x):
            return x.reshape(2, -1)
    return Stuck()

def failing():
    raise LookupError("no checkpoint here")
"""
PARTS = """
import torch

class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x).relu_()
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file and one that it imports, of names that no other test uses."""
    name = f"net_{tmp_path.name}"
    (tmp_path / f"parts_of_{name}.py").write_text(PARTS)
    (tmp_path / f"{name}.py").write_text(CODE.format(name=name))
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path / f"{name}.py"


@pytest.fixture
def run() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)


def test_the_archive_computes_what_the_network_does(code: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    output = tmp_path / "net.pt2"
    result = run("export", f"{code}:build", "--input", "3,8,8", "--output", output)
    assert result.exit_code == 0, result.output
    module, x = ExportedArchive().open(output, torch.device("cpu")), torch.rand(5, 3, 8, 8)
    expected = sys.modules[code.stem].build().eval()
    with torch.no_grad():
        assert torch.equal(module(x), expected(x))


def test_the_service_takes_the_archive(
    url: str, client: Client, code: Path, tmp_path: Path, run: Callable[..., Result]
) -> None:
    output = tmp_path / "net.pt2"
    export(f"{code}:build", (3, 8, 8), output)
    connection = ["--url", url, "--key", ""]
    given = ["exported", "--weights", output, "--input", json.dumps({"resize": [8, 8]})]
    result = run(*connection, "models", "add", "mine", *given, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["source"] == "exported"
    layers = {layer.name: (layer.units, layer.height, layer.width) for layer in client.layers("mine")}
    assert layers == {"0.conv": (4, 6, 6), "0": (4, 6, 6), "1": (4, 6, 6), "2": (4, 6, 6), "3": (4, 1, 1)}


@pytest.mark.parametrize(
    ("network", "match"),
    [
        ("{code}:number", "returned a int, not a torch.nn.Module"),
        ("{code}:missing", "no function 'missing'"),
        ("{code}:failing", "raised LookupError: no checkpoint here"),
        ("{code}:stuck", "cannot write .* for images of"),
        ("{code}", "write it as my_module.py:build"),
        ("nowhere.py:build", "write it as my_module.py:build"),
    ],
)
def test_what_cannot_be_exported(code: Path, tmp_path: Path, network: str, match: str) -> None:
    with pytest.raises(NotExportable, match=match):
        export(network.format(code=code), (3, 8, 8), tmp_path / "net.pt2")
    assert not (tmp_path / "net.pt2").exists()


def test_a_file_that_does_not_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def build(:")
    with pytest.raises(NotExportable, match=r"broken\.py raised SyntaxError"):
        export(f"{tmp_path}/broken.py:build", (3, 8, 8), tmp_path / "net.pt2")


@pytest.mark.parametrize("size", ["3,224", "3,224,x", "224", "3,-1,2", ""])
def test_sizes_that_are_none(run: Callable[..., Result], size: str) -> None:
    result = run("export", "net.py:build", "--input", size, "--output", "net.pt2")
    assert result.exit_code == 2
    assert "channels, height and width" in result.output


def test_the_client_itself_needs_no_torch() -> None:
    check = "import sys, unitatlas.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


@pytest.fixture
def archive_of(tmp_path: Path) -> Callable[..., Path]:
    """Export a network of four units and four classes for images of 8 x 8."""

    def write(batch: torch.export.Dim | None) -> Path:
        pool, flatten = torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), pool, flatten).eval()
        shapes = ({0: batch},) if batch else None
        program = torch.export.export(network, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=shapes)
        torch.export.save(program, tmp_path / "net.pt2")
        return tmp_path / "net.pt2"

    return write


def test_an_archive_that_is_none_is_refused(client: Client, tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"PK\x03\x04 but nothing more")
    weights = {"artifact": client.upload(tmp_path / "net.pt2")}
    with pytest.raises(Problem, match="cut off or damaged") as caught:
        client.register_model("none", "exported", weights=weights, input={"resize": [8, 8]})
    assert (caught.value.status, caught.value.errors[0]["pointer"]) == (422, "/weights")


def test_an_archive_of_one_size_of_batch_is_refused(client: Client, archive_of: Callable[..., Path]) -> None:
    weights = {"artifact": client.upload(archive_of(None))}
    with pytest.raises(Problem, match="batches of every size from 1 to 256; export with") as caught:
        client.register_model("fixed", "exported", weights=weights, input={"resize": [8, 8]})
    assert (caught.value.status, caught.value.errors[0]["pointer"]) == (422, "/weights")


@pytest.mark.usefixtures("dissected")
def test_a_layer_that_an_archive_does_not_have_is_refused(client: Client, archive_of: Callable[..., Path]) -> None:
    weights = {"artifact": client.upload(archive_of(torch.export.Dim("batch")))}
    client.register_model("small", "exported", weights=weights, input={"resize": [8, 8]})
    with pytest.raises(Problem, match="layer4") as caught:
        client.dissect("small", "horizons", ["layer4"])
    assert (caught.value.status, caught.value.errors[0]["pointer"]) == (422, "/layers/0")
