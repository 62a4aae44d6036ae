"""Drawing on the picture of a paint page."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.looking import Looking
from tests.browser.world import GENERATOR_LAYER

PAINT = f"/models/generator/paint?layer={GENERATOR_LAYER}&seed=1&index=5"


def painting(ana: Looking) -> dict[str, Any]:
    """The painting that the page shows, as the API has it."""
    id = ana.page.url.rpartition("painting=")[2]
    found: dict[str, Any] = ana.page.request.get(f"{ana.root}/v1/paintings/{id}").json()
    return found


def is_painted(page: Page, strokes: int) -> None:
    """Wait until the page shows a painting of so many strokes."""
    rows = page.locator("#painted details tbody tr")
    expect(rows).to_have_count(strokes)
    expect(page.locator("[aria-busy]")).to_have_count(0)


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a line between points of the picture, each from 0 to 1."""
    box = page.locator("canvas").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=4)
    page.mouse.up()
