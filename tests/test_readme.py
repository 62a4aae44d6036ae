"""Every example of the README against a live service that the test starts."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from tests.unitatlas.conftest import write_archive
from unitatlas import Client, demo
from unitatlas.up import Service

README = Path(__file__).parents[1] / "README.md"
DOCUMENTED = "http://127.0.0.1:8000"
RUNNERS = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
EXAMPLES = [(kind, text) for kind, text in BLOCKS if kind in RUNNERS]

NETWORK = """
from torch import nn

def build():
    maps = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU())
    return nn.Sequential(maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples run: the files that they name are there."""
    directory = tmp_path_factory.mktemp("readme")
    save_file(squeezenet1_1(weights=None).state_dict(), directory / "streetnet.safetensors")
    write_archive(directory / "streets.zip")
    ZipFile(directory / "streets.zip").extractall(directory / "streets")
    (directory / "my_network.py").write_text(NETWORK)
    return directory


@pytest.fixture(scope="module")
def url(directory: Path) -> Iterator[str]:
    port = demo._free_port()
    environment = demo._environment(directory / "data", port) | {"OMP_NUM_THREADS": "1", "UNITATLAS_DEVICE": "cpu"}
    with (directory / "service.log").open("wb") as log, Service(environment=environment, log=log):
        url = f"http://127.0.0.1:{port}"
        with Client(url, key="") as client:
            demo._await_readiness(client)
            # what the first example registers: the others may run elsewhere, before it
            client.register_model("scenes", "builtin:scenes-classifier")
            client.register_dataset("validation", "scenes", {"builtin": "scenes-validation"})
        yield url


def test_there_is_an_example_of_each_way_to_ask() -> None:
    text = "\n".join(text for _, text in EXAMPLES)
    assert {kind for kind, _ in BLOCKS} == {*RUNNERS, "console"}
    for way in ("unitatlas jobs dissect", "Client()", "curl"):
        assert way in text


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=[text.split("\n")[0][:30] for _, text in EXAMPLES])
def test_example(kind: str, text: str, url: str, directory: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UNITATLAS_")}
    environment |= {"UNITATLAS_URL": url, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [*RUNNERS[kind], text.replace(DOCUMENTED, url)]
    ended = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert ended.stdout.strip()
