"""The real application behind a real server, with a worker in a thread, and one small world in it."""

import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from service import create_app
from service.artifacts.store import ArtifactStore
from service.database import make_engine, make_sessions
from service.settings import Settings
from unitatlas import Client, Job
from workers.jobs.registry import KINDS
from workers.runner.executing import Process, run_next

LAYERS = ["features.3", "features.12"]


@contextmanager
def served(application: Any) -> Iterator[str]:
    """Serve a WSGI application on a free port."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def working(settings: Settings) -> Iterator[None]:
    """Run shards until the context ends."""
    engine = make_engine(settings)
    process = Process(settings, make_sessions(engine), ArtifactStore(settings.artifact_dir), KINDS)
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            if not run_next(process, "worker", "task"):
                stopping.wait(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopping.set()
    thread.join()
    engine.dispose()


@pytest.fixture(scope="session")
def live_settings(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Settings:
    data_dir = tmp_path_factory.mktemp("live")
    (data_dir / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    return Settings(data_dir=data_dir, device="cpu", threads=1)


@pytest.fixture(scope="session")
def url(live_settings: Settings) -> Iterator[str]:
    """Address of a service with a worker."""
    with working(live_settings), served(create_app(live_settings)) as url:
        yield url


@pytest.fixture
def idle_url(tmp_path: Path, sqlite_template: Path) -> Iterator[str]:
    """Address of a service without workers, which waits for nobody."""
    (tmp_path / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    with served(create_app(Settings(data_dir=tmp_path, wait_seconds=0.05))) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, key="") as client:
        yield client


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "horizons.zip"
    write_archive(path)
    return path


def write_archive(path: Path) -> None:
    """Write sixteen images of sky above ground, in the format `masks`."""
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("concepts.csv", "category,number,name\nobject,1,sky\nobject,2,ground\n")
        for index in range(16):
            horizon = random.integers(8, 24)
            pixels = random.integers(0, 90, (32, 32, 3), dtype=np.uint8)
            pixels[:horizon, :, 2] += 150
            mask = np.full((32, 32), 2, np.uint8)
            mask[:horizon] = 1
            file.writestr(f"images/{index}.png", _png(pixels))
            file.writestr(f"masks/{index}.png", _png(mask))


def _png(pixels: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def dissected(url: str, archive: Path) -> Job:
    """A finished dissection of the model `net` on the dataset `horizons`."""
    client = Client(url, key="")
    client.register_model(
        "net", "torchvision:squeezenet1_1", weights={"seed": 0}, input={"resize": [64, 64], "crop": None}
    )
    client.register_dataset("horizons", "masks", {"artifact": client.upload(archive)}, grid=16)
    job = client.dissect("net", "horizons", LAYERS, segmentation=["masks", "colors"]).wait(timeout=120)
    assert job.state == "succeeded"
    return job


class Script:
    """An application that answers from a list, and remembers what it was asked."""

    def __init__(self) -> None:
        self.replies: list[Response] = []
        self.requests: list[Request] = []

    def __call__(self, environ: Any, start_response: Callable[..., Any]) -> Any:
        request = Request(environ)
        request.get_data()
        self.requests.append(request)
        return self.replies.pop(0)(environ, start_response)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def scripted(script: Script) -> Iterator[Client]:
    """A client of a service that answers as the test wrote it."""
    with served(script) as url, Client(url, key="ua_secret") as client:
        yield client
