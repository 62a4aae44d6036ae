"""Pages behind links: they show the thing, lead nowhere else, and tell of nothing else."""

from urllib.parse import urlsplit

import pytest

from tests.service.explorer.reading import Page
from tests.service.sharing.conftest import Planted
from tests.service.sharing.shared import LAYER, MARK, MODEL, OTHER, picture
from tests.service.sharing.test_doors import SHARED

NAMES = {
    "unit": "unit 1",
    "layer": LAYER,
    "job": "Dissection",
    "attack": "Attack",
    "class": "beach",
    "comparison": "Two dissections compared",
    "painting": "Painting",
    "collection": "zebras",
}


@pytest.mark.parametrize("kind", SHARED)
def test_a_link_leads_to_its_page(blue: Planted, kind: str) -> None:
    link, stranger = blue.share(blue.world.addresses[kind]), blue.stranger()
    bare = stranger.get(link)
    assert (bare.status_code, urlsplit(bare.headers["Location"]).path) in (
        (308, f"{link}/"),
        (308, f"{link.rpartition('/')[2]}/"),
    )
    sent_on = stranger.get(f"{link}/")
    assert sent_on.status_code == 303
    address = sent_on.headers["Location"]
    assert address.startswith(f"{link}/")
    reply = stranger.get(address)
    assert reply.status_code == 200, reply.text
    page = Page(reply.text)
    assert NAMES[kind.removeprefix("old ")] in page.text
    check_links(blue, link, page)
    assert not page.all("form", method="post")
    assert not page.all("nav", **{"aria-label": "Site"})
    assert page.all("meta", property="og:title")
    for preview in page.all("meta", property="og:image"):
        assert stranger.get(urlsplit(preview["content"] or "").path).status_code == 200


def check_links(blue: Planted, link: str, page: Page) -> None:
    """Every address on the page stays behind the link and answers there."""
    for address in {*page.links, *(form.get("action") or "" for form in page.all("form"))} - {""}:
        assert address.startswith(f"{link}/"), address
        assert blue.stranger().get(address).status_code == 200, address


@pytest.mark.parametrize("kind", SHARED)
def test_a_page_behind_a_link_tells_of_nothing_else(blue: Planted, kind: str) -> None:
    link, stranger = blue.share(blue.world.addresses[kind]), blue.stranger()
    text = stranger.get(f"{link}/", follow_redirects=True).text
    known = blue.own.get(blue.world.addresses[kind]).text
    for secret in (OTHER, picture(35), f"{MARK}-images", "ana", *_jobs(blue)):
        assert secret not in text or secret in known, secret


def _jobs(blue: Planted) -> list[str]:
    return [job["id"] for job in blue.own.get("/v1/jobs").json["data"]]


def test_other_pages_are_closed(blue: Planted) -> None:
    unit = f"/models/{MODEL}/layers/{LAYER}/units"
    pages = {
        "/?q=zebra",
        "/models",
        f"/models/{MODEL}",
        f"/models/{MODEL}/paint",
        f"{unit}/2",
        f"/models/{MODEL}/layers/{LAYER}",
        "/units",
        "/concepts",
        "/classes",
        "/class?class=beach",
        "/attacks",
        "/jobs",
        "/compare",
        "/paintings",
        "/collections",
        "/shares",
        f"/models/{MODEL}/jobs/new",
        *(address.removeprefix("/v1") for kind, address in blue.world.addresses.items() if kind in ("job", "painting")),
    }
    link, stranger = blue.share(blue.world.addresses["unit"]), blue.stranger()
    for address in pages:
        reply = stranger.get(link + address)
        assert reply.status_code == 404, address
        assert "zebra" not in reply.text.replace(address, ""), address
    assert stranger.get(f"{link}{unit}/1").status_code == 200


def test_pages_behind_a_link_change_nothing(blue: Planted) -> None:
    link, stranger = blue.share(blue.world.addresses["job"]), blue.stranger()
    job = blue.world.addresses["job"].removeprefix("/v1")
    for address in (f"{job}/cancel", "/jobs", "/shares", f"/models/{MODEL}/layers/{LAYER}/units/1/annotations"):
        assert stranger.post(link + address, data={}).status_code == 403


def test_an_unknown_link_has_a_page(blue: Planted) -> None:
    reply = blue.stranger().get("/shared/nothing/")
    assert (reply.status_code, reply.mimetype) == (404, "text/html")
    assert "there is no such link" in reply.text
