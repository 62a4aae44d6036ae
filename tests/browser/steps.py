"""What a person does on pages, step by step: dissect, say something, collect, share, look, revoke."""

import re

from playwright.sync_api import expect

from tests.browser.looking import Looking
from tests.browser.world import LAYER

UNIT = f"/models/scenes/layers/{LAYER}/units/0"


def dissect(ana: Looking) -> None:
    """Ask for a dissection by the form, and follow it until it is done."""
    page = ana.go("/models/scenes")
    page.get_by_role("link", name="New dissection").click()
    layers = page.get_by_role("group", name="Layers")
    layers.get_by_role("checkbox", checked=True).uncheck()
    layers.get_by_label(LAYER, exact=True).check()
    page.get_by_label("Images at most").fill("12")
    page.get_by_role("button", name="Estimate").click()
    expect(page.get_by_role("heading", name="What it would take")).to_be_visible()
    page.get_by_role("button", name="Start the dissection").click()
    expect(
        page.get_by_role("heading", name="What it found")
    ).to_be_visible()  # told by events, without a reload of ours
    assert not ana.faults()
    page.get_by_role("link", name=LAYER).first.click()
    expect(page.get_by_role("heading", name="Units", exact=True)).to_be_visible()


def say_something(ana: Looking) -> None:
    page = ana.go(UNIT)
    page.get_by_text("Say something").click()
    page.get_by_label("Category").fill("scene")
    page.get_by_label("Concept", exact=True).fill("dusk <sky>")
    page.locator("#said-note").fill("at low light alone")
    page.get_by_role("button", name="Say it").click()
    expect(page.get_by_text("dusk <sky>")).to_be_visible()
    assert not ana.faults()


def collect(ana: Looking) -> None:
    """Put two units into a new collection, note something of one, and put the other first."""
    page = ana.page
    for unit, choose in ((0, "a new one"), (1, "horizons")):
        ana.go(UNIT.replace("/0", f"/{unit}"))
        page.get_by_text("Put it into a collection").click()
        page.get_by_label("Collection", exact=True).select_option(label=choose)
        if choose == "a new one":
            page.get_by_label("Name of a new one").fill("horizons")
        page.locator("#collection-note").fill(f"note of unit {unit}")
        page.get_by_role("button", name="Put it in").click()
        expect(page.get_by_role("heading", name="horizons")).to_be_visible()
    second = page.locator("li").nth(1)
    second.get_by_text("Change", exact=True).first.click()
    second.get_by_label("place").fill("1")
    second.get_by_role("button", name="Change", exact=True).click()
    expect(page.locator("li").nth(0)).to_contain_text("note of unit 1")
    assert not ana.faults()


def share(ana: Looking) -> str:
    """Make a link to the collection and return it."""
    page = ana.page
    page.get_by_text("Share", exact=True).click()
    page.get_by_role("button", name="Make a link").click()
    assert not ana.faults()
    return page.get_by_label(re.compile("Whoever has it")).input_value()


def look_by(stranger: Looking, link: str) -> None:
    """Open the link signed out: the collection is there with its pictures, and nothing leads anywhere else."""
    page = stranger.page
    reply = page.goto(link.rstrip("/"))
    assert reply is not None
    assert reply.status == 200
    expect(page.get_by_role("heading", name="horizons")).to_be_visible()
    expect(page.locator("li").nth(0)).to_contain_text("note of unit 1")
    page.locator("img").first.scroll_into_view_if_needed()
    page.wait_for_function("document.images.length === 2 && [...document.images].every(i => i.naturalWidth)")
    assert page.get_by_role("navigation").count() == 0
    assert page.locator("form").count() == 0
    assert page.locator('meta[property="og:title"]').get_attribute("content") == "horizons"
    picture = page.locator('meta[property="og:image"]').get_attribute("content")
    assert picture is not None
    assert page.request.get(picture).headers["content-type"].startswith("image/")
    assert page.request.get(f"{stranger.root}/").status == 401
    assert page.request.get(f"{link}models").status == 404
    assert not stranger.faults()


def revoke(ana: Looking) -> None:
    page = ana.go("/shares")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("revoked")).to_be_visible()
