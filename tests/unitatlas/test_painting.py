"""Painting from Python and the command line, on the live service with a stand-in for its worker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from service import create_app
from service.artifacts.store import ArtifactStore
from service.database import make_engine, make_sessions
from service.settings import Settings
from tests.service.painting.conftest import HEIGHT, RESULT, WIDTH, StandIn, corner, plant
from tests.service.results.planted import plant_team
from tests.unitatlas.conftest import served
from unitatlas import Client, Painting, Problem, stroke
from unitatlas.cli import cli

Run = Callable[..., Result]
LATENT = {"seed": 1, "index": 3}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[str]:
    """Address of a service of its own with a generator, its dissection and a worker that paints."""
    data_dir = tmp_path_factory.mktemp("painted")
    (data_dir / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    settings = Settings(data_dir=data_dir)
    engine = make_engine(settings)
    sessions = make_sessions(engine)
    with sessions.begin() as session:
        plant(session, plant_team(session, "local"))
    worker = StandIn(sessions, ArtifactStore(settings.artifact_dir))
    worker.start()
    with served(create_app(settings)) as url:
        yield url
    worker.over.set()
    worker.join()
    engine.dispose()


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


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """The picture's upper half."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[: HEIGHT // 2] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def strokes_of(painting: Painting) -> list[tuple[object, ...]]:
    fields = ("action", "units", "strength", "mask")
    return [tuple(laid[field] for field in fields) for laid in painting.document["strokes"]]


UPPER = {"size": [HEIGHT, WIDTH], "runs": [0, 48, 48]}


def test_painting_from_python(client: Client, mask: Path, tmp_path: Path) -> None:
    strokes = [
        stroke("draw", ("object", "tree"), mask, top=1),
        stroke("erase", "tree", corner(), strength=0.5),
        stroke("draw", [5, 1], mask),
    ]
    painting = client.paint("faces", "layer", strokes, latent=LATENT)
    assert strokes_of(painting) == [
        ("draw", [0], 1.0, UPPER),
        ("erase", [0, 2, 4, 3], 0.5, corner()),
        ("draw", [5, 1], 1.0, UPPER),
    ]
    assert painting.result == RESULT and painting.document["latent"] == LATENT
    assert [(change.name, change.inside, change.outside["after"]) for change in painting.changes] == [
        ("tree", {"before": 1, "after": 9}, 21)
    ]
    file = client.download(painting.pictures["edited"], tmp_path / "edited.png")
    assert file.read_bytes() == b"edited"
    again = client.repeat(client.painting(painting.id))
    assert again.document == painting.document and again.id != painting.id
    assert [found.id for found in client.paintings(model="faces", limit=1)][:2] == [again.id, painting.id]


def test_what_is_refused_is_a_problem(client: Client) -> None:
    with pytest.raises(Problem, match="'vgg' is a classifier"):
        client.paint("vgg", "layer", [stroke("draw", [0], corner())], latent=LATENT)


def test_painting_from_the_command_line(run: Run, mask: Path, tmp_path: Path) -> None:
    edited, unedited = tmp_path / "edited.png", tmp_path / "unedited.png"
    given = ["--seed", "2", "--index", "7", "--edited", str(edited), "--unedited", str(unedited)]
    given += ["--stroke", "draw", "object/tree", str(mask), "--stroke", "erase", "5,1", str(mask)]
    shown = run("paint", "faces", "layer", *given, "--top", "2", "--strength", "0.25", "--segmentation", "colors")
    lines = shown.stdout.splitlines()
    assert lines[1].split() == ["concept", "category", "inside", "before", "after", "outside", "before", "after"]
    assert lines[2].split() == ["tree", "object", "1", "9", "20", "21"]
    assert (edited.read_bytes(), unedited.read_bytes()) == (b"edited", b"unedited")

    id = lines[0].split()[1]
    painting = Painting.from_json(json.loads(run("paintings", "show", id, "--json").stdout))
    assert strokes_of(painting) == [("draw", [0, 2], 0.25, UPPER), ("erase", [5, 1], 0.25, UPPER)]
    assert (painting.document["latent"], painting.document["segmentation"]) == ({"seed": 2, "index": 7}, ["colors"])

    repeated = run("paintings", "repeat", id).stdout.splitlines()
    assert repeated[1:] == lines[1:] and repeated[0] != lines[0]
    listed = run("paintings", "list", "--model", "faces", "--limit", "2").stdout.splitlines()
    assert [line.split()[:4] for line in listed[1:]] == [
        [repeated[0].split()[1], "faces", "layer", "succeeded"],
        [id, "faces", "layer", "succeeded"],
    ]


def test_warnings_go_to_the_error_stream(run: Run, mask: Path) -> None:
    shown = run("paint", "faces", "layer", "--stroke", "draw", "ship", str(mask))
    assert "no unit is known to fit the object 'ship'" in shown.stderr
    assert "ship" not in shown.stdout


def test_a_painting_shows_both_pictures(client: Client, mask: Path) -> None:
    strokes = [stroke("draw", ("object", "tree"), mask, top=1)]
    shown = client.paint("faces", "layer", strokes, latent=LATENT)._repr_html_()
    assert shown.count('<img src="data:image/png;base64,') == 2
    assert shown.index('alt="before"') < shown.index('alt="after"')
