"""A real service, and Debian's Chromium to look at its pages with."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from service.settings import Settings
from tests.browser.looking import Keyed, Looking
from tests.browser.world import World, discover, register
from tests.end_to_end.conftest import free_port, wait_until
from unitatlas import Client

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser; without one these tests fail in CI and are skipped elsewhere."""
    if CHROMIUM is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no chromium; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def service(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """The service on an empty database; its client has the first key."""
    path = tmp_path_factory.mktemp("service")
    (path / "import").mkdir()
    more = {"port": free_port(), "device": "cpu", "painting_seconds": 60.0}
    service = Keyed(Settings(data_dir=path / "data", import_dir=path / "import", **more), path)
    service.migrate()
    service.start("api", "relay", "worker")
    wait_until(service.client.ready, "the service is ready")
    service.client.close()
    service.key = make_key(service, path)
    service.client = Client(f"http://127.0.0.1:{service.settings.port}", key=service.key)
    yield service
    service.client.close()
    service.kill(*service.processes)


def make_key(service: Keyed, path: Path) -> str:
    """The first key, of an admin, as it is made on the service's machine."""
    words = "service keys create --team ours --member ana --role admin"
    command = [sys.executable, "-m", *words.split()]
    told = subprocess.run(command, env=service.environment, cwd=path, check=True, capture_output=True, text=True)
    return next(word for word in told.stdout.split() if word.startswith("ua_"))


@pytest.fixture
def ana(browser: Browser, service: Keyed) -> Iterator[Looking]:
    """Somebody of the team, signed in."""
    with Looking.at(browser, service) as looking:
        looking.sign_in()
        yield looking


@pytest.fixture(scope="module")
def world(service: Keyed) -> World:
    """What the team has found."""
    if not [*service.client.models()]:
        register(service.client)
    return discover(service.client)
