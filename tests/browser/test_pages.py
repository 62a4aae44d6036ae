"""Every page in a browser: nothing on its console, nothing that axe finds wrong, light and dark."""

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Keyed
from tests.browser.looking import Looking
from tests.browser.world import GENERATOR_LAYER, LAYER, World

pytestmark = pytest.mark.timeout(900)  # networks are loaded and jobs run, beside other tests
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""What the dark may change of a page."""
DARK = ("home", "generator", "layer", "unit of a generator", "class", "intervention", "paint", "form")
"""Pages that between them have everything that is coloured."""


def addresses(world: World) -> dict[str, str]:
    """The pages, by what they show."""
    unit, drawing = f"/models/scenes/layers/{LAYER}/units/0", f"/models/generator/layers/{GENERATOR_LAYER}"
    return {
        "home": "/",
        "search": "/?q=tree",
        "models": "/models",
        "classifier": "/models/scenes",
        "generator": "/models/generator",
        "segmenter": "/models/segmenter",
        "layer": f"/models/scenes/layers/{LAYER}",
        "layer of a generator": drawing,
        "layer not dissected": "/models/scenes/layers/features.relu1_1",
        "unit": unit,
        "older unit": f"{unit}?job={world.older}",
        "unit of a generator": f"{drawing}/units/0",
        "units": "/units?detectors=true",
        "concepts": "/concepts",
        "concept": "/concept?concept=tree&category=object",
        "classes": "/classes",
        "class": f"/class?class={world.class_name}",
        "attacks": "/attacks",
        "jobs": "/jobs",
        "dissection": f"/jobs/{world.dissection}",
        "ablation": f"/jobs/{world.ablation}",
        "attack": f"/jobs/{world.attack}",
        "dissection of a generator": f"/jobs/{world.drawn}",
        "intervention": f"/jobs/{world.intervention}",
        "intervention at each cell": f"/jobs/{world.cells}",
        "comparison": f"/compare?a={world.older}&b={world.dissection}",
        "form": "/models/scenes/jobs/new?kind=attack",
        "form of a generator": "/models/generator/jobs/new?kind=intervention",
        "paintings": "/paintings",
        "painting": f"/paintings/{world.painting}",
        "paint": f"/models/generator/paint?painting={world.painting}",
        "collections": "/collections",
        "links": "/shares",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page(browser: Browser, service: Keyed, world: World, scheme: str) -> None:
    faults: list[str] = []
    with Looking.at(browser, service, color_scheme=scheme) as looking:
        looking.sign_in()
        shown = addresses(world)
        for name, address in shown.items() if scheme == "light" else [(name, shown[name]) for name in DARK]:
            page = looking.go(address)
            assert page.locator("h1").count() == 1, name
            assert not page.evaluate(BROKEN), f"{name}: a picture is not there"
            faults += looking.faults(**(CONTRAST if scheme == "dark" else {}))
    assert not faults, "\n".join(faults)


BROKEN = "[...document.images].filter(i => i.loading !== 'lazy' && i.complete && !i.naturalWidth).map(i => i.src)"


def test_without_a_key(browser: Browser, service: Keyed) -> None:
    with Looking.at(browser, service) as looking:
        looking.go("/sign-in")
        assert not looking.faults()
        reply = looking.page.goto(f"{looking.root}/jobs")
        assert reply is not None
        assert reply.status == 401
        assert looking.page.get_by_role("link", name="Sign in by a key").is_visible()
        assert not looking.faults()
        looking.complaints.clear()  # of the 401 itself
