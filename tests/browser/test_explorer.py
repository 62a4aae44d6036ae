"""The pages in a browser: nothing on its console, nothing that axe finds wrong, and a journey from an empty database.

The first test finds the database empty; the others look at what a world of results adds to it.
"""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.conftest import Keyed
from tests.browser.drawing import PAINT, drag, is_painted, painting
from tests.browser.looking import Looking
from tests.browser.world import World, addresses, register

pytestmark = pytest.mark.timeout(900)  # networks are loaded and jobs run, beside other tests
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""What the dark may change of a page."""
DARK = ("home", "generator", "layer", "unit of a generator", "class", "intervention", "paint", "form")
"""Pages that between them have everything that is coloured."""


def test_from_an_empty_database_to_a_shared_link(browser: Browser, service: Keyed, ana: Looking) -> None:
    expect(ana.page.get_by_text("Nothing is registered yet")).to_be_visible()
    register(service.client)
    steps.dissect(ana)
    steps.say_something(ana)
    steps.collect(ana)
    link = steps.share(ana)
    with Looking.at(browser, service) as stranger:
        steps.look_by(stranger, link)
    steps.revoke(ana)
    with Looking.at(browser, service) as stranger:
        reply = stranger.page.goto(link)
        assert reply is not None
        assert reply.status == 404
        expect(stranger.page.get_by_text("there is no such link")).to_be_visible()
        stranger.complaints.clear()  # of the 404 itself


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


@pytest.fixture
def page(ana: Looking, world: World) -> Page:
    page = ana.go(PAINT)
    page.wait_for_url(re.compile("painting="))
    expect(page.locator("#picture img")).to_be_visible()
    return page


def test_strokes_are_painted_and_undone(ana: Looking, page: Page) -> None:
    untouched = painting(ana)
    assert untouched["document"]["strokes"] == []
    assert untouched["links"]["edited"] == untouched["links"]["unedited"]
    page.get_by_label("Brush").fill("1")
    page.get_by_label("Its best units").fill("3")
    drag(page, (0.1, 0.1), (0.6, 0.1))
    is_painted(page, 1)
    drawn = painting(ana)
    (stroke,) = drawn["document"]["strokes"]
    assert (stroke["action"], len(stroke["units"]), drawn["document"]["latent"]) == ("draw", 3, {"seed": 1, "index": 5})
    assert page.locator("#picture img").get_attribute("src") == drawn["links"]["edited"] != untouched["links"]["edited"]
    (done,) = drawn["result"]["strokes"]
    across = page.locator(".cells rect")
    assert sum(int(across.nth(i).get_attribute("width") or 0) for i in range(across.count())) == done["cells"]
    expect(across.first).to_be_hidden()
    page.get_by_label("Show the cells").check()
    expect(across.first).to_be_visible()
    page.get_by_label("erase").check()
    drag(page, (0.1, 0.9), (0.6, 0.9))
    is_painted(page, 2)
    assert [stroke["action"] for stroke in painting(ana)["document"]["strokes"]] == ["draw", "erase"]
    page.get_by_role("button", name="Undo").click()
    is_painted(page, 1)
    undone = painting(ana)
    assert (undone["document"], undone["links"]["edited"]) == (drawn["document"], drawn["links"]["edited"])
    assert not ana.faults()


def test_the_keyboard_paints_cells(ana: Looking, page: Page) -> None:
    grid = page.get_by_role("grid")
    cells = grid.get_by_role("gridcell")
    assert cells.count() == 64
    cells.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(grid.get_by_label("row 2, column 2")).to_be_focused()
    page.keyboard.down(" ")
    page.keyboard.press("ArrowRight")
    page.keyboard.up(" ")
    is_painted(page, 1)
    done = painting(ana)
    assert done["result"]["strokes"][0]["cells"] == 2
    # two cells of the map of 8 x 8 over the picture of 32 x 32: four rows of eight pixels, from row and column 4 on
    assert done["document"]["strokes"][0]["mask"]["runs"] == [132, 8, 24, 8, 24, 8, 24, 8, 788]
    said = page.get_by_role("status").inner_text()
    assert said.startswith("Most changed")
    expect(page.get_by_role("img", name=re.compile("painted picture of latent 5"))).to_be_visible()


def test_a_painting_is_kept_shared_and_painted_again(
    browser: Browser, service: Keyed, ana: Looking, page: Page
) -> None:
    drag(page, (0.5, 0.5), (0.5, 0.5))
    is_painted(page, 1)
    kept = painting(ana)
    page.get_by_role("link", name="Save").click()
    page.wait_for_url(re.compile(f"/paintings/{kept['id']}"))
    page.get_by_text("Share", exact=True).click()
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label(re.compile("Whoever has it")).input_value()
    with Looking.at(browser, service) as stranger:
        stranger.page.goto(link)
        expect(stranger.page.get_by_role("heading", name="What changed")).to_be_visible()
        stranger.page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth)")
        assert stranger.page.get_by_role("button").count() == 0
    ana.go(f"/paintings/{kept['id']}")
    page.get_by_role("button", name="Paint it again").click()
    page.wait_for_url(lambda url: "/paintings/" in url and kept["id"] not in url)
    again = page.request.get(f"{ana.root}/v1{page.url.removeprefix(ana.root)}").json()
    assert (again["result"], again["links"]["edited"]) == (kept["result"], kept["links"]["edited"])


def test_without_javascript(browser: Browser, service: Keyed, world: World) -> None:
    with Looking.at(browser, service, java_script_enabled=False) as looking:
        looking.sign_in()
        page = looking.go(f"/models/generator/paint?painting={world.painting}")
        expect(page.get_by_text("Drawing needs JavaScript")).to_be_visible()
        expect(page.locator("#picture img")).to_be_visible()
        expect(page.get_by_label("Brush")).to_be_hidden()
        expect(page.get_by_role("table").first).to_contain_text("→")
